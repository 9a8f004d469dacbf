"""A provider's protocol of webhooks, for tests: signed by HMAC, its body a list of events.

{"our_id":"1065","elements":[{"happening":"message","element_id":"w-1","at_ms":1,"content":"oi"}]}
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from domain.errors import MalformedRecord
from domain.inbound import InboundEvent, Media, Person

SIGNATURE = "x-signature"


def signature(body: bytes, secret: str) -> str:
    """Return the header that signs ``body``."""
    return hmac.new(secret.encode(), body, "sha256").hexdigest()


class FakeWebhooks:
    """``WebhookProtocol``. ``checked``: how many signatures were computed."""

    secret = "app_secret"
    headers = frozenset({SIGNATURE})

    def __init__(self) -> None:
        self.checked = 0

    def challenge(self, query: Mapping[str, str], verify_token: str) -> str | None:
        """Return the challenge if the token is right."""
        return query.get("challenge") if query.get("token") == verify_token else None

    def is_authentic(self, headers: Mapping[str, str], body: bytes, secret: str) -> bool:
        """Return whether the header signs the body."""
        self.checked += 1
        return hmac.compare_digest(headers.get(SIGNATURE, ""), signature(body, secret))

    def parse(self, body: bytes, received_at_ms: int) -> Iterator[InboundEvent]:
        """Yield the elements."""
        try:
            document = orjson.loads(body)
            elements = document["elements"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise MalformedRecord("not a webhook of the fake provider") from None
        for element in elements:
            yield _event(element, document.get("our_id", ""), received_at_ms)


def _event(element: dict[str, Any], our_id: str, at_ms: int) -> InboundEvent:
    known = {"at_ms": at_ms, "our_id": our_id, **element}
    for name in ("person", "former"):
        if name in known:
            known[name] = Person(**known[name])
    known["media"] = tuple(Media(**one) for one in element.get("media", ()))
    return InboundEvent(**known)


def webhook(*elements: Mapping[str, object], our_id: str = "") -> bytes:
    """Return the body of a POST."""
    return orjson.dumps({"our_id": our_id, "elements": elements})
