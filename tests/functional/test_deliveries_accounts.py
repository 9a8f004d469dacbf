"""Accounts: what one that is broken, throttled, paused or flooded does to the others, and to its own messages."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import monotonic

import pytest

from agents.account_reports import AccountReports
from app.clock import now_ms
from domain.accounts import Account
from domain.attempts import Reason, Stage
from domain.breaker import BreakerRules
from domain.delivery_policy import AUTHENTICATION_SECONDS, POLICY_SECONDS
from domain.outcomes import NotNow, Refusal, Refused, Scope, Unknown
from domain.records import BULK, AccountReport
from support.deliveries import Channel, World, failure, requests
from support.operators import command
from support.waiting import stays, until
from tables import queue as queue_rows


def several(*names: str, **rules: object) -> list[Account]:
    return [Account(channel="whatsapp", name=name, **rules) for name in names]  # type: ignore[arg-type]


async def test_one_persons_messages_take_one_slot_and_hold_nobody_back() -> None:
    """Once 20,000 messages of one user to one person filled a worker's slots."""
    world = World(in_flight=3)
    world.channel.open.clear()
    await world.deliver(requests(*(f"a-{n}" for n in range(200)), conversation="a"))
    await world.deliver(requests("b-1", conversation="b"))
    await until(lambda: world.channel.calls == ["a-0", "b-1"])
    assert world.dispatcher.scheduler.in_flight == 2
    world.channel.open.set()
    await until(world.is_done)
    assert [i for i in world.channel.calls if i[0] == "a"] == [f"a-{n}" for n in range(200)]


async def test_an_account_has_its_own_slots() -> None:
    world = World(*several("main", "other", in_flight=1))
    world.channel.open.clear()
    for n in range(3):
        await world.deliver(requests(f"m-{n}", conversation=f"c-{n}", account="main"))
    await world.deliver(requests("o-1", conversation="c-9", account="other"))
    await until(lambda: set(world.channel.calls) == {"m-0", "o-1"})
    world.channel.open.set()
    await until(world.is_done)


async def test_a_broken_account_stops_and_the_other_goes_on() -> None:
    rules = BreakerRules(least_calls=3, open_seconds=60.0)
    world = World(*several("main", "other", breaker=rules), evidence_seconds=0.01)
    world.channels["main"] = broken = Channel()
    world.start()
    for n in range(6):
        broken.answers[f"m-{n}"] = [Unknown("the connection broke")]
        await world.deliver(requests(f"m-{n}", conversation=f"c-{n}", account="main"))
        await world.deliver(requests(f"o-{n}", conversation=f"c-{n}", account="other"))
        await until(lambda n=n: f"o-{n}" in world.channel.calls)  # type: ignore[misc]
    await until(lambda: len(world.channel.calls) == 6)
    assert len(broken.calls) == 3
    assert {(row.stage, row.name) for row in world.rows()} == {(Stage.WAITING, f"m-{n}") for n in (3, 4, 5)}
    [main] = [report for report in reports(world) if report.account == "main"]
    assert (main.breaker, main.waiting_by, main.last_error) == ("open", {"breaker": 3}, "the connection broke")


async def test_a_refused_login_stops_the_account_and_fails_no_message() -> None:
    world = World()
    world.channel.answers["m-1"] = [Refused("190", "the token has expired", Refusal.AUTHENTICATION)]
    await world.deliver(requests("m-1"))
    await until(lambda: [row.reason for row in world.rows()] == [Reason.THROTTLED])
    await world.deliver(requests("o-1", conversation="other"))
    assert world.channel.calls == ["m-1"]
    assert world.facts() == []
    due_ms = next(row.not_before_ms for row in world.rows() if row.name == "m-1")
    assert 0 < due_ms - now_ms() <= (AUTHENTICATION_SECONDS + 1) * 1000


async def test_a_broken_rule_stops_the_account_and_fails_one_message_for_an_operator() -> None:
    """WhatsApp's 368, 131031, 131042: each further call would fail another message and anger the channel more."""
    world = World()
    world.channel.answers["m-1"] = [Refused("account-restricted", "blocked for spam", Refusal.POLICY)]
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert (failure(world).failure_code, [each.reason for each in world.letters()]) == (
        "account-restricted",
        ["account-restricted"],
    )
    await world.deliver(requests("m-2"))
    await world.deliver(requests("o-1", conversation="other"))
    await stays(lambda: world.channel.calls == ["m-1"])
    assert 800 < world.lanes["default"].breaker.wait_seconds(monotonic()) <= POLICY_SECONDS
    [report] = [each for each in reports(world) if each.breaker == "open"]
    assert (report.last_error, report.waiting_by) == ("account-restricted: blocked for spam", {"breaker": 2})
    assert len(world.producer.on("whatsapp-commands")) == world.app.settings.partitions, "each worker is told"
    command(world, "resume", account="default")
    await until(world.is_done)
    assert sorted(world.channel.calls) == ["m-1", "m-2", "o-1"]


