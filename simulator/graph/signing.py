"""The signature of Meta's webhooks."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from simulator.accounts import BusinessAccount


def signature_headers(account: BusinessAccount, raw: bytes) -> Mapping[str, str]:
    """Return ``X-Hub-Signature-256`` over the raw body, with the account's app secret."""
    digest = hmac.new(account.app_secret.encode(), raw, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "User-Agent": "facebookexternalua"}
