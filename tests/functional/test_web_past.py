"""``GET /v1/messages/{id}?as_of=…&known_at=…``: the state at a past moment, by two clocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agents.facts import read_fact
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from domain.ports import LogPosition, MirrorEntry
from domain.records import StatusChanged
from support.api import Api

PHONE = "whatsapp:+5511999990000"
PARTITION = partition_for(b"c-1", 6)


async def sent(api: Api, **changes: object) -> tuple[str, Mapping[str, Any]]:
    token = await api.somebody()
    answer = await api.call("POST", "/v1/messages", token=token, json=Api.message(recipient_id=PHONE, **changes))
    assert answer.status == 202
    return token, await answer.json()


async def happens(api: Api, message: Mapping[str, Any], status: str, at: int, logged: int, *, mirrored: bool) -> None:
    """A fact ``at`` so many milliseconds after the acceptance, on the log ``logged`` milliseconds after it."""
    accepted_ms = message["timestamp"]
    position = LogPosition(accepted_ms, api.log.records[-1][1].offset)
    change = StatusChanged(
        message["message_id"], "c-1", status, accepted_ms + at, accepted_ms, position.offset, "whatsapp", 1
    )
    api.record_log.now_ms = accepted_ms + logged
    await api.record_log.write("status-updates", PARTITION, b"c-1", encode(change))
    if mirrored:
        _, fact = read_fact(encode(change), accepted_ms + logged)
        entry = MirrorEntry(message["message_id"], "c-1", position, api.log.records[-1][0], [fact])
        await api.messages.write([entry])
        api.tailer.mirrored_facts[PARTITION] = len(api.record_log.topics["status-updates", PARTITION])


async def past(api: Api, token: str, message: Mapping[str, Any], **moment: int | str) -> Any:
    given = {name: message["timestamp"] + at if isinstance(at, int) else at for name, at in moment.items()}
    return await api.call("GET", f"/v1/messages/{message['message_id']}", token=token, params=given)


async def word(api: Api, token: str, message: Mapping[str, Any], **moment: int | str) -> str:
    answer = await past(api, token, message, **moment)
    assert answer.status == 200, await answer.text()
    return str((await answer.json())["status"])


@pytest.mark.parametrize("is_mirrored", [True, False], ids=["in Cassandra", "only in the log"])
async def test_the_two_clocks_tell_a_late_receipt_apart(api: Api, *, is_mirrored: bool) -> None:
    token, message = await sent(api)
    await happens(api, message, "SENT", 100, 110, mirrored=True)
    await happens(api, message, "READ", 200, 9_000, mirrored=is_mirrored)  # it was read at 200; known of at 9,000
    assert await word(api, token, message, as_of=50) == "ACCEPTED"
    assert await word(api, token, message, as_of=150) == "SENT"
    assert await word(api, token, message, as_of=400) == "READ"
    assert await word(api, token, message, as_of=400, known_at=400) == "SENT"
    assert await word(api, token, message, known_at=8_999) == "SENT"
    assert await word(api, token, message, known_at=9_000) == "READ"
    document = await (await past(api, token, message, as_of=150)).json()
    assert document["sent_at"] is not None
    assert document["read_at"] is None
    assert document["as_of"].endswith("Z")
    assert "known_at" not in document


async def test_before_its_acceptance_there_is_no_message(api: Api) -> None:
    token, message = await sent(api)
    for moment in ({"as_of": -1}, {"known_at": -1}, {"as_of": 5_000, "known_at": -1}):
        answer = await past(api, token, message, **moment)
        assert answer.status == 404
    assert await word(api, token, message, as_of=0) == "ACCEPTED"


@pytest.mark.parametrize("time", ["2099-01-01T00:00:00Z", "2099-01-01T02:00:00+02:00", "4070908800000"])
async def test_a_time_is_iso_8601_or_epoch_milliseconds(api: Api, time: str) -> None:
    token, message = await sent(api)
    assert (await (await past(api, token, message, as_of=time)).json())["as_of"] == "2099-01-01T00:00:00.000Z"


async def test_every_invalid_time_is_named(api: Api) -> None:
    token, message = await sent(api)
    answer = await past(api, token, message, as_of="yesterday", known_at="2026-11-28T14:03:00")
    assert answer.status == 400
    assert {error["field"] for error in (await answer.json())["errors"]} == {"as_of", "known_at"}


async def test_only_participants_see_the_past(api: Api) -> None:
    _, message = await sent(api)
    answer = await past(api, await api.somebody(), message, as_of=0)
    assert answer.status == 404


async def test_while_a_view_that_may_hold_a_fact_is_away_there_is_no_guess(api: Api) -> None:
    token, message = await sent(api)
    await happens(api, message, "SENT", 100, 110, mirrored=True)
    for outage in (api.messages, api.record_log, api.tailer):
        outage.available = False
        assert (await past(api, token, message, as_of=150)).status == 503
        outage.available = True
    assert await word(api, token, message, as_of=150) == "SENT"


async def test_a_mirror_far_behind_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.messages.past.MOST_RECORDS", 1)
    token, message = await sent(api)
    await happens(api, message, "SENT", 100, 110, mirrored=False)
    await happens(api, message, "READ", 200, 210, mirrored=False)
    assert (await past(api, token, message, as_of=150)).status == 503
