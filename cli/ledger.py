"""`chat4all ledger`: keeps the books of a running system and shows them as metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.commands import read_settings, sentences, start_logging

if TYPE_CHECKING:
    from domain.ledger import Balance

DEFAULT_PORT = 8081


@click.command()
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(1, 65_535), help="Of /metrics.")
@click.option("--once", is_flag=True, help="Print one balance and end: with 1 if it is not 0.")
def ledger(port: int, once: bool) -> None:
    """Say all day whether each accepted message is accounted for: accepted = sent + failed + dead + waiting.

    Follows the log in Kafka, without the API and Cassandra. One such process is enough for a system. It may be
    stopped and started at any time: its books are in CHAT4ALL_DATA_DIR.
    """
    import asyncio

    settings = read_settings()
    if not once:
        from app.ledger.service import keep
        from tables.loaders import LOADERS

        start_logging(settings, "ledger")
        with sentences():
            asyncio.run(keep(settings, LOADERS, port, lambda balance: None))
        return
    with sentences():
        balance = asyncio.run(_once())
    click.echo(line_of(balance))
    if balance.difference:
        raise SystemExit(1)


async def _once() -> Balance:
    from app.ledger.reader import open_reader
    from tables.loaders import LOADERS

    async with open_reader(read_settings(), LOADERS) as reader:
        return await reader.round()


def line_of(balance: Balance) -> str:
    """Return the balance as a sentence."""
    b = balance
    waiting = f"{b.unrouted} to route, {b.requested} to queue, {b.queued} in queues"
    line = (
        f"{b.accepted} accepted = {b.sent} sent + {b.failed} failed + {b.dead} dead + {b.waiting} waiting ({waiting})"
    )
    if b.difference:
        line += f" + {b.difference} MISSING: {', '.join(b.missing)}"
    return line + (f"; {b.passed_over} passed over" if b.passed_over else "")