@pytest.mark.parametrize(
    "cause",
    [
        Refused("unauthorized", "the token was revoked", Refusal.AUTHENTICATION),
        Refused("account-restricted", "blocked for spam", Refusal.POLICY),
        NotNow("too many", 3_600.0, Scope.ACCOUNT),
    ],
)
async def test_what_refuses_a_later_part_stops_the_account_and_the_message_fails(cause: Refused | NotNow) -> None:
    world = World()
    world.channel.answers["m-1"] = [Refused("sent-in-part", "part 2 of 2 was not taken", cause=cause)]
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert (failure(world).failure_code, world.letters()) == ("sent-in-part", [])
    assert world.lanes["default"].breaker.wait_seconds(monotonic()) > 20
    await world.deliver(requests("m-2"))
    await stays(lambda: world.channel.calls == ["m-1"])


async def test_an_hours_retry_after_is_waited_for_and_fails_nothing() -> None:
    world = World()
    world.channel.answers["m-1"] = [NotNow("too many", 3_600.0, Scope.ACCOUNT)]
    await world.deliver(requests("m-1"))
    await until(lambda: [row.reason for row in world.rows()] == [Reason.THROTTLED])
    (row,) = world.rows()
    assert 3_590_000 < row.not_before_ms - now_ms() <= 3_601_000
    assert (row.tries, world.facts(), world.dispatcher.scheduler.in_flight) == (0, [], 0)


async def test_a_throttled_pair_holds_its_own_address_alone() -> None:
    world = World()
    world.channel.answers["m-1"] = [NotNow("too many to this person", 3_600.0, Scope.PAIR)]
    await world.deliver(requests("m-1"))
    await world.deliver(requests("o-1", conversation="other", recipient_id="whatsapp:+5511999990001"))
    await until(lambda: world.facts() == [("o-1", "SENT")])
    assert [row.name for row in world.rows()] == ["m-1"]


async def test_retries_are_counted_and_then_the_message_fails_for_an_operator() -> None:
    world = World(delivery_attempts=3)
    world.channel.answers["m-1"] = [NotNow("busy")] * 50
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert len(world.channel.calls) == 3
    assert failure(world).failure_code == "unavailable"
    assert [letter.reason for letter in world.letters()] == ["unavailable"]


async def test_a_message_whose_time_has_passed_is_not_sent() -> None:
    world = World()
    await world.deliver(requests("m-1", not_after_ms=now_ms() - 1))
    await world.deliver(requests("m-2", accepted_at_ms=now_ms() - 25 * 3_600_000))
    await until(world.is_done)
    assert world.channel.calls == []
    assert {change.failure_code for change in world.changes()} == {"expired"}


async def test_a_message_expires_while_its_account_may_not_send() -> None:
    world = World()
    command(world, "pause", account="default")
    await world.deliver(requests("m-1", "m-2", not_after_ms=now_ms() + 50))
    await until(world.is_done)
    assert (world.channel.calls, world.facts()) == ([], [("m-1", "FAILED"), ("m-2", "FAILED")])


async def test_many_expired_messages_of_one_chain_fail_one_after_the_other() -> None:
    world = World()
    command(world, "pause", account="default")
    await world.deliver(requests(*(f"m-{n}" for n in range(1_100)), not_after_ms=now_ms() + 400))
    await until(world.is_done, seconds=60)
    assert len(world.facts()) == 1_100


async def test_a_paused_account_waits_also_after_a_restart_until_it_is_resumed() -> None:
    world = World(*several("main", "other"))
    command(world, "pause", account="main")
    await world.deliver(requests("m-1", account="main"))
    await world.deliver(requests("o-1", account="other"))
    await until(lambda: world.channel.calls == ["o-1"])
    world.crash()
    await world.deliver(requests("m-2", account="main"))
    await stays(lambda: world.channel.calls == ["o-1"])
    [main] = [report for report in reports(world) if report.account == "main"]
    assert (main.paused, main.waiting, main.waiting_by) == (True, 2, {"paused": 1})
    command(world, "resume", account="main")
    await until(world.is_done)
    assert world.channel.calls == ["o-1", "m-1", "m-2"]


async def test_the_bulk_gives_way_and_is_not_forgotten() -> None:
    world = World(in_flight=1)
    world.channel.open.clear()
    await world.deliver(requests("x-0", conversation="x"))
    for n in range(20):
        await world.deliver(requests(f"b-{n}", conversation=f"b-{n}", priority=BULK))
    for n in range(20):
        await world.deliver(requests(f"m-{n}", conversation=f"m-{n}"))
    world.channel.open.set()
    await until(world.is_done)
    first = world.channel.calls[1:17]
    assert 1 <= sum(i[0] == "b" for i in first) <= 3
    assert [i for i in world.channel.calls if i[0] == "m"] == [f"m-{n}" for n in range(20)]


