"""Dead letters over HTTP: list, show, redrive and discard them, one by one and as sets."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import Any

import orjson
import pytest

from app.kafka.codec import decode, encode
from app.kafka.partitions import partition_for
from domain.records import ChannelCommand, DeadLetterResolved, StatusChanged
from domain.traces import TraceRecorded
from fakes.message_log import NOW_MS
from support.api import Api
from support.letters import delivery_letter, letter, request
from web.admin import dead_letters
from web.admin.resolving import RESUME_MS

LETTERS = "/v1/admin/dead-letters"
RESOLUTIONS = "dead-letter-resolutions"


@pytest.fixture
async def admin(api: Api) -> str:
    return await api.admin("maria")


async def listed(api: Api, token: str, query: str = "") -> list[dict[str, Any]]:
    """All pages of a list."""
    found, cursor = [], ""
    while True:
        answer = await api.call("GET", f"{LETTERS}?{query}{cursor}", token=token)
        assert answer.status == 200, await answer.text()
        page = await answer.json()
        found += page["dead_letters"]
        if page["pagination"]["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['pagination']['next_cursor']}"


async def redrive(api: Api, token: str, letter_id: str, body: object = None, status: int = 200) -> dict[str, Any]:
    answer = await api.call("POST", f"{LETTERS}/{letter_id}/redrive", body, token)
    assert answer.status == status, await answer.text()
    return dict(await answer.json())


async def resolve(api: Api, token: str, verb: str = "redrive", **body: object) -> dict[str, Any]:
    answer = await api.call("POST", f"{LETTERS}/{verb}", body, token)
    assert answer.status == 200, await answer.text()
    return dict(await answer.json())


def commands(api: Api) -> list[ChannelCommand]:
    return [decode(record.value, ChannelCommand) for record in api.record_log.values("whatsapp-commands")]


async def test_letters_are_listed_oldest_first_over_all_partitions_in_pages(api: Api, admin: str) -> None:
    ids = []
    for number in range(23):
        api.record_log.now_ms = NOW_MS + number
        ids.append(await delivery_letter(api.record_log, f"m-{number}", f"c-{number % 7}"))
    for limit in (1, 5, 100):
        assert [one["id"] for one in await listed(api, admin, f"limit={limit}")] == ids


async def test_a_page_ends_after_so_many_records_and_says_that_there_are_more(
    api: Api, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "SCANNED_RECORDS", 3)
    for number in range(8):
        await delivery_letter(api.record_log, f"m-{number}", reason="expired" if number == 7 else "unavailable")
    page = await (await api.call("GET", f"{LETTERS}?reason=expired", token=admin)).json()
    assert (page["dead_letters"], page["pagination"]["has_more"]) == ([], True)
    assert [one["message_id"] for one in await listed(api, admin, "reason=expired")] == ["m-7"]


async def test_a_list_can_be_narrowed(api: Api, admin: str) -> None:
    log = api.record_log
    await delivery_letter(log, "m-1", "c-1", "expired")
    log.now_ms += 60_000
    await delivery_letter(log, "m-2", "c-2", "unavailable")
    log.now_ms += 60_000
    await letter(log, "status-updates", b"{", b"c-3")
    since, until = "2025-11-22T22:00:30Z", "2025-11-22T22:01:30Z"
    assert NOW_MS == 1_763_848_800_123  # 2025-11-22T22:00:00.123Z
    for query, expected in (
        ("reason=expired", ["m-1"]),
        ("topic=whatsapp-outbound", ["m-1", "m-2"]),
        ("topic=status-updates", [None]),
        ("conversation_id=c-2", ["m-2"]),
        (f"since={since}", ["m-2", None]),
        (f"until={until}", ["m-1", "m-2"]),
        (f"since={since}&until={until}", ["m-2"]),
        ("state=open", ["m-1", "m-2", None]),
        ("state=redriven", []),
        ("reason=nothing", []),
    ):
        assert [one["message_id"] for one in await listed(api, admin, query)] == expected, query
    for query in ("since=yesterday", "since=2025-11-22T22:00:30", "state=lost", "limit=0", "cursor=nonsense"):
        assert (await api.call("GET", f"{LETTERS}?{query}", token=admin)).status == 400, query


async def test_a_letter_is_shown_with_its_record_and_its_reason_in_words(api: Api, admin: str) -> None:
    letter_id = await delivery_letter(api.record_log)
    shown = await (await api.call("GET", f"{LETTERS}/{letter_id}", token=admin)).json()
    value = encode(request())
    assert base64.b64decode(shown["value_base64"]) == value
    assert shown["value_json"] == orjson.loads(value)
    assert base64.b64decode(shown["key_base64"]) == b"c-1"
    partition = partition_for(b"c-1", api.settings.partitions)
    assert (shown["topic"], shown["partition"], shown["offset"]) == ("whatsapp-outbound", partition, 17)
    assert (shown["attempts"], shown["conversation_id"], shown["message_id"]) == (3, "c-1", "m-1")
    assert shown["reason_text"] == "The message was not sent within its time."
    assert (shown["state"], shown["resolution"]) == ("open", None)


async def test_a_redriven_letter_shows_what_became_of_it(api: Api, admin: str) -> None:
    token = await api.somebody()
    body = Api.message(recipient_id="whatsapp:+5511999990000")
    message = await (await api.call("POST", "/v1/messages", body, token)).json()
    letter_id = await delivery_letter(api.record_log, message["message_id"])
    assert (await shown(api, admin, letter_id))["result"] is None
    await redrive(api, admin, letter_id)
    [command] = commands(api)
    result = (await shown(api, admin, letter_id))["result"]
    assert (result["outcome"], result["reason"], result["status"]) == ("unknown", None, "ACCEPTED")
    hop = TraceRecorded(message["message_id"], "c-1", "redrive", NOW_MS, "whatsapp", "whatsapp:+5511999990000")
    await api.traces.write([replace(hop, outcome="queued", reason="another"), replace(hop, event="attempt", at_ms=1)])
    assert (await shown(api, admin, letter_id))["result"]["outcome"] == "unknown"
    later = replace(hop, outcome="passed-over", reason=f"{command.command_id}: it was sent", at_ms=NOW_MS + 1)
    await api.traces.write([later])
    result = (await shown(api, admin, letter_id))["result"]
    assert (result["outcome"], result["reason"], result["failure"]) == ("passed-over", "it was sent", None)
    api.traces.available = False
    assert (await shown(api, admin, letter_id))["result"]["outcome"] == "unknown"


async def test_a_redrive_of_what_is_no_delivery_has_no_result(api: Api, admin: str) -> None:
    letter_id = await letter(api.record_log, "messages", b"{}")
    assert (await shown(api, admin, letter_id))["result"] is None


async def shown(api: Api, token: str, letter_id: str) -> dict[str, Any]:
    answer = await api.call("GET", f"{LETTERS}/{letter_id}", token=token)
    assert answer.status == 200
    return dict(await answer.json())


@pytest.mark.parametrize("value", [None, b"", b"\xff\x00", b"[" * 900 + b"]" * 900, b'"\\ud800"', b"{"])
async def test_bytes_that_are_no_json_are_shown_as_bytes(api: Api, admin: str, value: bytes | None) -> None:
    letter_id = await letter(api.record_log, "messages", value, b"\xff\xfe")
    shown = await (await api.call("GET", f"{LETTERS}/{letter_id}", token=admin)).json()
    assert shown["value_json"] is None
    assert shown["conversation_id"] is None
    assert (None if shown["value_base64"] is None else base64.b64decode(shown["value_base64"])) == value


async def test_what_is_no_dead_letter_on_the_topic_is_shown_all_the_same(api: Api, admin: str) -> None:
    await api.record_log.write("dead-letters", 0, b"k", b"noise")
    [shown] = await listed(api, admin)
    assert (shown["id"], shown["reason"]) == ("0-0", "unreadable-letter")
    assert "unknown topic" in (await redrive(api, admin, "0-0", status=409))["detail"]


@pytest.mark.parametrize("letter_id", ["0-0", "99-0", "0-01", "x", "0", "-1-0", "0--1", "9" * 30 + "-0"])
async def test_an_unknown_letter_is_404(api: Api, admin: str, letter_id: str) -> None:
    assert (await api.call("GET", f"{LETTERS}/{letter_id}", token=admin)).status == 404
    await redrive(api, admin, letter_id, status=404)


async def test_a_redrive_commands_the_channel_on_the_partition_of_the_conversation(api: Api, admin: str) -> None:
    letter_id = await delivery_letter(api.record_log)
    shown = await redrive(api, admin, letter_id, {"note": "the provider is back"})
    assert shown["state"] == "redriven"
    assert shown["resolution"]["is_done"]
    assert (shown["resolution"]["by"], shown["resolution"]["note"]) == ("maria", "the provider is back")
    [record] = api.record_log.values("whatsapp-commands")
    assert (record.partition, record.key) == (partition_for(b"c-1", api.settings.partitions), b"c-1")
    command = decode(record.value, ChannelCommand)
    assert (command.command, command.by, command.reason) == ("redrive", "maria", "the provider is back")
    assert (command.message_id, command.token, command.request) == ("m-1", "m-1", encode(request()))
    assert [one["id"] for one in await listed(api, admin, "state=redriven")] == [letter_id]
    assert await listed(api, admin, "state=open") == []


async def test_a_letter_is_redriven_once_unless_asked_again(api: Api, other_api: Api, admin: str) -> None:
    letter_id = await delivery_letter(api.record_log)
    first = (await redrive(api, admin, letter_id))["resolution"]
    assert (await redrive(api, admin, letter_id, {"note": "me too"}))["resolution"] == first
    discarded = await api.call("POST", f"{LETTERS}/{letter_id}/discard", token=admin)
    assert (await discarded.json())["resolution"] == first
    assert len(commands(api)) == 1
    again = (await redrive(api, admin, letter_id, {"again": True}))["resolution"]
    assert again["resolution_id"] != first["resolution_id"]
    assert len({command.command_id for command in commands(api)}) == 2


async def test_of_two_processes_one_redrives(two: tuple[Api, Api]) -> None:
    one, other = two
    token = await one.admin()
    letter_ids = [await delivery_letter(one.record_log, f"m-{n}", f"c-{n}") for n in range(10)]
    both = [api.call("POST", f"{LETTERS}/{n}/redrive", token=token) for n in letter_ids for api in (one, other)]
    assert {answer.status for answer in await asyncio.gather(*both)} <= {200, 423}
    assert sorted(command.message_id for command in commands(one)) == sorted(f"m-{n}" for n in range(10))


async def test_a_redrive_that_was_cut_short_goes_on_later_under_the_same_id(api: Api, admin: str) -> None:
    letter_id = await delivery_letter(api.record_log)
    api.record_log.fails_on = "whatsapp-commands"
    await redrive(api, admin, letter_id, status=503)
    api.record_log.fails_on = ""
    await redrive(api, admin, letter_id, status=423)
    assert not (await listed(api, admin))[0]["resolution"]["is_done"]
    api.clock.now_ms += RESUME_MS
    assert (await redrive(api, admin, letter_id))["resolution"]["is_done"]
    await redrive(api, admin, letter_id)
    assert len(commands(api)) == 1


async def test_a_message_that_the_channel_may_have_is_redriven_only_in_plain_words(api: Api, admin: str) -> None:
    letter_id = await delivery_letter(api.record_log, reason="outcome-unknown")
    assert "may_repeat" in (await redrive(api, admin, letter_id, status=409))["detail"]
    assert commands(api) == []
    await redrive(api, admin, letter_id, {"may_repeat": True})
    assert len(commands(api)) == 1


async def test_a_failure_that_the_worker_has_forgotten_is_not_redriven(api: Api, admin: str) -> None:
    api.record_log.now_ms -= int(api.settings.state_retention_hours * 3_600_000) + 1
    letter_id = await delivery_letter(api.record_log)
    assert "no longer knows" in (await redrive(api, admin, letter_id, status=409))["detail"]


async def test_facts_and_deliveries_that_can_be_read_now_are_written_to_their_topic_unchanged(
    api: Api, admin: str
) -> None:
    fact = encode(StatusChanged("m", "c-1", "SENT", 1, 1, 1, "whatsapp"))
    delivery = encode(request())
    for topic, value in (("status-updates", fact), ("whatsapp-outbound", delivery)):
        letter_id = await letter(api.record_log, topic, value)
        assert (await redrive(api, admin, letter_id))["state"] == "redriven"
        [record] = api.record_log.values(topic)
        assert (record.partition, record.key, record.value) == (partition_for(b"c-1", 6), b"c-1", value)
    assert commands(api) == []


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("messages", "another place in its conversation"),
        ("status-updates", "still cannot be read"),
        ("whatsapp-outbound", "still cannot be read"),
        ("whatsapp-commands", "is not redriven"),
    ],
)
async def test_what_cannot_be_redriven_says_why_and_can_be_discarded(
    api: Api, admin: str, topic: str, said: str
) -> None:
    letter_id = await letter(api.record_log, topic, b"{}")
    assert said in (await redrive(api, admin, letter_id, status=409))["detail"]
    assert api.record_log.values(RESOLUTIONS) == []
    answer = await api.call("POST", f"{LETTERS}/{letter_id}/discard", {"note": "noise"}, admin)
    assert (await answer.json())["state"] == "discarded"


async def test_a_set_is_redriven_in_the_order_of_each_conversation(api: Api, admin: str) -> None:
    for number in range(60):
        api.record_log.now_ms += 1
        await delivery_letter(api.record_log, f"m-{number}", f"c-{number % 9}", "unavailable")
    await delivery_letter(api.record_log, "m-other", "c-1", "expired")
    dry = await resolve(api, admin, reason="unavailable", dry_run=True)
    assert (dry["matched"], len(dry["resolved"]), dry["has_more"]) == (60, 60, False)
    assert commands(api) == []
    done = await resolve(api, admin, reason="unavailable")
    assert done["resolved"] == dry["resolved"]
    for partition in range(api.settings.partitions):
        records = [decode(r.value, ChannelCommand) for r in api.record_log.topics["whatsapp-commands", partition]]
        numbers = [int(command.message_id[2:]) for command in records]
        assert numbers == sorted(numbers)
    assert len(commands(api)) == 60
    again = await resolve(api, admin, reason="unavailable")
    assert (again["resolved"], len(again["already"]), len(commands(api))) == ([], 60, 60)
    # few records for many letters
    assert len(api.record_log.values(RESOLUTIONS)) <= 2 * api.settings.partitions


async def test_a_large_set_goes_on_by_its_cursor_and_does_not_chase_new_letters(
    api: Api, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "SET_LETTERS", 4)
    for number in range(10):
        await delivery_letter(api.record_log, f"m-{number}", f"c-{number}")
    body: dict[str, object] = {"all": True}
    resolved, rounds = [], 0
    while True:
        done = await resolve(api, admin, **body)
        resolved += done["resolved"]
        rounds += 1
        await delivery_letter(api.record_log, f"new-{rounds}", f"c-{rounds}")  # redriven, it failed once more
        if not done["has_more"]:
            break
        body["cursor"] = done["next_cursor"]
    assert (len(resolved), len(set(resolved)), rounds) == (10, 10, 3)
    assert len(await listed(api, admin, "state=open")) == rounds


async def test_a_set_tells_what_it_refused_and_goes_on(api: Api, admin: str) -> None:
    await delivery_letter(api.record_log, "m-1")
    refused = await letter(api.record_log, "messages", b"{")
    await delivery_letter(api.record_log, "m-2", reason="outcome-unknown")
    done = await resolve(api, admin, conversation_id="c-1")
    assert (len(done["resolved"]), len(done["refused"]), done["matched"]) == (1, 2, 3)
    assert done["refused"][0]["id"] == refused
    done = await resolve(api, admin, "discard", topic="messages", note="noise")
    assert done["resolved"] == [refused]
    records = [decode(record.value, DeadLetterResolved) for record in api.record_log.values(RESOLUTIONS)]
    assert [(one.action, one.is_done, one.reason) for one in records] == [
        ("redriven", False, ""),
        ("redriven", True, ""),
        ("discarded", False, "noise"),
    ]


@pytest.mark.parametrize(
    "body", [{}, {"dry_run": True}, {"all": False}, {"reasn": "expired", "all": True}, {"since": "x"}]
)
async def test_a_set_without_a_filter_must_be_meant(api: Api, admin: str, body: dict[str, object]) -> None:
    await delivery_letter(api.record_log)
    for verb in ("redrive", "discard"):
        assert (await api.call("POST", f"{LETTERS}/{verb}", body, admin)).status == 400
    assert api.record_log.values(RESOLUTIONS) == []


async def test_letters_that_retention_took_are_gone_and_a_cursor_goes_on_after_them(api: Api, admin: str) -> None:
    for number in range(4):
        await delivery_letter(api.record_log, f"m-{number}")
    page = await (await api.call("GET", f"{LETTERS}?limit=1", token=admin)).json()
    partition = partition_for(b"c-1", api.settings.partitions)
    api.record_log.first["dead-letters", partition] = 3
    cursor = page["pagination"]["next_cursor"]
    assert [one["message_id"] for one in await listed(api, admin, f"cursor={cursor}")] == ["m-3"]
    assert (await api.call("GET", f"{LETTERS}/{partition}-0", token=admin)).status == 404


async def test_without_kafka_it_is_503(api: Api, admin: str) -> None:
    letter_id = await delivery_letter(api.record_log)
    api.record_log.available = False
    assert (await api.call("GET", LETTERS, token=admin)).status == 503
    await redrive(api, admin, letter_id, status=503)


async def test_who_is_no_admin_gets_403_and_a_reason(api: Api) -> None:
    answer = await api.call("GET", LETTERS, token=await api.somebody())
    assert answer.status == 403
    assert "chat4all admin grant" in (await answer.json())["detail"]
