"""`chat4all top`: the state of a running system, live on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from chat4all.cli.command_line import Seconds
from chat4all.cli.output import clock, printable
from chat4all.cli.session import Session, api_command

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

RATE_SECONDS = 10  # of the rates
_GOOD, _BAD = "green", "bold red"
Document = Mapping[str, Any]


@click.command()
@click.option("--every", default=1.0, show_default=True, type=Seconds(), help="Between two looks.")
@click.option("--once", is_flag=True, help="Print one look and end.")
@api_command()
async def top(session: Session, every: float, once: bool) -> None:
    """Show rates, delays, lag, queues, breakers and the ledger, for admins. Ctrl-C ends it."""
    import asyncio

    from rich.console import Console
    from rich.live import Live

    console = Console()
    if session.out.as_json:
        flow, channels = await _look(session)
        session.out.document({"flow": flow, **channels}, "")
        return
    if once:
        console.print(frame(*await _look(session)))
        return
    with Live(frame(*await _look(session)), console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(every)
            live.update(frame(*await _look(session)), refresh=True)


async def _look(session: Session) -> tuple[Document, Document]:
    import asyncio

    flow, channels = await asyncio.gather(session.client.flow(), session.client.channels())
    return flow, channels


def frame(flow: Document, channels: Document) -> Group:
    """Return one screen. ``flow``: of ``GET /v1/admin/flow``; ``channels``: of ``GET /v1/admin/channels``."""
    from rich.columns import Columns
    from rich.console import Group
    from rich.text import Text

    head = Text.assemble(("chat4all top", "bold"), f"  {clock(flow['as_of'])}  ", ledger_line(flow["ledger"]))
    return Group(head, Columns([_rates(flow), _lag(flow["lag"])]), _accounts(channels["accounts"]))


def ledger_line(ledger: Document | None) -> tuple[str, str]:
    """Return the ledger as a text and its style."""
    if ledger is None:
        return "ledger: nobody keeps it (chat4all ledger)", "yellow"
    counts = {name: int(value) for name, value in ledger["deliveries"].items()}
    difference = int(ledger["difference"])
    waiting = sum(counts.get(name, 0) for name in ("unrouted", "requested", "queued"))
    shown = ", ".join(f"{counts.get(name, 0):,} {name}" for name in ("accepted", "sent", "failed", "dead"))
    text = f"ledger: {'balanced' if difference == 0 else f'{difference:,} MISSING'} ({shown}, {waiting:,} waiting)"
    if (age := ledger["age_seconds"]) is not None and age > 60:
        return f"{text}, {age:.0f} s old", "yellow" if difference == 0 else _BAD
    return text, _GOOD if difference == 0 else _BAD


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", pad_edge=False)
    for n, column in enumerate(columns):
        table.add_column(column, justify="left" if n == 0 else "right")
    return table


def _rates(flow: Document) -> Table:
    """Return each word with its rate over the last seconds and its delays."""
    table = _table("Messages", "word", "a second", "p50 ms", "p95 ms", "p99 ms")
    newest: Sequence[Document] = flow["seconds"][-RATE_SECONDS:]
    for word in ("accepted", "sent", "delivered", "read", "failed"):
        rate = sum(second[word] for second in newest) / RATE_SECONDS
        delays = flow["percentiles"].get(word.upper(), {})
        table.add_row(word.upper(), f"{rate:,.1f}", *(str(delays.get(name, "")) for name in ("p50", "p95", "p99")))
    return table


def _lag(lag: Sequence[Document] | None) -> Table:
    """Return how many records each role has yet to process, by topic."""
    table = _table("Lag", "role", "topic", "records")
    if lag is None:
        table.add_row("Kafka does not tell", "", "")
    for one in lag or ():
        if one["records"]:
            table.add_row(printable(one["role"]), printable(one["topic"]), f"{one['records']:,}")
    if lag is not None and not table.rows:
        table.add_row("none", "", "0")
    return table


def _accounts(accounts: Sequence[Document]) -> Table:
    from rich.markup import escape

    table = _table("Accounts", "channel", "account", "state", "waiting", "in flight", "a second", "waits for")
    for one in accounts:
        state, style = _state_of(one)
        reasons = ", ".join(f"{printable(reason)} {count}" for reason, count in sorted(one["waiting_by"].items()))
        rate = f"{one['per_second']:g}" if one["per_second"] else "no limit"
        waiting, in_flight = (f"{one[name] or 0:,}" for name in ("waiting", "in_flight"))
        name = escape(printable(one["account"]))
        table.add_row(one["channel"], name, f"[{style}]{state}[/]", waiting, in_flight, rate, reasons)
    return table


def _state_of(account: Document) -> tuple[str, str]:
    if account["breaker"] is None:
        return "no report", "yellow"
    if account["paused"]:
        return "paused", "yellow"
    return f"breaker {account['breaker']}", _GOOD if account["breaker"] == "closed" else _BAD
