"""A provider's answers about an account, as the faults of `chat4all doctor`. Nothing is sent to anybody."""

from __future__ import annotations

from collections.abc import Collection

from channels.http import Answer
from domain.outcomes import NotNow, Unknown
from domain.ports import AccountFault

SECONDS = 10.0  # of one question
EXCERPT = 200
CREDENTIALS, UNREACHABLE, REFUSED = "account-credentials", "account-unreachable", "account-refused"
WEBHOOK, WEBHOOK_FIELDS, WEBHOOK_ERRORS = "account-webhook", "account-webhook-fields", "account-webhook-errors"
SETUP = "see docs/channel-setup.md"


def fault_of(answered: Answer | NotNow | Unknown, *, is_credentials: bool) -> AccountFault | None:
    """Return the fault, ``None`` for a good answer. ``is_credentials``: a refusal is of the token."""
    if not isinstance(answered, Answer):
        return AccountFault(UNREACHABLE, answered.detail, "let this machine reach the provider, or correct base_url")
    if 200 <= answered.status < 300:
        return None
    detail = f"status {answered.status}: {answered.exchange.answer[:EXCERPT]}"
    if is_credentials:
        return AccountFault(CREDENTIALS, detail, f"make a new token, {SETUP}")
    return AccountFault(REFUSED, detail, f"correct the account's id and its permissions, {SETUP}")


def lacking(wanted: Collection[str], given: Collection[str]) -> AccountFault | None:
    """Return the fault of a subscription without something that Chat4All takes, ``None`` if nothing lacks."""
    if missing := sorted(set(wanted) - set(given)):
        detail = f"the webhook does not bring {', '.join(missing)}"
        return AccountFault(WEBHOOK_FIELDS, detail, f"subscribe to them, {SETUP}")
    return None
