"""What a worker's metrics show is so now: no partitions that went, no deliveries that are over, no success twice."""

from __future__ import annotations

import asyncio
import inspect
from collections import defaultdict
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from aioprometheus import Counter
from faust.types import TP

from agents.account_reports import AccountReports
from agents.route import route_batch
from agents.track_status import fold_batch
from app.faust.watchdog import Watchdog
from app.histograms import MOST_LABEL_SETS
from app.kafka.codec import encode
from app.loop_delay import PERIOD_SECONDS, measure
from app.metrics import Metrics
from domain.accounts import Account
from domain.allowance import Allowance
from domain.breaker import BreakerRules
from domain.outcomes import NotNow, Refused, Unknown
from domain.records import AccountReport, MessageAccepted
from support.deliveries import World, requests
from support.fakes import FakeApp, FakeTable, batch_of
from support.waiting import pass_time, until, wait_until
from tests.unit.consumer_on_paper import TPS, assign, make_consumer, revoke

Watched = tuple[Any, Watchdog]  # the app, a fake in parts, and its watchdog
OURS, UNKNOWN, THEIRS = TP("messages", 0), TP("messages", 1), TP("messages", 2)


def shown(metrics: Metrics, name: str) -> dict[str, float]:
    """The samples of a metric by their labels, without that of the role."""
    found = {}
    for line in metrics.render(["text/plain"])[0].decode().splitlines():
        sample, _, value = line.rpartition(" ")
        if sample.split("{")[0] == f"chat4all_{name}":
            labels = [label for label in sample.partition("{")[2].rstrip("}").split(",") if "role=" not in label]
            found[",".join(sorted(labels))] = float(value)
    return found


class Consumer:
    """Holds two partitions, and knows where it is in one of them."""

    def __init__(self) -> None:
        self._committed_offset: dict[TP, int | None] = defaultdict(lambda: None, {OURS: 5, THEIRS: 1})
        self.held = {OURS, UNKNOWN}
        self.during_look_up: Any = None

    def assignment(self) -> set[TP]:
        return set(self.held)

    def _is_changelog_tp(self, tp: TP) -> bool:
        return False

    async def highwaters(self, *tps: TP) -> dict[TP, int]:
        if self.during_look_up is not None:
            self.during_look_up()
        return dict.fromkeys(tps, 1_000_000)


@pytest.fixture
async def watched() -> Watched:
    app: Any = FakeApp(watchdog_seconds=30)
    app.consumer, app.metrics = Consumer(), Metrics("core")
    app.tables = SimpleNamespace(recovery=SimpleNamespace(active_offsets={}))
    return app, Watchdog(app)


async def test_lag_is_that_of_the_partitions_whose_position_is_known(watched: Watched) -> None:
    app, watchdog = watched
    assert await watchdog._lag() == 999_995 + 1
    assert shown(app.metrics, "lag_records") == {'partition="0",topic="messages"': 999_995}


async def test_the_lag_of_a_partition_that_went_is_shown_no_more(watched: Watched) -> None:
    app, watchdog = watched
    await watchdog._lag()
    app.consumer.held = {THEIRS}
    await watchdog._lag()
    assert shown(app.metrics, "lag_records") == {'partition="2",topic="messages"': 999_999}
    app.consumer.held = set()
    assert await watchdog._lag() == 0
    assert shown(app.metrics, "lag_records") == {}


async def test_the_lag_of_a_partition_that_goes_during_the_look_up_is_not_shown(watched: Watched) -> None:
    app, watchdog = watched
    app.consumer.during_look_up = app.consumer.held.clear
    assert await watchdog._lag() == 0
    assert shown(app.metrics, "lag_records") == {}


async def test_with_the_partitions_their_lag_goes_at_once(tmp_path: Path) -> None:
    consumer, _broker, _ = make_consumer(tmp_path)
    await assign(consumer)
    metrics = consumer.app.metrics
    metrics.lags(dict.fromkeys(TPS, 7))
    assert shown(metrics, "lag_records")
    await revoke(consumer)
    assert shown(metrics, "lag_records") == {}


def counted(world: World) -> Metrics:
    """Put real metrics into the world."""
    metrics = Metrics("whatsapp")
    metrics.watch_in_flight(lambda: world.dispatcher.scheduler.in_flight)
    metrics.watch_accounts(lambda: AccountReports(world.app, "whatsapp", world.dispatcher, world.choice).reports())  # type: ignore[arg-type]
    world.app.metrics = metrics  # type: ignore[assignment]
    return metrics


async def test_deliveries_in_hand_are_those_of_the_moment() -> None:
    world = World()
    metrics = counted(world)
    world.channel.open.clear()
    await world.deliver(requests("m-1", "m-2", conversation="a"))
    await world.deliver(requests("m-3", conversation="b", start=2))
    assert shown(metrics, "in_flight") == {"": 2}, "m-2 waits for its turn"
    world.channel.open.set()
    await until(lambda: world.is_done() and shown(metrics, "in_flight") == {"": 0})


