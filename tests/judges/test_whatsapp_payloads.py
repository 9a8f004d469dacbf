"""Our parser finds every element of the published payloads of WhatsApp's webhooks, and of variations of them.

An element is what stands in a list of a change's value, except ``contacts``; a value without lists is one element.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.whatsapp.webhooks import PROTOCOL
from domain.inbound import Happening, InboundEvent
from domain.kinds import KINDS

NOW_MS = 1_764_000_000_000
LISTS = ("messages", "statuses", "calls", "errors", "user_preferences", "groups")
# what becomes of each file's payloads
EXPECTED = {
    "account_update": {Happening.ACCOUNT},
    "call_connect": {Happening.IGNORED},
    "call_status": {Happening.IGNORED},
    "call_terminate": {Happening.IGNORED, Happening.ACCOUNT},
    "callback_button": {Happening.MESSAGE},
    "deleted_message": {Happening.IGNORED},
    "flow_completion": {Happening.MESSAGE},
    "message": {Happening.MESSAGE, Happening.REACTION, Happening.ACCOUNT},
    "message_status": {Happening.RECEIPT, Happening.IGNORED},
    "template_category_update": {Happening.ACCOUNT},
    "template_quality_update": {Happening.ACCOUNT},
    "template_status_update": {Happening.ACCOUNT},
}


@pytest.fixture(scope="module")
def payloads(judges: Path) -> dict[str, dict[str, Any]]:
    """Return the payloads by file and name."""
    folder = judges / "whatsapp-webhooks"
    found = {f"{path.stem}/{name}": payload for path in sorted(folder.glob("*.json")) for name, payload in read(path)}
    assert found
    return found


def read(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from json.loads(path.read_text()).items()


def parsed(payload: object) -> list[InboundEvent]:
    return list(PROTOCOL.parse(json.dumps(payload).encode(), NOW_MS))


def changes_of(payload: dict[str, Any]) -> list[dict[str, Any]]:
    return [change for entry in payload["entry"] for change in entry["changes"]]


def elements_of(payload: dict[str, Any]) -> int:
    return sum(sum(len(change["value"].get(name, ())) for name in LISTS) or 1 for change in changes_of(payload))


def test_each_element_of_each_payload_has_the_expected_outcome(payloads: dict[str, dict[str, Any]]) -> None:
    for name, payload in payloads.items():
        events = parsed(payload)
        assert len(events) == elements_of(payload), name
        assert {event.happening for event in events} <= EXPECTED[name.partition("/")[0]], name
        assert Happening.UNKNOWN not in {event.happening for event in events}, name


def test_messages_keep_their_words_their_files_and_their_sender(payloads: dict[str, dict[str, Any]]) -> None:
    for name, payload in payloads.items():
        events = [event for event in parsed(payload) if event.happening == Happening.MESSAGE]
        messages = [m for change in changes_of(payload) for m in change["value"].get("messages", ())]
        for event, message in zip(events, messages, strict=False):
            if message["type"] in ("reaction", "revoke"):
                continue
            assert event.kind in KINDS, name
            assert event.element_id == message["id"], name
            assert event.at_ms == int(message["timestamp"]) * 1000, name
            assert event.person.identifiers, name
            inner = message.get(message["type"], {})
            if isinstance(inner, dict):
                assert inner.get("body", "") in (event.content or inner.get("body", "")), name
                assert event.content == inner["caption"] if "caption" in inner else True, name
                assert [media.id for media in event.media] == ([inner["id"]] if "mime_type" in inner else []), name
            if "id" in message.get("context", {}):
                assert event.target_id == message["context"]["id"], name


def test_a_hundred_elements_of_a_post_are_a_hundred_events_in_order(payloads: dict[str, dict[str, Any]]) -> None:
    together = {"object": "whatsapp_business_account", "entry": [e for p in payloads.values() for e in p["entry"]]}
    one_by_one = [event.element_id for payload in payloads.values() for event in parsed(payload)]
    assert [event.element_id for event in parsed(together)] == one_by_one
    assert Counter(one_by_one)


@pytest.mark.parametrize("field", ["contacts", "metadata", "from", "timestamp", "type", "messaging_product", "id"])
def test_an_absent_field_hides_no_element(payloads: dict[str, dict[str, Any]], field: str) -> None:
    for name, payload in payloads.items():
        changed = without(copy.deepcopy(payload), field)
        assert len(parsed(changed)) == elements_of(changed), name


def test_an_unknown_kind_of_message_is_shown_and_an_unknown_field_is_kept(payloads: dict[str, dict[str, Any]]) -> None:
    payload = copy.deepcopy(payloads["message/text"])
    [message] = changes_of(payload)[0]["value"]["messages"]
    message["type"], message["hologram"] = "hologram", {"body": "hello"}
    del message["text"]
    [event] = parsed(payload)
    assert (event.happening, event.kind, event.body) == (Happening.MESSAGE, "unsupported", {"type": "hologram"})
    changes_of(payload)[0]["field"] = "holograms"
    [event] = parsed(payload)
    assert event.happening == Happening.UNKNOWN
    assert "hello" in event.detail


def test_added_fields_change_nothing(payloads: dict[str, dict[str, Any]]) -> None:
    for name, payload in payloads.items():
        changed = with_novelty(copy.deepcopy(payload))
        assert [(e.happening, e.kind, e.content) for e in parsed(changed)] == [
            (e.happening, e.kind, e.content) for e in parsed(payload)
        ], name


def without(document: object, field: str) -> Any:
    if isinstance(document, dict):
        return {name: without(value, field) for name, value in document.items() if name != field}
    return [without(each, field) for each in document] if isinstance(document, list) else document


def with_novelty(document: object) -> Any:
    if isinstance(document, dict):
        return {**{name: with_novelty(value) for name, value in document.items()}, "novelty": {"since": 2027}}
    return [with_novelty(each) for each in document] if isinstance(document, list) else document
