"""Shows where the memory of an API process goes: its recent messages, in one process, without servers.

    python -m loadtests.recent_memory                     # beyond the messages of the 30-minute soak
    python -m loadtests.recent_memory --limit 2000 --messages 60000 --traced

With --traced the allocations of the second half are counted: exit code 1 if they are more than a tenth above what the
memory of recent messages says of itself.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tracemalloc
import uuid
from collections.abc import Sequence

import psutil

from app.settings import Settings
from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from web.history.recent import RecentMessages

SOAK_MESSAGES = 19_655  # of docs/reports/soak.md
CONVERSATIONS, PARTITIONS = 2_000, 6
LINES = 12
MOST_RATIO = 1.1
_MIB = 2**20
_FIRST_MS = 1_763_000_000_000


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.recent_memory", description=(__doc__ or "")[:75])
    parser.add_argument("--limit", type=int, default=50_000, help=f"{Settings().recent_messages:,} in production")
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--traced", action="store_true", help="count allocations; ten times slower")
    return parser.parse_args(arguments)


class Feed:
    """Messages with their three facts, as the API's reader of the log takes them."""

    def __init__(self, recent: RecentMessages) -> None:
        self._recent = recent
        self._random = random.Random(1)
        self._conversations = [f"conversation-{uuid.uuid4()}" for _ in range(CONVERSATIONS)]
        self._offsets = [0] * PARTITIONS
        recent.complete_from = dict.fromkeys(range(PARTITIONS), 0)

    def message(self, number: int) -> None:
        """Add one."""
        chosen, name = self._random.randrange(CONVERSATIONS), str(uuid.uuid4())
        partition, at = chosen % PARTITIONS, _FIRST_MS + 90 * number
        offset = self._offsets[partition]
        self._offsets[partition] += 1
        words, to = "text " * self._random.randrange(2, 40), f"whatsapp:+55119{number % 10**8:08}"
        message = MessageAccepted(name, self._conversations[chosen], "maria", to, words)
        self._recent.add_message(message, LogPosition(at, offset), partition)
        for n, status in enumerate(("SENT", "DELIVERED", "READ"), 1):
            fact = (name, message.conversation_id, status, at + 1_000 * n, at, offset, "whatsapp", 1, f"sim.{name}")
            self._recent.add_fact(StatusChanged(*fact))


def measure(limit: int, messages: int, *, is_traced: bool) -> bool:
    """Print a line now and then; return whether nothing is held beside the recent messages."""
    recent = RecentMessages(limit)
    feed, process = Feed(recent), psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    steps = {messages * n // LINES for n in range(1, LINES + 1)} | {SOAK_MESSAGES}
    for number in range(messages):
        if is_traced and number == messages // 2:
            gc.collect()
            tracemalloc.start()
        feed.message(number)
        if number + 1 in steps:
            grown = (process.memory_info().rss - before) / _MIB
            held = f"{len(recent):,} held, {recent.held_bytes / _MIB:.1f} MiB by their own account"
            print(f"{number + 1:>9,} messages: {held}; the process has grown by {grown:.1f} MiB", flush=True)
    if not is_traced:
        return True
    gc.collect()
    allocated = tracemalloc.get_traced_memory()[0]
    print(f"allocated since half of them, and still there: {allocated / _MIB:.2f} MiB")
    return allocated <= MOST_RATIO * recent.held_bytes


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    return 0 if measure(wanted.limit, wanted.messages, is_traced=wanted.traced) else 1


if __name__ == "__main__":
    sys.exit(main())
