"""An account's provider is dead for a while, under load on all channels: who notices, and how does it drain?

    python -m loadtests.account_outage --seconds 600      # about 27 minutes
    python -m loadtests.account_outage --seconds 60       # about 4 minutes

Three phases: all is well, the account of ``whatsapp`` is dead, the account is back. The first lasts as long as the
outage, since a worker's caches and buffers fill with messages, whatever a provider does: what it tells apart is that
growth and an outage's. It prints the time from the log to the provider on the other channels, the memory of every
worker with and without what RocksDB holds for its tables, and how the account drains. Exit code 1 if the others became
slower by more than half, a worker grew, without its tables, by more than a tenth and 20 MiB after all was well, a
table took more than its bound, the account sent more than its allowance, or a message was lost, doubled
or out of order.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import uvloop

from cli.workers import port_of
from loadtests.channel_system import ChannelSystem, orders_on, resident_mib
from loadtests.command_line import parser_of
from loadtests.feed import Order, feed
from loadtests.generator import percentile
from loadtests.metric_pages import page
from loadtests.provider import Taken
from loadtests.servers import own_servers
from loadtests.system import Servers

DEAD, OTHERS = "whatsapp", ("instagram", "telegram")
CHANNELS = (DEAD, *OTHERS)
WORKERS = {"core": 1, **dict.fromkeys(CHANNELS, 1)}
MOST_SLOWER, LEAST_SLOWER_MS = 1.5, 25.0
MOST_GROWTH, LEAST_GROWTH_MIB = 0.10, 20.0
BURST = 20
SPAN_SECONDS = 5.0  # over which the rate of the account is measured
MOST_TABLE_MIB = 80  # six partitions, each with 8 MiB of unwritten rows and 4 MiB of blocks; and their indexes
_LOOK_SECONDS = 1.0
_TABLE_MEMORY = "chat4all_table_memory_bytes{"


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.account_outage", __doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="of the outage")
    parser.add_argument("--well", type=float, help="seconds without an outage before it; as long as it without this")
    parser.add_argument("--after", type=float, default=30.0, help="seconds of the warm-up, and after the outage")
    parser.add_argument("--per-second", type=float, default=200.0, help="messages over all channels")
    parser.add_argument("--conversations", type=int, default=200, help="of each channel")
    parser.add_argument("--allowance", type=float, default=200.0, help="of the dead account, messages a second")
    return parser.parse_args(arguments)


@dataclass
class Phase:
    """``orders`` were written in it, at the times ``written_ms``. The most memory of each worker in it, in MiB:
    ``most_mib`` all of it, ``rest_mib`` without what RocksDB held for its tables, ``table_mib`` its largest table.
    """

    name: str
    orders: list[Order] = field(default_factory=list)
    written_ms: dict[str, int] = field(default_factory=dict)
    most_mib: dict[str, float] = field(default_factory=dict)
    table_mib: dict[str, float] = field(default_factory=dict)
    rest_mib: dict[str, float] = field(default_factory=dict)

    def note(self, worker: str, resident_mib: float, tables_mib: Sequence[float]) -> None:
        """Note a worker's memory as of now."""
        for most, size in (
            (self.most_mib, resident_mib),
            (self.table_mib, max(tables_mib, default=0.0)),
            (self.rest_mib, resident_mib - sum(tables_mib)),
        ):
            most[worker] = max(size, most.get(worker, 0.0))

    def latencies_ms(self, taken: dict[str, Taken], channels: Sequence[str]) -> list[int]:
        """Return, sorted, the times from the log to the provider of its messages on ``channels``."""
        ids = (o.message_id for o in self.orders if o.recipient_id.partition(":")[0] in channels)
        return sorted(taken[each].at_ms - self.written_ms[each] for each in ids if each in taken)


async def _phase(system: ChannelSystem, name: str, source: Iterator[Order], seconds: float, rate: float) -> Phase:
    """Write messages for a while, and watch the memory of the workers."""
    made = Phase(name, list(itertools.islice(source, round(seconds * rate))))
    load = asyncio.create_task(feed(system.settings, made.orders, rate))
    while not load.done():
        await asyncio.wait([load], timeout=_LOOK_SECONDS)
        for worker in system.workers:
            if sample := await page(port_of(worker.spec)):
                sizes = [value / 2**20 for name, value in sample.items() if name.startswith(_TABLE_MEMORY)]
                made.note(worker.name, resident_mib(worker), sizes)
    made.written_ms = await load
    return made


