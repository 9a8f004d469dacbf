"""What flows through the system, for operators: rates, delays, lag, the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from domain.message_state import MessageState, Status
from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from fakes.lag import FakeLag
from fakes.message_log import NOW_MS
from support.api import Api
from web.flow.ledger import balance_in
from web.flow.recorder import DELAYS_SECONDS, KEPT_SECONDS, MOST_DELAYS, FlowRecorder
from web.flow.service import FlowService
from web.history.published_state import PublishedState

FLOW = "/v1/admin/flow"


@dataclass
class Nobody:
    """Receives what the recorder hands on."""

    calls: list[str] = field(default_factory=list)

    def on_message(self, *_: object) -> None:
        self.calls.append("message")

    def wants(self, conversation_id: str) -> bool:
        return False

    def on_unread(self, *_: object) -> None:
        pass

    def on_status(self, *_: object) -> None:
        self.calls.append("status")

    def reached(self, *_: object) -> None:
        self.calls.append("reached")


def recorder(now_ms: int = NOW_MS) -> FlowRecorder:
    return FlowRecorder(Nobody(), lambda: now_ms)


def told(one: FlowRecorder, id: str, status: Status, at_ms: int, accepted_at_ms: int = NOW_MS - 2_000) -> None:
    change = StatusChanged(id, "c-1", str(status), at_ms, accepted_at_ms, 0, "whatsapp")
    one.on_status(0, 0, change, PublishedState(MessageState(**{f"{status.lower()}_at_ms": at_ms})), at_ms)


def accepted(one: FlowRecorder, id: str, at_ms: int) -> None:
    one.on_message(0, 0, MessageAccepted(id, "c-1", "u-1", "whatsapp:+5511999990000", "hi"), LogPosition(at_ms, 0))


def test_each_second_has_its_counts_and_records_go_on_to_the_next_listener() -> None:
    one = recorder()
    accepted(one, "m-1", NOW_MS - 1_000)
    accepted(one, "m-2", NOW_MS)
    told(one, "m-1", Status.SENT, NOW_MS)
    told(one, "m-2", Status.FAILED, NOW_MS)
    one.reached(0, 1)
    second = NOW_MS // 1_000
    assert [(each.at_s, tuple(each.counts)) for each in one.seconds(0)] == [
        (second - 1, (1, 0, 0, 0, 0)),
        (second, (1, 1, 0, 0, 1)),
    ]
    assert [each.at_s for each in one.seconds(second - 1)] == [second]
    assert one._following.calls == ["message", "message", "status", "status", "reached"]  # type: ignore[attr-defined]


def test_delays_count_from_the_acceptance_to_the_log() -> None:
    one = recorder()
    for n in range(100):
        told(one, f"m-{n}", Status.SENT, NOW_MS - 2_000 + n)
    assert one.percentiles() == {Status.SENT: [50, 95, 99]}


def test_what_an_earlier_life_wrote_is_not_counted_and_memory_is_bounded() -> None:
    one = recorder()
    accepted(one, "old", NOW_MS - KEPT_SECONDS * 1_000 - 1_000)
    told(one, "old", Status.READ, NOW_MS - DELAYS_SECONDS * 1_000 - 1)
    assert one.percentiles() == {}
    assert sum(sum(each.counts) for each in one.seconds(0)) == 1
    for n in range(MOST_DELAYS + 5):
        told(one, f"m-{n}", Status.READ, NOW_MS)
    assert len(one._delays[Status.READ]) == MOST_DELAYS


def test_the_balance_is_read_from_the_metrics_of_the_ledger() -> None:
    text = (
        "# HELP chat4all_ledger_difference x\n"
        'chat4all_ledger_deliveries{state="accepted"} 12\n'
        'chat4all_ledger_deliveries{state="sent"} 11.0\n'
        "chat4all_ledger_difference 1\n"
        "chat4all_ledger_age_seconds{} 0.5\n"
    )
    assert balance_in(text) == {"accepted": 12, "sent": 11, "difference": 1, "age_seconds": 0.5}
    assert balance_in("chat4all_other 1") is None


async def test_an_admin_sees_the_flow_and_nobody_else(api: Api) -> None:
    assert (await api.call("GET", FLOW, token=await api.somebody())).status == 403
    admin = await api.admin()
    api.lag.lag = {("core", "messages"): 3, ("mirror", "messages"): 0}
    accepted(api.services.flow.recorder, "m-1", NOW_MS)
    told(api.services.flow.recorder, "m-1", Status.SENT, NOW_MS)
    document = await shown(api, admin)
    assert document["percentiles"]["SENT"] == {"p50": 2_000, "p95": 2_000, "p99": 2_000}
    assert document["seconds"][-1]["accepted"] >= 1
    assert document["lag"][0] == {"role": "core", "topic": "messages", "records": 3}
    assert document["ledger"] is None


@pytest.mark.parametrize("lag", [None, {}])
async def test_without_kafka_the_rest_is_shown(api: Api, lag: Mapping[tuple[str, str], int] | None) -> None:
    api.lag.lag = lag
    assert not (await shown(api, await api.admin()))["lag"]


async def test_several_pages_share_one_reading_of_the_lag() -> None:
    lag, now = FakeLag({("core", "messages"): 1}), [0.0]

    async def balance() -> None:
        return None

    service = FlowService(recorder(), lag, balance, lambda: NOW_MS, lambda: now[0])
    await service.flow(0)
    await service.flow(0)
    assert lag.reads == 1
    now[0] = 1.0
    await service.flow(0)
    assert lag.reads == 2


async def shown(api: Api, token: str) -> dict[str, Any]:
    answer = await api.call("GET", FLOW, token=token)
    assert answer.status == 200, await answer.text()
    document: dict[str, Any] = await answer.json()
    return document