async def test_a_conversation_stays_with_the_account_it_began_on() -> None:
    world = World(*several("main", "other"))
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    world.accounts = tuple(several("other", "main"))
    world.crash()
    await world.deliver(requests("m-2"))
    await world.deliver(requests("n-1", conversation="new"))
    await until(world.is_done)
    assert {change.message_id: change.account for change in world.changes()} == {
        "m-1": "main",
        "m-2": "main",
        "n-1": "other",
    }


async def test_a_conversation_that_sends_nothing_for_months_is_forgotten() -> None:
    world = World(*several("main", "other"))
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    world.queue.rows[b"aold"] = b'["other",1]'
    world.choice.sweep([2])
    assert set(world.queue.rows) == {b"ac-1"}


async def test_messages_of_an_account_that_is_not_declared_wait_with_their_reason() -> None:
    world = World()
    await world.deliver(requests("m-1", account="gone"))
    await stays(lambda: world.channel.calls == [])
    [gone] = [report for report in reports(world) if report.account == "gone"]
    assert gone.waiting_by == {"no-account": 1}
    world.accounts = tuple(several("default", "gone"))
    world.channels["gone"] = world.channel
    world.crash()
    await until(world.is_done)
    assert world.channel.calls == ["m-1"]


async def test_the_allowance_of_an_account_spreads_its_messages() -> None:
    world = World(*several("default", per_second=600.0, burst=6))  # one of six partitions: 100 a second, one at once
    began = asyncio.get_running_loop().time()
    for n in range(11):
        await world.deliver(requests(f"m-{n}", conversation=f"c-{n}"))
    await until(world.is_done)
    assert asyncio.get_running_loop().time() - began >= 0.09


async def test_a_waiting_message_is_cancelled_wherever_it_waits() -> None:
    world = World()
    command(world, "pause", account="default")
    await world.deliver(requests("m-1", "m-2", "m-3"))
    command(world, "cancel", token="m-2")
    command(world, "cancel", token="m-1")
    command(world, "resume", account="default")
    await until(world.is_done)
    assert world.channel.calls == ["m-3"]
    assert {(change.message_id, change.failure_code) for change in world.changes() if change.failure_code} == {
        ("m-1", "cancelled"),
        ("m-2", "cancelled"),
    }


async def test_an_unknown_outcome_is_released_by_the_word_of_an_operator() -> None:
    world = World()
    world.channel.answers["m-1"] = [Unknown("the connection broke")]
    await world.deliver(requests("m-1"))
    await until(lambda: [row.stage for row in world.rows()] == [Stage.UNKNOWN])
    command(world, "release", token="m-1")
    await until(world.is_done)
    assert world.channel.calls == ["m-1", "m-1"]


async def test_a_malformed_command_is_a_dead_letter() -> None:
    world = World()
    for fields in ({"command": "redrive"}, {"command": "dance"}, {"command": "pause"}, {"command": "cancel"}):
        command(world, **fields)
    assert len(world.letters()) == 4


def reports(world: World) -> list[AccountReport]:
    reporter = AccountReports(world.app, "whatsapp", world.dispatcher, world.choice)  # type: ignore[arg-type]
    return reporter.reports()


async def test_a_message_that_expired_during_its_back_off_fails_when_its_partition_is_taken_up() -> None:
    """Nobody waits for the end of a back-off that its message does not reach: a restart finds it expired."""
    world = World()
    world.channel.answers["m-1"] = [NotNow("busy", 3_600.0)]
    await world.deliver(requests("m-1", not_after_ms=now_ms() + 7_200_000))
    await until(lambda: [row.not_before_ms > 0 for row in world.rows()] == [True])
    ((key, value),) = ((k, v) for k, v in world.queue.rows.items() if k.startswith(queue_rows.DELIVERY))
    row, request = queue_rows.load(value)
    world.queue.rows[key] = queue_rows.dump(replace(row, not_after_ms=now_ms() - 1), request)
    world.crash()
    await until(world.is_done)
    assert failure(world).failure_code == "expired"
    assert world.channel.calls == ["m-1"]


async def test_a_message_is_not_sent_if_it_expired_between_being_ready_and_its_turn() -> None:
    world = World(in_flight=1)
    world.channel.open.clear()
    await world.deliver(requests("m-1", conversation="c-1"))
    await world.deliver(requests("m-2", conversation="c-2", not_after_ms=now_ms() + 60))
    await until(lambda: world.channel.calls == ["m-1"])
    ended = now_ms() + 80
    await until(lambda: now_ms() > ended)
    world.channel.open.set()  # its turn comes before the sweep of what has expired
    await until(world.is_done)
    assert world.channel.calls == ["m-1"]
    assert failure(world).failure_code == "expired"