async def measure(wanted: argparse.Namespace, servers: Servers, folder: Path) -> list[str]:
    """Run the phases and print them; return the faults."""
    breaker = {"open_seconds": 2, "longest_open_seconds": 10}
    plain: dict[str, Any] = {"name": "main", "breaker": breaker}
    accounts = {channel: [plain] for channel in CHANNELS}
    accounts[DEAD] = [{**plain, "per_second": wanted.allowance, "burst": BURST}]
    sources = [orders_on(channel, wanted.conversations) for channel in CHANNELS]
    source = itertools.chain.from_iterable(zip(*sources, strict=True))
    async with ChannelSystem(servers, folder, WORKERS, accounts) as system:
        warm = await _phase(system, "warm-up", source, wanted.after, wanted.per_second)
        well_seconds = wanted.seconds if wanted.well is None else wanted.well
        well = await _phase(system, "all is well", source, well_seconds, wanted.per_second)
        windows = [{"account": "main", "channel": DEAD, "kind": "unavailable"}]
        await system.provider.change({"windows": windows})
        dead = await _phase(system, "the account is dead", source, wanted.seconds, wanted.per_second)
        await system.provider.change({"windows": []})
        back_at = monotonic()
        back = await _phase(system, "it is back", source, wanted.after, wanted.per_second)
        phases = [warm, well, dead, back]
        expected = sum(len(phase.orders) for phase in phases)
        patience_seconds = 60 + 3 * len(dead.orders) / len(CHANNELS) / wanted.allowance
        while monotonic() - back_at < patience_seconds:
            if (await system.provider.counts())["taken"] >= expected:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        drained_seconds = monotonic() - back_at
        taken = await system.provider.taken()
    return report(wanted, phases, taken, drained_seconds)


def report(wanted: argparse.Namespace, phases: Sequence[Phase], taken: Sequence[Taken], seconds: float) -> list[str]:
    """Print the figures; return the faults."""
    by_token = {each.token: each for each in taken}
    faults = _faults_of_order(phases, taken)
    _, well, dead, back = phases
    print(
        "| phase | messages | others p50, ms | p95 | p99 | "
        + " | ".join(f"{name}, MiB (without tables)" for name in well.most_mib)
        + " |"
    )
    print("|---" * (5 + len(well.most_mib)) + "|")
    for phase in phases:
        others = phase.latencies_ms(by_token, OTHERS)
        shown = " | ".join(f"{percentile(others, share):.0f}" for share in (0.5, 0.95, 0.99))
        sizes = " | ".join(f"{phase.most_mib[name]:.0f} ({phase.rest_mib[name]:.0f})" for name in well.most_mib)
        print(f"| {phase.name} | {len(phase.orders):,} | {shown} | {sizes} |")
    for share in (0.5, 0.95):
        before, during = (percentile(p.latencies_ms(by_token, OTHERS), share) for p in (well, dead))
        if during > before * MOST_SLOWER and during > before + LEAST_SLOWER_MS:
            faults.append(f"the others became slower: {before:.0f} ms to {during:.0f} ms at {share:.0%}")
    for name, before in well.rest_mib.items():
        after = max(dead.rest_mib[name], back.rest_mib[name])
        if after > before * (1 + MOST_GROWTH) and after > before + LEAST_GROWTH_MIB:
            faults.append(f"{name} grew from {before:.0f} to {after:.0f} MiB without its tables")
        if (most := max(phase.table_mib[name] for phase in phases)) > MOST_TABLE_MIB:
            faults.append(f"a table of {name} took {most:.0f} MiB")
    return_ms = max(dead.written_ms.values())
    span_ms = int(SPAN_SECONDS * 1000)  # a busy machine bunches the calls of one second
    spans = Counter(t.at_ms // span_ms for t in taken if t.address.startswith(DEAD) and t.at_ms > return_ms)
    most = max(spans.values(), default=0) / SPAN_SECONDS
    largest = max(size for phase in phases for size in phase.table_mib.values())
    print(f"\nthe largest table took {largest:.0f} MiB of {MOST_TABLE_MIB}")
    print(f"the account drained in {seconds:.0f} s, at most {most:.0f} messages/s of {wanted.allowance:g} allowed")
    if most > wanted.allowance * 1.1 + BURST / SPAN_SECONDS:
        faults.append(f"the account sent {most:.0f} messages a second for {SPAN_SECONDS:g} seconds")
    return faults


def _faults_of_order(phases: Sequence[Phase], taken: Sequence[Taken]) -> list[str]:
    orders = {order.message_id: order for phase in phases for order in phase.orders}
    times = Counter(each.token for each in taken)
    faults = [f"{token} was taken {count} times" for token, count in times.items() if count > 1]
    missing = len(orders.keys() - times.keys())
    if missing:
        faults.append(f"{missing} messages were not taken")
    last: dict[str, int] = {}
    for each in taken:
        sequence = orders[each.token].sequence
        if last.get(each.conversation, 0) > sequence:
            faults.append(f"{each.conversation}: message {sequence} came after {last[each.conversation]}")
        last[each.conversation] = sequence
    return faults


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    with own_servers("account-outage", ["kafka"]) as (stack, folder):
        faults = uvloop.run(measure(wanted, stack, folder))
    for fault in faults[:20]:
        print(fault)
    print("good" if not faults else f"BAD: {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