async def test_deliveries_that_went_with_their_partitions_are_in_hand_no_more() -> None:
    world = World()
    metrics = counted(world)
    world.producer.held = True  # no attempt is on record yet, so it is taken back
    delivering = asyncio.create_task(world.deliver(requests("m-1", "m-2", conversation="a")))
    await until(lambda: shown(metrics, "in_flight") == {"": 1})
    await world.app.drain()
    assert shown(metrics, "in_flight") == {"": 0}
    world.producer.release()
    await delivering


async def test_the_metrics_of_a_role_that_delivers_show_what_is_in_hand_without_being_told() -> None:
    world = World()
    seen: list[Any] = []
    world.app.metrics = SimpleNamespace(watch_in_flight=seen.append)  # type: ignore[assignment]
    world.make_dispatcher()
    assert seen[0]() == 0


async def test_a_success_and_a_failure_are_counted_once_however_often_their_messages_come() -> None:
    world = World()
    metrics = counted(world)
    world.channel.answers["m-2"] = [Refused("blocked", "the person blocked this number")]
    for _ in range(3):
        await world.deliver(requests("m-1", "m-2"))
        await until(world.is_done)
    assert world.facts().count(("m-1", "SENT")) == 3, "the fact is told again each time"
    assert shown(metrics, "messages_sent_total") == {
        'channel="whatsapp",status="success"': 1,
        'channel="whatsapp",status="failure"': 1,
    }


async def test_a_message_inside_the_system_is_counted_once_however_often_it_comes() -> None:
    app: Any = FakeApp()
    app.metrics = Metrics("core")
    table: Any = FakeTable(app.batch_producer)
    message = encode(MessageAccepted("m-1", "c-1", "u-1", "internal:0193b5a0-0000-7000-8000-000000000001", "hi"))
    for _ in range(3):
        await route_batch(app, batch_of("messages", message))
        facts = app.batch_producer.on("status-updates")
        fold_batch(app, table, batch_of("status-updates", *facts))
    assert shown(app.metrics, "messages_sent_total") == {'channel="internal",status="success"': 1}


async def test_records_that_are_redelivered_after_a_rebalance_are_counted_when_they_count() -> None:
    from app.faust.checkpoint import Checkpoint

    app: Any = FakeApp()
    app.metrics = Metrics("core")
    checkpoint = Checkpoint(app, "route")
    batch = batch_of("messages", b"1", b"2")
    app.consumer.epoch += 1
    await checkpoint.when_durable(batch, [])
    await checkpoint.drain()
    assert app.consumer.completed == []
    assert shown(app.metrics, "events_total") == {}


async def test_the_accounts_of_a_worker_are_shown_with_what_waits_and_why() -> None:
    world = World(Account(channel="whatsapp", breaker=BreakerRules(least_calls=3, failure_share=0.3), per_second=600.0))
    metrics = counted(world)
    world.channel.answers = {"m-1": [Refused("blocked", "")], "m-2": [NotNow("busy", 60.0)], "m-3": [Unknown("broke")]}
    for n in range(1, 5):
        await world.deliver(requests(f"m-{n}", conversation=f"c-{n}", start=n))
        await until(lambda n=n: len(world.channel.calls) == min(n, 3))  # type: ignore[misc]
    account = 'account="default"'
    await until(lambda: shown(metrics, "breaker") == {f'{account},state="open"': 1})
    assert shown(metrics, "waiting_heads") == {
        f'{account},reason="retry"': 1,
        f'{account},reason="evidence"': 1,
        f'{account},reason="breaker"': 1,
    }
    await until(lambda: shown(metrics, "queue_depth") == {account: 3})
    assert shown(metrics, "account_in_flight") == {account: 0}
    assert shown(metrics, "allowance_per_second") == {account: 100}
    assert shown(metrics, "account_paused") == {account: 0}
    overtaken = shown(metrics, "overtaken_total")
    assert overtaken == {f'{account},channel="whatsapp"': 0}, "a dashboard shows what may happen before it does"
    assert shown(metrics, "attempts_total") == {
        f'{account},channel="whatsapp",outcome="{outcome}"': 1 for outcome in ("refused", "not-now", "unknown")
    }


def test_labels_are_bounded() -> None:
    metrics = Metrics("whatsapp")
    reports = [
        AccountReport("whatsapp", f"a-{n}", 0, "closed", False, 1, 0, 0.0, 0, waiting_by={"turn": 1})
        for n in range(2 * MOST_LABEL_SETS)
    ]
    metrics.watch_accounts(lambda: reports)
    for report in reports:
        metrics.attempted("whatsapp", report.account, "sent", 0.1)
        metrics.dead_letter("whatsapp-outbound", report.account)
    for name in ("queue_depth", "waiting_heads", "attempts_total", "dead_letters_total"):
        samples = shown(metrics, name)
        assert len(samples) == MOST_LABEL_SETS + 1
        assert sum(samples.values()) == 2 * MOST_LABEL_SETS, "nothing is left out: the rest is counted as other"


RECORDS = "Sequence[ConsumerRecord]"  # an annotation


