"""One chaos run: load, disturbances, rest, and the comparison of truth and belief."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic

from app.audit import audit
from loadtests.chaos.checks import Evidence
from loadtests.chaos.disturbances import Disturber
from loadtests.chaos.observer import states_of, user_of, waiting_by_reason
from loadtests.chaos.plan import ACCOUNTS, CHANNEL, RESENDING, Plan
from loadtests.feed import Order, feed
from loadtests.groups import Groups
from loadtests.orders import Order as ApiOrder
from loadtests.provider import ProviderProcess, write_accounts
from loadtests.run import Run
from loadtests.seeded import Check, Result
from loadtests.supervised import SupervisedSystem
from loadtests.system import SHIPPED_SESSION_SECONDS, Servers, free_ports, system_settings
from tables.loaders import LOADERS

WORKERS = {"core": 1, "mirror": 1, CHANNEL: 2}
AUDIT_READ_SECONDS = 30.0
_LOOK_SECONDS = 1.0
_QUIET_LOOKS = 3


async def run(plan: Plan, servers: Servers, folder: Path, say: Callable[[str], None] = print) -> Result:
    """Run ``plan`` on a system of its own on ``servers``, with logs in ``folder``, which exists."""
    port = free_ports(1)
    accounts = folder / "accounts.toml"
    settings = system_settings(
        servers,
        folder,
        accounts=str(accounts),
        evidence_seconds=plan.evidence_seconds,
        send_seconds=plan.send_seconds,
        session_timeout_seconds=SHIPPED_SESSION_SECONDS,
    )
    provider = ProviderProcess(settings, folder, port, seed=plan.seed)
    write_accounts(accounts, provider.url, {CHANNEL: ACCOUNTS})
    system = SupervisedSystem(settings, folder, WORKERS)
    result = Result(plan)
    try:
        async with system, Run(system) as load:
            await provider.start()
            await _meet(load, plan)
            await provider.change({"preset": "worst", "seed": plan.seed, "windows": plan.windows()})
            began = monotonic()
            orders = plan.orders()
            sender_id = user_of(load.token)
            await asyncio.gather(
                feed(settings, orders, plan.per_second, sender_id, plan.seed),
                Disturber(plan, system, folder, say).run(),
            )
            say(f"{monotonic() - began:6.1f} s  all is sent; waiting for the rest")
            is_at_rest = await _rest(load, provider, orders, began + plan.limit_seconds)
            result.seconds = monotonic() - began
            evidence = Evidence(
                orders=orders,
                states=await states_of(system.client(load.token), plan.conversation_ids()),
                taken=await provider.taken(),
                given=await provider.given(),
                waiting=await waiting_by_reason(settings, CHANNEL),
                resending=RESENDING,
            )
            result.checks = [_rest_check(is_at_rest, plan), *evidence.checks()]
            result.checks.append(Check("answers of the provider", (), str((await provider.counts())["answers"])))
            report = await audit(replace(settings, cassandra_timeout_seconds=AUDIT_READ_SECONDS), LOADERS)
            result.checks.append(Check("the audit is clean", () if report.is_clean else (str(report),)))
    finally:
        provider.end()
    return result


async def _meet(load: Run, plan: Plan) -> None:
    """Make the conversations known, with the user in them. Raises ``RuntimeError`` if the API refuses."""
    orders = [
        ApiOrder(name, f"whatsapp:+55118{number:08d}", "the first message")
        for number, name in enumerate(plan.conversation_ids())
    ]
    shots = await load.send(orders)
    if shots.count(202) != len(orders):
        raise RuntimeError(f"only {shots.count(202)} of {len(orders)} first messages were accepted")
    await load.settled()


def _rest_check(is_at_rest: bool, plan: Plan) -> Check:
    faults = (
        ()
        if is_at_rest
        else ("messages, receipts or records were still open; the other verdicts are those of a system at work",)
    )
    return Check("all came to rest in time", faults, f"within {plan.limit_seconds:g} s")


async def _rest(load: Run, provider: ProviderProcess, orders: list[Order], deadline: float) -> bool:
    """Wait until every message has a word beyond ACCEPTED, and neither calls, receipts nor records are open."""
    looks, facts = 0, -1
    async with Groups.connected(load.system.settings) as groups:
        while monotonic() < deadline:
            words = (load.ledger.words_of(order.message_id) for order in orders)
            is_done = all(each - {"ACCEPTED"} for each in words) and await provider.is_quiet()
            is_steady = load.ledger.facts == facts
            facts = load.ledger.facts
            looks = looks + 1 if is_done and is_steady and not await groups.lag(CHANNEL) else 0
            if looks >= _QUIET_LOOKS:
                return True
            await asyncio.sleep(_LOOK_SECONDS)
    return False
