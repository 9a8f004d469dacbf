"""Raw webhooks through today's parser: what is new, what is other, and what may be written again."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agents import webhook_replay
from agents.webhook_replay import WebhookReplay
from agents.webhooks import Sorter
from app.kafka.codec import encode
from domain.accounts import Account
from domain.correlation import SEPARATOR
from domain.errors import InvalidInput
from domain.inbound import WebhookReceived
from fakes.webhooks import FakeWebhooks, webhook

MESSAGE = {"happening": "message", "element_id": "w-1", "at_ms": 1, "content": "oi", "person": {"phone": "+551"}}
READ = {"happening": "receipt", "element_id": "r", "at_ms": 1, "status": "READ", "target_id": "p-1"}
TOKEN = {**READ, "token": f"c-1{SEPARATOR}m-1"}


def raw(*elements: Mapping[str, object]) -> bytes:
    return encode(WebhookReceived("shop", {}, webhook(*elements), 1))


def replay() -> WebhookReplay:
    return WebhookReplay(Sorter(FakeWebhooks(), [Account(channel="whatsapp", name="shop")]))


def test_what_a_former_parser_missed_is_new_and_written() -> None:
    parsed = replay()
    found = list(parsed.parse(raw(MESSAGE, TOKEN, {"happening": "ignored", "element_id": "i", "at_ms": 1})))
    assert [(str(one.difference), one.room, one.key, one.is_written) for one in found] == [
        ("+", "inbound", "shop", True),
        ("+", "events", "c-1", True),
    ]
    assert parsed.summary() == {"new": 2, "ignored": 1}
    assert [one.line() for one in found] == ["+ shop message w-1 text", "+ shop receipt READ of m-1 in c-1"]


def test_what_was_taken_is_the_same_and_only_receipts_are_written_again() -> None:
    parsed = replay()
    before = list(replay().parse(raw(MESSAGE, TOKEN)))
    for one in before:
        parsed.know(one.key.encode(), encode(one.record))
    parsed.know(b"shop", b"not a record")
    found = list(parsed.parse(raw(MESSAGE, TOKEN)))
    assert [(str(one.difference), one.is_written) for one in found] == [("=", False), ("=", True)]


def test_what_was_taken_in_another_form_is_shown_and_stays_as_it_was() -> None:
    parsed = replay()
    (before,) = replay().parse(raw({**MESSAGE, "kind": "unsupported"}))
    parsed.know(b"shop", encode(before.record))
    (found,) = parsed.parse(raw(MESSAGE))
    assert (str(found.difference), found.is_written) == ("~", False)


def test_a_malformed_webhook_is_counted() -> None:
    parsed = replay()
    assert list(parsed.parse(encode(WebhookReceived("shop", {}, b"{", 1)))) == []
    assert list(parsed.parse(b"no record")) == []
    assert parsed.summary() == {"malformed": 2}


def test_a_span_that_does_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_replay, "MOST_KNOWN", 1)
    parsed = replay()
    values = [encode(one.record) for one in replay().parse(raw(MESSAGE, TOKEN))]
    parsed.know(b"shop", values[0])
    with pytest.raises(InvalidInput, match="later --since"):
        parsed.know(b"c-1", values[1])