def distinct_calls(metrics: Metrics) -> list[str]:
    """Call each method that counts by texts with ever new texts; return their names."""
    called = []
    for name, method in inspect.getmembers(metrics, inspect.ismethod):
        parameters = [p for p in inspect.signature(method).parameters.values() if p.default is p.empty]
        kinds = [str(p.annotation) for p in parameters]
        if name.startswith(("_", "watch")) or not kinds or set(kinds) - {"str", "int", "float", RECORDS}:
            continue
        values: dict[str, Any] = {"int": 1, "float": 0.1, RECORDS: [SimpleNamespace(timestamp=0)]}
        for n in range(2 * MOST_LABEL_SETS):
            method(*(values.get(kind, f"{name}-{n}") for kind in kinds))
        called.append(name)
    return called


def test_no_metric_of_a_worker_has_more_sets_of_labels_than_its_bound() -> None:
    metrics = Metrics("whatsapp")
    called = distinct_calls(metrics)
    assert {"sent", "attempted", "dead_letter", "removed_unread", "completed", "carried", "passed_over"} <= set(called)
    metrics.render(["text/plain"])
    for collector in metrics.registry.get_all():
        assert len(collector.get_all()) <= MOST_LABEL_SETS + 1, collector.name


def test_a_metric_without_a_bound_would_be_noticed() -> None:
    metrics = Metrics("whatsapp")
    Counter("chat4all_careless_total", "", registry=metrics.registry)
    for n in range(2 * MOST_LABEL_SETS):
        metrics.registry.get("chat4all_careless_total").inc({"person": str(n)})
    assert any(len(each.get_all()) > MOST_LABEL_SETS + 1 for each in metrics.registry.get_all())


async def test_how_long_a_delivery_took_is_counted_once_and_calls_by_their_outcome() -> None:
    world = World()
    metrics = counted(world)
    world.channel.answers["m-2"] = [Refused("blocked", "the person blocked this number")]
    for _ in range(3):
        await world.deliver(requests("m-1", "m-2"))
        await until(world.is_done)
    assert shown(metrics, "accepted_to_sent_seconds_count") == {'channel="whatsapp"': 1}
    assert shown(metrics, "call_seconds_count") == {
        'channel="whatsapp",outcome="sent"': 1,
        'channel="whatsapp",outcome="refused"': 1,
    }


def test_the_age_of_the_mirror_grows_while_records_wait_and_is_0_when_none_do(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics("mirror")
    now = [50_000]
    monkeypatch.setattr("app.metrics.now_ms", lambda: now[0])
    metrics.mirrored(45_000)
    metrics.lags({OURS: 3})
    assert shown(metrics, "mirror_delay_seconds") == {"": 5}
    now[0] = 90_000
    assert shown(metrics, "mirror_delay_seconds") == {"": 45}
    metrics.lags({OURS: 0})
    assert shown(metrics, "mirror_delay_seconds") == {"": 0}


async def test_rebalances_and_rows_of_tables_are_shown(tmp_path: Path) -> None:
    consumer, _broker, _ = make_consumer(tmp_path)
    await assign(consumer)
    before = shown(consumer.app.metrics, "rebalances_total").get("", 0)
    await revoke(consumer)
    assert shown(consumer.app.metrics, "rebalances_total") == {"": before + 1}
    metrics = Metrics("core")
    metrics.watch_table("message_state", lambda: 7, lambda: 4096)
    assert shown(metrics, "table_rows") == {'table="message_state"': 7}
    assert shown(metrics, "table_memory_bytes") == {'table="message_state"': 4096}


async def test_a_loop_that_is_held_up_is_late() -> None:
    seen: list[float] = []
    measuring = asyncio.create_task(measure(seen.append))
    await pass_time(0.01)
    end = monotonic() + 1.5 * PERIOD_SECONDS
    wait_until(lambda: monotonic() > end)
    await until(lambda: seen)
    measuring.cancel()
    assert seen[0] >= 0.4 * PERIOD_SECONDS


async def test_the_share_of_an_allowance_that_is_used_is_shown() -> None:
    metrics = Metrics("whatsapp")
    allowance = Allowance(Account(channel="whatsapp", per_second=10.0, burst=10), 0.5)
    metrics.watch_allowances(lambda: {"default": allowance.used(100.5)})
    for _ in range(2):
        allowance.take(100.0, "p")
    assert shown(metrics, "allowance_used_ratio") == {'account="default"': 0.4}
    assert Allowance(Account(channel="whatsapp"), 1.0).used(1.0) == 0


async def test_the_end_of_credentials_and_the_free_disk_are_shown(tmp_path: Path) -> None:
    metrics = Metrics("whatsapp")
    metrics.tokens_expire({"main": 1_801_353_600.0})
    assert shown(metrics, "account_token_expires_seconds") == {'account="main"': 1_801_353_600}
    metrics.watch_disk(tmp_path / "not" / "made" / "yet")
    assert 0 < shown(metrics, "disk_free_ratio")[""] <= 1
