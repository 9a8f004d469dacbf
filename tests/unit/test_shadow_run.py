"""`replay run`: a recording through today's code; a change of behaviour is a difference that is accepted or mended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agents import shadow_run
from agents.shadow_log import ShadowLog
from agents.shadow_recording import compared, line_of, read
from agents.shadow_run import Outcome, ShadowRun, changes
from app.kafka.codec import encode
from app.kafka.topics import Topics
from app.replay.entries import LogRecord
from domain import routing
from domain.errors import InvalidInput
from domain.ports import LogPosition
from domain.records import MessageAccepted, Record
from domain.status import Status

RECORDING = Path(__file__).parents[1] / "recordings" / "messages.jsonl"
MESSAGE = MessageAccepted("m-1", "c-1", "u", "whatsapp:+5511999990000", "hi")
AT = LogPosition(1_763_848_800_000, 7)


async def test_the_committed_recording_has_the_outcomes_of_todays_code() -> None:
    found, anew = await compared(RECORDING.read_bytes().splitlines(keepends=True))
    how = "`chat4all replay run --recording tests/recordings/messages.jsonl --accept` accepts these changes"
    assert not found, "\n".join([*map(str, found), how])
    assert b"".join(anew) == RECORDING.read_bytes()
    assert len(anew) > 40


async def test_a_changed_degradation_shows_as_another_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow_run, "degraded", lambda request, _: replace(request, content=request.content.upper()))
    found, _ = await compared([line_of(MESSAGE, AT, as_recorded())])
    assert [str(one) for one in found] == [
        "text: message m-1 to whatsapp:+5511999990000: text 'hi' → text 'HI'",
    ]


def as_recorded() -> list[Outcome]:
    return [Outcome("whatsapp:+5511999990000", "whatsapp", "", "text", "hi", "READ")]


def test_each_kind_of_change_is_named() -> None:
    one = Outcome("a", "whatsapp", "main", "text", "hi", "READ")
    others = [
        replace(one, channel="telegram"),
        replace(one, account="second"),
        replace(one, text="ho"),
        replace(one, status="FAILED", code="refused"),
    ]
    assert [change.what for other in others for change in changes("m", [one], [other])] == [
        "route",
        "route",
        "text",
        "status",
    ]
    assert [str(change) for change in changes("m", [one], [])] == ["route: message m to a: whatsapp by main → no route"]
    assert list(changes("m", [one], [one])) == []


async def test_retries_end_as_the_delivery_ends_them() -> None:
    throttled, refused, silent = ("+12025550103", "+12025550101", "+12025550104")
    run = ShadowRun()
    words = []
    for number in (throttled, refused, silent):
        (one,) = await run.outcomes(replace(MESSAGE, recipient_id=f"whatsapp:{number}"), AT)
        words.append((one.status, one.code))
    assert words == [("READ", ""), ("FAILED", "refused"), ("SENT", "")]


async def test_a_persons_message_goes_nowhere() -> None:
    assert await ShadowRun().outcomes(replace(MESSAGE, direction="inbound"), AT) == []


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"at_ms":1,"offset":1,"message":{},"outcomes":[]}', b"x" * (1 << 21)])
def test_a_line_that_cannot_be_read_is_named(line: bytes) -> None:
    good = line_of(MESSAGE, AT, [])
    with pytest.raises(InvalidInput, match="line 2"):
        list(read([good, line]))


def logged(topic: str, offset: int, record: Record) -> LogRecord:
    return LogRecord(topic, 0, offset, AT.accepted_at_ms + offset, b"c-1", encode(record))


async def test_the_log_is_compared_by_route_text_and_failure() -> None:
    log = ShadowLog(Topics(), AT.accepted_at_ms + 100)
    (_, request), *_ = routing.decide(MESSAGE, AT).requests
    sent = routing.status_change(request, "whatsapp", Status.SENT, AT.accepted_at_ms + 5, 1)
    log.add(logged("messages", 7, MESSAGE))
    log.add(logged("whatsapp-outbound", 0, request))
    log.add(logged("status-updates", 0, sent))
    log.add(logged("messages", 101, replace(MESSAGE, message_id="m-late")))
    assert await log.changes() == []
    assert list(log.messages) == ["m-1"]
    refused = routing.status_change(request, "whatsapp", Status.FAILED, AT.accepted_at_ms + 5, 1, None, "131026")
    for message_id, facts, requests in (
        ("m-other-route", [sent], [("telegram-outbound", request)]),
        ("m-other-text", [sent], [("whatsapp-outbound", replace(request, content="ho"))]),
        ("m-failed", [refused], [("whatsapp-outbound", request)]),
        ("m-waits", [], [("whatsapp-outbound", request)]),
    ):
        log.add(logged("messages", 7, replace(MESSAGE, message_id=message_id)))
        for topic, one in requests:
            log.add(logged(topic, 0, replace(one, message_id=message_id)))
        for fact in facts:
            log.add(logged("status-updates", 0, replace(fact, message_id=message_id)))
    assert [(one.message_id, one.what, one.before, one.after) for one in await log.changes()] == [
        ("m-other-route", "route", "telegram", "whatsapp"),
        ("m-other-text", "text", "text 'ho'", "text 'hi'"),
        ("m-failed", "status", "FAILED 131026", "taken"),
    ]
