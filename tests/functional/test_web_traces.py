"""``GET /v1/messages/{id}/trace``: hops from the log, from Cassandra and from the facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from domain.records import DeliveryRequested, ReceiptReported, StatusChanged
from domain.traces import TraceRecorded
from support.api import Api
from web.messages import traces

PHONE = "whatsapp:+5511999990000"
PARTITION = partition_for(b"c-1", 6)


async def sent(api: Api) -> tuple[str, Mapping[str, Any]]:
    """A message to a phone."""
    token = await api.somebody()
    body = Api.message(recipient_id=PHONE)
    answer = await api.call("POST", "/v1/messages", token=token, json=body)
    document: Mapping[str, Any] = await answer.json()
    return token, document


async def happens(api: Api, message: Mapping[str, Any]) -> StatusChanged:
    """The message is queued, tried twice, sent, and delivered: as the workers write it."""
    message_id, accepted_ms = message["message_id"], message["timestamp"]
    log = api.record_log
    request = DeliveryRequested(message_id, "c-1", "u", PHONE, "hi", None, accepted_ms, 0)
    other = replace(request, message_id="m-other")
    fact = StatusChanged(message_id, "c-1", "SENT", accepted_ms + 2_000, accepted_ms, 0, "whatsapp", 2, "wamid.1")
    receipt = ReceiptReported(
        "main", "wamid.1", message_id, "DELIVERED", accepted_ms + 3_000, pricing='{"billable":true}'
    )
    for n, (topic, record) in enumerate(
        [
            ("whatsapp-outbound", other),
            ("whatsapp-outbound", request),
            ("status-updates", replace(fact, message_id="m-other")),
            ("status-updates", fact),
            ("whatsapp-events", receipt),
        ]
    ):
        log.now_ms = accepted_ms + n
        await log.write(topic, PARTITION, b"c-1", encode(record))
    await log.write("whatsapp-events", PARTITION, b"c-1", b"not a record that names " + message_id.encode())
    hop = TraceRecorded(message_id, "c-1", "attempt", accepted_ms + 500, "whatsapp", PHONE, "main", attempt=1)
    refused = replace(
        hop,
        topic="whatsapp-outbound",
        partition=PARTITION,
        offset=1,
        duration_ms=120,
        connect_ms=3,
        first_byte_ms=90,
        outcome="not-now",
        reason="too many messages",
        provider_status=429,
        answer='{"error":{"code":130429}}',
    )
    waiting = replace(hop, event="waiting", at_ms=accepted_ms + 700, reason="throttled", duration_ms=1_000)
    await api.traces.write([waiting, refused])
    return fact


async def trace_of(api: Api, token: str, message: Mapping[str, Any]) -> list[dict[str, Any]]:
    answer = await api.call("GET", f"/v1/messages/{message['message_id']}/trace", token=token)
    assert answer.status == 200
    events: list[dict[str, Any]] = (await answer.json())["events"]
    return events


async def test_every_hop_is_shown_with_its_place_in_the_log(api: Api) -> None:
    token, message = await sent(api)
    fact = await happens(api, message)
    position = api.recent.get(message["message_id"]).position  # type: ignore[union-attr]
    api.recent.add_fact(replace(fact, accepted_at_ms=position.accepted_at_ms, position=position.offset))
    events = await trace_of(api, token, message)
    found = [(one["event"], one["topic"], one["offset"]) for one in events]
    assert found[0][:2] == ("ACCEPTED", "messages")
    assert ("QUEUED", "whatsapp-outbound", 1) in found
    assert ("RECEIPT", "whatsapp-events", 0) in found
    assert ("SENT", "status-updates", 1) in found
    attempt = next(one for one in events if one["event"] == "ATTEMPT")
    assert {name: attempt[name] for name in ("attempt", "account", "outcome", "reason", "provider_status")} == {
        "attempt": 1,
        "account": "main",
        "outcome": "not-now",
        "reason": "too many messages",
        "provider_status": "429",
    }
    assert (attempt["duration_ms"], attempt["connect_ms"], attempt["first_byte_ms"]) == (120, 3, 90)
    assert "130429" in attempt["answer"]
    waiting = next(one for one in events if one["event"] == "WAITING")
    assert (waiting["reason"], waiting["duration_ms"]) == ("throttled", 1_000)
    assert [one["timestamp"] for one in events] == sorted(one["timestamp"] for one in events)
    assert all("m-other" not in str(one) for one in events)


@pytest.mark.parametrize("away", ["traces", "record_log"])
async def test_while_a_source_is_away_the_others_are_shown(api: Api, away: str) -> None:
    token, message = await sent(api)
    await happens(api, message)
    getattr(api, away).available = False
    events = {one["event"] for one in await trace_of(api, token, message)}
    assert events == {"ACCEPTED"} | ({"QUEUED", "RECEIPT"} if away == "traces" else {"ATTEMPT", "WAITING"})


async def test_the_log_is_searched_within_a_bound(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    token, message = await sent(api)
    monkeypatch.setattr(traces, "MOST_RECORDS", 1)
    await happens(api, message)
    assert "QUEUED" not in {one["event"] for one in await trace_of(api, token, message)}


async def test_nobody_outside_the_conversation_sees_a_trace(api: Api) -> None:
    _, message = await sent(api)
    answer = await api.call("GET", f"/v1/messages/{message['message_id']}/trace", token=await api.somebody())
    assert answer.status == 404
