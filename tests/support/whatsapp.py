"""Webhooks of WhatsApp as a test writes them."""

from __future__ import annotations

import orjson

from channels.whatsapp.webhooks import PROTOCOL
from domain.inbound import InboundEvent, Person

NOW_MS = 1_764_000_000_000
AT = "1749416383"
AT_MS = 1_749_416_383_000
CONTACT = {"profile": {"name": "Ana", "username": "Ana"}, "wa_id": "5511999990000", "user_id": "BR.1502576394655843"}
ANA = Person("+5511999990000", "BR.1502576394655843", "@ana", "Ana")


def webhook(*changes: object, **entry: object) -> bytes:
    return orjson.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "WABA", "changes": [*changes], **entry}]}
    )


def change(field: str = "messages", **value: object) -> dict[str, object]:
    metadata = {"display_phone_number": "15550783881", "phone_number_id": "1065"}
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}


def parsed(*changes: object) -> list[InboundEvent]:
    return list(PROTOCOL.parse(webhook(*changes), NOW_MS))
