"""Kinds, directions, senders, answers and reactions in answers and live frames."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.ids import uuid7
from domain.kinds import INBOUND, KINDS
from domain.ports import LogPosition, MirrorEntry
from domain.records import MessageAccepted
from fakes.message_log import NOW_MS, partition_of
from support.api import Api
from support.examples import examples
from support.watching import member, message, watch

ANA, BOB = "whatsapp:+5511999990000", "telegram:12345"


def record(number: int, sender: str = ANA, **more: object) -> MessageAccepted:
    fields = {"direction": INBOUND, "provider_id": f"wamid.{number}", "sent_at_ms": NOW_MS - 5, **more}
    return MessageAccepted(uuid7(NOW_MS + number, bytes(10)), "c-1", sender, "", fields.pop("content", "hi"), **fields)


async def mirrored(api: Api, *messages: MessageAccepted) -> None:
    """Put messages where only Cassandra has them."""
    await api.messages.write(
        [MirrorEntry(one.message_id, "c-1", LogPosition(NOW_MS, 10 + n), one) for n, one in enumerate(messages)]
    )


def on_the_log(api: Api, offset: int, one: MessageAccepted) -> None:
    api.recent.add_message(one, LogPosition(NOW_MS, offset), partition_of(one))


async def shown(api: Api, token: str, message_id: str) -> dict[str, Any]:
    """Return the message as shown alone, having checked that the list shows the same."""
    alone: dict[str, Any] = await (await api.call("GET", f"/v1/messages/{message_id}", token=token)).json()
    listed = await (await api.call("GET", "/v1/messages?conversation_id=c-1", token=token)).json()
    (found,) = (one for one in listed["messages"] if one["message_id"] == message_id)
    assert {name: alone[name] for name in found} == found
    return alone


async def test_a_persons_message_shows_who_wrote_to_which_account(api: Api) -> None:
    token, _ = await member(api)
    theirs = record(1, sender_name="Ana", account="main")
    await mirrored(api, theirs)
    found = await shown(api, token, theirs.message_id)
    assert (found["direction"], found["kind"], found["account"]) == ("inbound", "text", "main")
    assert found["sender"] == {"address": ANA, "name": "Ana"}
    assert "template" not in found


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("template", {"name": "order", "language": "pt_BR"}),
        ("interactive", {"kind": "link", "title": "Track", "url": "https://example.org"}),
        ("location", {"latitude": 1.5, "longitude": -2.0, "name": "Café"}),
        ("contacts", {"contacts": [{"name": "Bob", "phones": ["+5511"]}]}),
        ("sticker", {}),
        ("button_reply", {"id": "y", "title": "Yes"}),
        ("unsupported", {"type": "order"}),
    ],
)
async def test_a_kind_is_shown_with_its_object_in_answers_and_frames(api: Api, kind: str, body: dict[str, Any]) -> None:
    token, _ = await member(api)
    theirs = record(1, kind=kind, body=body, reply_to="m-0", content="")
    await mirrored(api, theirs)
    found = await shown(api, token, theirs.message_id)
    assert (found["kind"], found[kind], found["reply_to"]) == (kind, body, "m-0")
    watcher = await watch(api, token)
    api.live_log.message(message(1, kind=kind, body=body, direction=INBOUND, sender_name="Ana", sender_id=ANA))
    frame = await watcher.frame()
    assert (frame["kind"], frame[kind], frame["direction"]) == (kind, body, "inbound")
    assert frame["sender"] == {"address": ANA, "name": "Ana"}


async def test_a_kind_of_a_later_release_is_shown_as_unsupported(api: Api) -> None:
    token, _ = await member(api)
    theirs = record(1, kind="message_id", body={"x": 1})
    await mirrored(api, theirs)
    found = await shown(api, token, theirs.message_id)
    assert (found["message_id"], found["kind"]) == (theirs.message_id, "unsupported")
    assert found["unsupported"] == {"type": "message_id"}


def reaction(number: int, target: MessageAccepted, emoji: str, sender: str = ANA) -> MessageAccepted:
    return record(number, sender, kind="reaction", content="", body={"message_id": target.message_id, "emoji": emoji})


@pytest.mark.parametrize("where", ["in Cassandra", "on the log", "in both"])
async def test_the_last_reaction_of_each_person_is_shown_beside_the_message(api: Api, where: str) -> None:
    token, _ = await member(api)
    target = record(0, BOB)
    those = [
        target,
        reaction(1, target, "👍"),
        reaction(2, target, "🎉", BOB),
        reaction(3, target, "❤"),
    ]
    if where != "on the log":
        await mirrored(api, *those)
    if where != "in Cassandra":
        for offset, one in enumerate(those, 10):
            on_the_log(api, offset, one)
    found = await shown(api, token, target.message_id)
    assert [(one["by"], one["emoji"]) for one in found["reactions"]] == [(BOB, "🎉"), (ANA, "❤")]
    assert found["reactions"][0]["at"] == "2025-11-22T22:00:00.118Z"
    alone = await shown(api, token, those[3].message_id)
    assert (alone["kind"], alone["reaction"]) == ("reaction", {"message_id": target.message_id, "emoji": "❤"})


async def test_a_reaction_on_the_log_is_newer_than_one_in_cassandra_and_may_take_it_back(api: Api) -> None:
    token, _ = await member(api)
    target = record(0, BOB)
    await mirrored(api, target, reaction(1, target, "👍"), reaction(2, target, "🎉", BOB))
    assert len((await shown(api, token, target.message_id))["reactions"]) == 2
    on_the_log(api, 20, reaction(3, target, ""))
    found = await shown(api, token, target.message_id)
    assert [(one["by"], one["emoji"]) for one in found["reactions"]] == [(BOB, "🎉")]


async def test_a_conversation_without_reactions_is_asked_about_once_and_the_first_one_is_shown(api: Api) -> None:
    token, _ = await member(api)
    target = record(0, BOB)
    await mirrored(api, target)
    assert (await shown(api, token, target.message_id))["reactions"] == []
    on_the_log(api, 20, reaction(1, target, "👍"))
    assert len((await shown(api, token, target.message_id))["reactions"]) == 1


async def test_a_message_in_memory_is_shown_without_cassandra_with_the_reactions_in_memory(api: Api) -> None:
    token, _ = await member(api)
    accepted = await api.send(token)
    api.messages.available = False
    answer = await api.call("GET", f"/v1/messages/{accepted['message_id']}", token=token)
    assert answer.status in (200, 503)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda of: st.lists(of, max_size=2) | st.dictionaries(st.text(max_size=6), of, max_size=2),
    max_leaves=5,
)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(sorted(KINDS)) | st.text(max_size=9), body=st.dictionaries(st.text(max_size=9), JSON))
async def test_a_record_with_any_kind_and_object_is_shown(api: Api, kind: str, body: dict[str, Any]) -> None:
    token, _ = await member(api)
    theirs = record(1, kind=kind, body=body)
    api.messages.rows.clear()
    await mirrored(api, theirs)
    found = await shown(api, token, theirs.message_id)
    assert found["kind"] in KINDS
    if kind in KINDS - {"text", "file"}:
        assert found[kind] == body
