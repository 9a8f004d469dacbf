"""The engine through the worst provider, with crashes: truth and belief agree, by the checks of `loadtests.chaos`.

One worker in this process, on tables in memory; the provider answers over loopback. Times are a tenth of the real ones.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from agents.facts import read_fact
from channels.provider.connector import ProviderConnector
from channels.simulated.chaos.faults import WORST
from channels.simulated.provider.server import Provider
from domain.accounts import Account
from domain.breaker import BreakerRules
from domain.message_state import UNKNOWN, MessageState, join_alone
from domain.records import ReceiptReported
from loadtests.chaos.checks import Evidence, State
from loadtests.feed import Order
from loadtests.provider import Given, Taken
from support.deliveries import World, requests
from support.waiting import pass_time, until

BREAKER = BreakerRules(open_seconds=0.2, longest_open_seconds=0.5, slow_seconds=0.4)
ACCOUNTS = (
    Account(channel="whatsapp", name="careful", breaker=BREAKER),
    Account(channel="whatsapp", name="repeating", breaker=BREAKER, resend_unknown=True),
    Account(channel="whatsapp", name="limited", breaker=BREAKER, per_second=200.0, burst=20),
)
FAULTS = WORST.changed(
    {
        "slow_seconds": [0.05, 0.25],
        "hang_seconds": 1.0,
        "retry_after_seconds": 0.05,
        "bare_throttle_share": 0.0,  # a pair waits 4 seconds and more for it
        "late_seconds": 0.5,
        "delivered_seconds": [0, 0.05],
        "read_seconds": [0, 0.05],
        "fail_later_share": 0.05,
    }
)
SETTINGS = {"send_seconds": 0.4, "evidence_seconds": 0.8}
MESSAGES, CONVERSATIONS = 240, 60


class Chaos:
    """A world whose channels are accounts at a provider. ``at`` counts the events, for the offsets of their records."""

    def __init__(self, seed: int) -> None:
        self.provider = Provider(FAULTS.changed({"seed": seed}), self.report)
        self.server = TestServer(self.provider.app())
        self.chance = random.Random(seed)
        self.world: World

    async def start(self) -> None:
        await self.server.start_server()
        url = str(self.server.make_url(""))
        world: Any = World(*ACCOUNTS, **SETTINGS)  # type: ignore[arg-type]
        for account in ACCOUNTS:
            options = {"url": url, "look_up": "yes" if account.name == "careful" else "no"}
            world.channels[account.name] = ProviderConnector("whatsapp", account.name, options)
        world.start()  # with these channels
        self.world = world

    async def stop(self) -> None:
        await self.world.app.drain()
        for channel in self.world.channels.values():
            await channel.close()
        await self.server.close()

    async def report(self, channel: str, conversation: str, receipt: ReceiptReported) -> None:
        self.world.receive(receipt, conversation=conversation)

    def orders(self) -> list[Order]:
        sequences: defaultdict[int, int] = defaultdict(int)
        made = []
        for number in range(MESSAGES):
            one = self.chance.randrange(CONVERSATIONS)
            sequences[one] += 1
            account = ACCOUNTS[one % len(ACCOUNTS)].name
            made.append(Order(f"m-{number}", f"c-{one}", f"whatsapp:+55119{one:08d}", account, sequences[one]))
        return made

    async def send(self, orders: list[Order]) -> None:
        for order in orders:
            batch = requests(
                order.message_id,
                conversation=order.conversation_id,
                recipient_id=order.recipient_id,
                account=order.account,
            )
            await self.world.deliver(batch)
            await pass_time(self.chance.uniform(0, 0.01))

    async def disturb(self, crashes: int, drains: int) -> None:
        acts = ["crash"] * crashes + ["drain"] * drains
        self.chance.shuffle(acts)
        for act in acts:
            await pass_time(self.chance.uniform(0.1, 0.6))
            if act == "crash":
                self.world.crash()
            else:
                await self.world.app.drain()
                self.world.start()

    def is_at_rest(self) -> bool:
        waits = self.provider._sender.waiting or self.provider.books.open_calls
        return not waits and self.world.is_done()

    def states(self) -> dict[str, State]:
        """What every view folds from the facts."""
        states: dict[str, MessageState] = {}
        for value in self.world.producer.on("status-updates"):
            change, fact = read_fact(value, 0)
            states[change.message_id] = join_alone(states.get(change.message_id, UNKNOWN), fact)
        return {
            name: State(s.status, s.delivered_at_ms is not None, s.read_at_ms is not None, s.failure_code or "")
            for name, s in states.items()
        }

    def evidence(self, orders: list[Order]) -> Evidence:
        names = Taken.__slots__
        return Evidence(
            orders=orders,
            states=self.states(),
            taken=[Taken(**{name: getattr(each, name) for name in names}) for each in self.provider.books.taken],
            given=[Given(each.token, each.status) for each in self.provider.books.given],
            waiting={},
            resending={"repeating"},
        )


@pytest.mark.parametrize(("seed", "crashes", "drains"), [(1, 0, 0), (2, 3, 0), (3, 0, 3), (4, 2, 2)])
async def test_truth_and_belief_agree(seed: int, crashes: int, drains: int) -> None:
    chaos = Chaos(seed)
    await chaos.start()
    try:
        orders = chaos.orders()
        await asyncio.gather(chaos.send(orders), chaos.disturb(crashes, drains))
        await until(chaos.is_at_rest, seconds=60)
        checks = chaos.evidence(orders).checks()
        assert not any(check.faults for check in checks), "\n".join(map(str, checks))
        assert chaos.world.app.aborted == []
    finally:
        await chaos.stop()
