"""One user sends thousands of messages to one person: how long do others on the same partition wait?

    python -m loadtests.one_person                     # 20,000 messages; about 2 minutes

It measures the time from the log to the provider of messages of other conversations on the same partition, first alone,
then while the many wait. Exit code 1 if the median or the 95th percentile is longer by half or more.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import uvloop

from loadtests.channel_system import ChannelSystem, conversation_on, resident_mib
from loadtests.command_line import parser_of
from loadtests.feed import Order, feed
from loadtests.generator import percentile
from loadtests.servers import own_servers
from loadtests.system import Servers

CHANNEL = "whatsapp"
PARTITION = 0
OTHERS = 20  # conversations
MOST_RATIO = 1.5
FLAT_OUT = 1e6
_CATCH_UP_SECONDS = 120.0


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.one_person", __doc__)
    parser.add_argument("--messages", type=int, default=20_000, help="to the one person")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement")
    parser.add_argument("--per-second", type=float, default=20.0, help="messages of the others")
    return parser.parse_args(arguments)


async def measure(wanted: argparse.Namespace, servers: Servers, folder: Path) -> bool:
    """Measure and print; return whether the others waited no longer."""
    accounts = {CHANNEL: [{"name": "main"}]}
    async with ChannelSystem(servers, folder, {"core": 1, CHANNEL: 1}, accounts) as system:
        await system.provider.change({"latency_seconds": [0.05, 0.1]})
        partitions = system.settings.partitions
        names = [conversation_on(PARTITION, partitions, f"other-{number}") for number in range(OTHERS)]
        await _others(system, wanted, names)  # warm-up
        alone = await _others(system, wanted, names)
        one = conversation_on(PARTITION, partitions, "one")
        many = [_order(one, 10_000_000, number + 1) for number in range(wanted.messages)]
        await feed(system.settings, many, FLAT_OUT)
        await system.caught_up("core", _CATCH_UP_SECONDS)
        await system.caught_up(CHANNEL, _CATCH_UP_SECONDS)
        beside = await _others(system, wanted, names)
        taken = await system.provider.taken()
        size_mib = resident_mib(system.worker(f"{CHANNEL}-1"))
    of_one = [each for each in taken if each.conversation == one]
    print(f"{len(of_one)} of {len(many)} to the one person were taken by the end; the worker has {size_mib:.0f} MiB")
    print("| the others | messages | p50, ms | p95, ms |\n|---|---|---|---|")
    for name, values in (("alone", alone), ("beside the many", beside)):
        print(f"| {name} | {len(values)} | {percentile(values, 0.5):.0f} | {percentile(values, 0.95):.0f} |")
    ratios = [percentile(beside, share) / percentile(alone, share) for share in (0.5, 0.95)]
    print(f"ratios: {ratios[0]:.2f} at the median, {ratios[1]:.2f} at the 95th percentile")
    is_waiting = len(of_one) < len(many)
    if not is_waiting:
        print("the many were through before the end: send more")
    return is_waiting and max(ratios) < MOST_RATIO


async def _others(system: ChannelSystem, wanted: argparse.Namespace, names: Sequence[str]) -> list[int]:
    """Return, sorted, the times from the log to the provider of the others' messages, in milliseconds."""
    count = round(wanted.seconds * wanted.per_second)
    places = itertools.islice(itertools.cycle(enumerate(names)), count)
    orders = [_order(name, number, n // len(names) + 1) for n, (number, name) in enumerate(places)]
    written_ms = await feed(system.settings, orders, wanted.per_second)
    await system.caught_up("core", _CATCH_UP_SECONDS)
    await system.caught_up(CHANNEL, _CATCH_UP_SECONDS)
    await system.taken_all(written_ms)
    taken_ms = {each.token: each.at_ms for each in await system.provider.taken()}
    return sorted(taken_ms[message_id] - at_ms for message_id, at_ms in written_ms.items())


def _order(conversation_id: str, number: int, sequence: int) -> Order:
    return Order(str(uuid.uuid4()), conversation_id, f"{CHANNEL}:+55119{number:08d}", "", sequence)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    with own_servers("one-person", ["kafka"]) as (stack, folder):
        return 0 if uvloop.run(measure(wanted, stack, folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
