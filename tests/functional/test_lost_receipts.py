"""Receipts that never came are found in the channel's history."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from agents import lost_receipts as module
from agents.account_choice import AccountChoice
from agents.lost_receipts import ASKED_AFTER_SECONDS, LostReceipts
from app.faust.stream_app import StreamApp
from app.kafka.codec import decode
from domain.attempts import Attempt, Outcome
from domain.errors import Unavailable
from domain.ports import Receipt
from domain.records import ReceiptReported
from domain.status import Status
from support.fakes import FakeApp, FakeBatchProducer

FIRST, LAST = ASKED_AFTER_SECONDS


class Historian:
    """A connector that knows what became of messages. ``asked``: the provider ids of the questions."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.asked: list[str] = []
        self.error: Exception | None = None

    async def history(self, provider_id: str) -> Sequence[Receipt]:
        self.asked.append(provider_id)
        if self.error is not None:
            raise self.error
        return self.receipts


class Memory:
    """The memory of one worker, on a clock of the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(module, "monotonic", lambda: self.now)
        self.channel = Historian()
        self.app = FakeApp()
        self.app.batch_producer = self.producer = FakeBatchProducer()
        lanes = {"main": SimpleNamespace(connector=self.channel), "plain": SimpleNamespace(connector=object())}
        choice = cast("AccountChoice", SimpleNamespace(lanes=lanes))
        self.lost = LostReceipts(cast("StreamApp", self.app), "whatsapp", choice)

    def taken(self, name: str, account: str = "main", provider_id: str | None = "wamid.1") -> None:
        attempt = Attempt(1, Outcome.SENT, 1, provider_id, None, None, 1, 1, 1, 1, account)
        self.lost.taken(2, "c-1", name, attempt)

    async def passes(self, seconds: float) -> int:
        """Let time pass, and ask about what is due; return how many."""
        self.now += seconds
        due = self.lost.due(self.now)
        for awaited in due:
            await self.lost.ask(awaited)
        return len(due)

    def reports(self) -> list[ReceiptReported]:
        return [decode(value, ReceiptReported) for _, _, _, value in self.producer.records]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    return Memory(monkeypatch)


async def test_a_message_without_receipts_is_asked_about_and_what_is_missing_is_reported(memory: Memory) -> None:
    memory.channel.receipts = [Receipt(Status.SENT, 1), Receipt(Status.DELIVERED, 2), Receipt(Status.READ, 3)]
    memory.taken("m-1")
    assert await memory.passes(FIRST - 1) == 0
    assert await memory.passes(1) == 1
    assert [(one.token, one.status, one.at_ms) for one in memory.reports()] == [
        ("m-1", "DELIVERED", 2),
        ("m-1", "READ", 3),
    ]
    assert {(key, partition) for _, partition, key, _ in memory.producer.records} == {(b"c-1", 2)}


async def test_it_is_asked_twice_at_most_and_not_at_all_if_delivered_came(memory: Memory) -> None:
    memory.taken("silent")
    memory.taken("delivered")
    memory.lost.came(2, "delivered", "DELIVERED")
    assert await memory.passes(FIRST) == 1
    assert await memory.passes(LAST - FIRST) == 1
    assert await memory.passes(10_000) == 0


async def test_while_receipts_are_known_to_be_lost_what_was_delivered_is_asked_about_too(memory: Memory) -> None:
    memory.taken("silent")
    memory.taken("delivered")
    memory.lost.came(2, "delivered", "DELIVERED")
    memory.channel.receipts = [Receipt(Status.DELIVERED, 2)]
    assert await memory.passes(FIRST) == 1
    memory.channel.receipts = [Receipt(Status.DELIVERED, 2), Receipt(Status.READ, 3)]
    assert await memory.passes(LAST - FIRST) == 2
    assert [(one.token, one.status) for one in memory.reports()] == [
        ("silent", "DELIVERED"),
        ("silent", "READ"),
        ("delivered", "READ"),
    ]


async def test_what_was_read_is_asked_about_no_more(memory: Memory) -> None:
    memory.taken("m-1")
    memory.lost.came(2, "m-1", "READ")
    assert await memory.passes(LAST) == 0


async def test_only_channels_with_a_history_and_an_id_are_asked(memory: Memory) -> None:
    memory.taken("m-1", account="plain")
    memory.taken("m-2", provider_id=None)
    memory.taken("m-3", account="gone")
    assert await memory.passes(LAST) == 0


@pytest.mark.parametrize("error", [Unavailable("not now"), TimeoutError(), RuntimeError("a bug")])
async def test_an_error_of_the_channel_is_forgotten_and_the_next_time_counts(memory: Memory, error: Exception) -> None:
    memory.channel.error = error
    memory.taken("m-1")
    assert await memory.passes(FIRST) == 1
    memory.channel.error, memory.channel.receipts = None, [Receipt(Status.READ, 3)]
    assert await memory.passes(LAST - FIRST) == 1
    assert [one.status for one in memory.reports()] == ["READ"]


async def test_the_memory_is_bounded_and_goes_with_the_partitions(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 3)
    for number in range(5):
        memory.taken(f"m-{number}", provider_id=f"wamid.{number}")
    await memory.passes(FIRST)
    assert memory.channel.asked == ["wamid.2", "wamid.3", "wamid.4"]
    memory.lost.clear()
    assert await memory.passes(LAST) == 0


async def test_plans_for_what_is_not_awaited_any_more_are_bounded(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 3)
    for number in range(50):  # no look meanwhile: the channel does not answer the questions under way
        memory.taken(f"m-{number}", provider_id=f"wamid.{number}")
        assert len(memory.lost._due) <= 6
    await memory.passes(FIRST)
    assert memory.channel.asked == ["wamid.47", "wamid.48", "wamid.49"]


async def test_a_look_asks_about_a_bounded_number(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ASKED", 2)
    for number in range(5):
        memory.taken(f"m-{number}")
    assert [await memory.passes(FIRST), await memory.passes(0), await memory.passes(0)] == [2, 2, 1]


async def test_a_failure_that_is_found_has_its_code(memory: Memory) -> None:
    memory.taken("m-1")
    memory.channel.receipts = [Receipt(Status.FAILED, 5, "undeliverable", "(131026)")]
    await memory.passes(ASKED_AFTER_SECONDS[0])
    [report] = memory.reports()
    assert (report.status, report.failure_code, report.failure_detail) == ("FAILED", "undeliverable", "(131026)")
