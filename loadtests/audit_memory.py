"""The audit's memory by the length of the log: generated records of one partition number, read and compared.

    python -m loadtests.audit_memory --records 1000000 --records 10000000

Each size runs in a process of its own. Kafka and Cassandra have no part: what is measured is the folding in buckets.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import click

from app.audit_books import Books, EntryKind, PartitionFacts, books_of
from app.audit_spill import Entry
from app.kafka.codec import encode
from domain.records import MessageAccepted, StatusChanged
from domain.status import MessageState
from tables.loaders import LOADERS
from tables.message_state import Row, dump

AT = 1_763_848_800_000
A_MESSAGE = 9  # records: itself, four facts, four rows
CONVERSATIONS = 20_011
_WORDS = ("ACCEPTED", "SENT", "DELIVERED", "READ")
_MIB = 1024


def _message_entries(number: int) -> tuple[Entry, list[Entry], list[Entry]]:
    message_id, conversation_id = f"019aaf33-0000-7000-8000-{number:012d}", f"c-{number % CONVERSATIONS}"
    at, key = AT + number, conversation_id.encode()
    content = f"a text of usual length that says nothing, number {number}"
    message = MessageAccepted(message_id, conversation_id, "ana", "whatsapp:+5511999990000", content)
    facts, rows = [], []
    times: list[int | None] = [None, None, None, None]
    for n, word in enumerate(_WORDS):
        change = StatusChanged(
            message_id, conversation_id, word, at + n, at, number, "whatsapp", min(n, 1), f"p{number}"
        )
        facts.append(Entry(EntryKind.FACT, 4 * number + n, at + n, key, encode(change)))
        times[n] = at + n
        provider_id = f"p{number}" if n else None
        state = MessageState(times[0], times[1], times[2], times[3], None, min(n, 1), 0, provider_id)
        row = dump(Row(state, conversation_id, "whatsapp"))
        rows.append(Entry(EntryKind.ROW, 4 * number + n, at + n, message_id.encode(), row))
    return Entry(EntryKind.MESSAGE, number, at, key, encode(message)), facts, rows


async def _entries(messages: int) -> AsyncIterator[Entry]:
    """Yield the records as they come from Kafka, but by message; the books do not depend on the order of topics."""
    for number in range(messages):
        message, facts, rows = _message_entries(number)
        yield message
        for entry in (*facts, *rows):
            yield entry


async def _measure(records: int, folder: Path | None) -> str:
    began = time.monotonic()
    facts = PartitionFacts(0, 0, records, 216.0)
    make = partial(Books, facts, (), LOADERS, ())
    messages = differences = buckets = 0
    async for books in books_of(facts, _entries(records // A_MESSAGE), make, LOADERS, folder=folder):
        buckets += 1
        messages += len(books.history.accepted)
        differences += sum(1 for _ in books.history.table_differences(0))
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
    seconds = time.monotonic() - began
    return (
        f"{records:>12,} records  {messages:>10,} messages  {buckets:>5,} buckets  {differences} differences  "
        f"{peak_mib:7.1f} MiB  {seconds:8.1f} s"
    )


@click.command()
@click.option("--records", "sizes", multiple=True, type=int, default=(1_000_000, 10_000_000), show_default=True)
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), help="For the buckets.")
@click.option("--here", is_flag=True, hidden=True)
def main(sizes: tuple[int, ...], folder: Path | None, here: bool) -> None:
    """Print the peak of the memory for each size."""
    for size in sizes:
        if here:
            click.echo(asyncio.run(_measure(size, folder)))
            continue
        options = ("--folder", str(folder)) if folder else ()
        command = (sys.executable, "-m", "loadtests.audit_memory", "--here", "--records", str(size), *options)
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
