"""How many workers, API processes, partitions, brokers, nodes and how much disk and wire N messages a minute need.

python -m loadtests.sizing [MESSAGES_A_MINUTE …]        by default 10000 and 1000000

CPU a message comes from ``sizing.toml``, whose tables name their commands. Bytes are those of this release's records: a
text of 200 bytes to one address, encoded here. Prints Markdown, as docs/operations.md has it.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from app.kafka.codec import encode
from app.settings import Settings
from domain.attempts import Attempt, QueuedDelivery
from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from domain.routing import decide, status_change
from domain.status import Status, fact_in, fold
from tables import attempts, message_state, queue

FILE = Path(__file__).with_name("sizing.toml")
LOAD = 0.6  # of a core: a process that is busier answers late
SERVER_CORES, SERVER_LOAD = 8, 0.5  # of a broker's or node's machine
COPIES = 3
LEAST = 2  # processes of each role: one may be away
STEP = 6  # partitions are a multiple of it
SPARE = 1.5  # partitions for each worker of the largest role: growth, for the number stays
HEADERS_BYTES, OVERHEAD_BYTES = 120, 12  # of a record: request id and traceparent; Kafka's own fields
TEXT = "x" * 200
ADDRESS, CONVERSATION = "whatsapp:+5511999990000", "0193b5a0-0000-7000-8000-000000000001"
MESSAGE = "0193b5a0-0000-7000-8000-000000000002"


@dataclass(frozen=True, slots=True)
class Size:
    """``api``: ``None`` where no number of processes suffices. Bytes a second and a day are of all copies."""

    per_second: float
    core: int
    mirror: int
    channel: int
    api: int | None
    partitions: int
    brokers: int
    nodes: int
    log_bytes_per_second: float
    log_bytes_kept: float


def records_of_a_message() -> dict[str, int]:
    """Return the bytes that one message writes to each kind of topic, without copies."""
    accepted = MessageAccepted(MESSAGE, CONVERSATION, MESSAGE, ADDRESS, TEXT)
    ((channel, request),) = decide(accepted, LogPosition(1_732_312_312_345, 123_456)).requests
    words = (Status.ACCEPTED, Status.SENT, Status.DELIVERED, Status.READ)
    facts: list[StatusChanged] = [
        status_change(request, channel, word, 1_732_312_312_345, 1, "wamid." + "x" * 50) for word in words
    ]
    states = [
        message_state.Row(fold(map(fact_in, facts[: n + 1])), CONVERSATION, channel)  # type: ignore[arg-type]
        for n in range(len(facts))
    ]
    value = encode(request)
    row = queue.dump(QueuedDelivery.of(request, 1, 1, 2, ()), value)
    attempt = Attempt(1, "sent", 1_732_312_312_345, "wamid." + "x" * 50, accepted_at_ms=1_732_312_312_345)
    key = len(CONVERSATION)
    row_key = len(queue.delivery_row_key(queue.chain_prefix("default", CONVERSATION, ADDRESS), 1))

    def size(*values: bytes, key_bytes: int = key, headers: int = HEADERS_BYTES) -> int:
        return sum(len(each) + key_bytes + headers + OVERHEAD_BYTES for each in values)

    return {
        "messages": size(encode(accepted)),
        "outbound": size(value),
        "status-updates": size(*map(encode, facts)),
        "queue (row, begun, gone)": size(row, row, b"", key_bytes=row_key, headers=25),
        "attempts": size(attempts.dump(attempt), headers=25),
        "message_state": size(*map(message_state.dump, states), headers=0),
    }


def size_of(per_minute: float, data: Mapping[str, Any], settings: Settings) -> Size:
    """Return what ``per_minute`` messages need; ``data``: the tables of ``sizing.toml``."""
    rate = per_minute / 60
    cpu, follow = data["cpu"]["http"], data["cpu"]["follow"]

    def processes(milliseconds: float) -> int:
        return max(LEAST, ceil(rate * milliseconds / 1000 / LOAD))

    roles = {name: processes(cpu[name]) for name in ("core", "mirror", "channel")}
    written = records_of_a_message()
    kept_days = {"messages": settings.messages_retention_days, "outbound": settings.messages_retention_days}
    kept = sum(
        bytes_ * kept_days.get(topic, settings.status_retention_days if topic == "status-updates" else 1)
        for topic, bytes_ in written.items()
    )
    return Size(
        rate,
        **roles,
        api=_apis(rate, cpu["api"], follow["nobody"]),
        partitions=STEP * ceil(max(max(roles.values()) * SPARE, STEP) / STEP),
        brokers=max(COPIES, ceil(_servers(rate, data["cpu"]["kafka"]["kafka"]))),
        nodes=max(COPIES, ceil(_servers(rate, cpu["cassandra"]))),
        log_bytes_per_second=rate * sum(written.values()) * COPIES,
        log_bytes_kept=rate * 86_400 * kept * COPIES,
    )


def _apis(rate: float, api_ms: float, follow_ms: float) -> int | None:
    """Return how many API processes. Each follows the whole log. They share the rest of ``api_ms``, with the facts for
    their sockets in it.
    """
    left = LOAD - rate * follow_ms / 1000
    shared = rate * max(0.0, api_ms - follow_ms) / 1000
    return max(LEAST, ceil(shared / left)) if left > 0 else None


def _servers(rate: float, milliseconds: float) -> float:
    return rate * milliseconds * COPIES / 1000 / (SERVER_CORES * SERVER_LOAD)


def rows(sizes: Mapping[float, Size]) -> list[str]:
    """Return a table in Markdown, a column for each rate."""

    def line(name: str, *cells: object) -> str:
        return f"| {name} | " + " | ".join(map(str, cells)) + " |"

    def apis(count: int | None) -> object:
        return "no number suffices" if count is None else count

    of = list(sizes.values())
    return [
        line("messages a minute", *(f"{rate:,.0f}" for rate in sizes)),
        "|---|" + "---|" * len(of),
        line("messages a second", *(f"{each.per_second:,.0f}" for each in of)),
        line("workers of core", *(each.core for each in of)),
        line("workers of the mirror", *(each.mirror for each in of)),
        line("workers of the channel, if it carries all", *(each.channel for each in of)),
        line("API processes", *(apis(each.api) for each in of)),
        line("partitions", *(each.partitions for each in of)),
        line(f"brokers of {SERVER_CORES} cores, {COPIES} copies", *(each.brokers for each in of)),
        line(f"nodes of Cassandra of {SERVER_CORES} cores, {COPIES} copies", *(each.nodes for each in of)),
        line("written to the brokers, MB/s, all copies", *(f"{each.log_bytes_per_second / 1e6:,.1f}" for each in of)),
        line("Kafka's disk, GB, all copies", *(f"{each.log_bytes_kept / 1e9:,.0f}" for each in of)),
    ]


def main() -> None:
    """Print the table, and what a message writes."""
    data = tomllib.loads(FILE.read_text())
    wanted = [float(text) for text in sys.argv[1:]] or [10_000.0, 1_000_000.0]
    print("\n".join(rows({rate: size_of(rate, data, Settings()) for rate in wanted})))
    written = records_of_a_message()
    parts = ", ".join(f"{name} {bytes_:,}" for name, bytes_ in written.items())
    print(f"\nBytes that a message writes to Kafka, before copies: {sum(written.values()):,} ({parts}).")
    limit = LOAD / data["cpu"]["follow"]["nobody"] * 1000
    print(f"Above {limit:,.0f} messages a second an API process is busy with reading alone.")


if __name__ == "__main__":
    main()
