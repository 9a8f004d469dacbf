"""`chat4all channels`."""

from __future__ import annotations

from typing import Any

import click

from chat4all.cli.commands.listing import ListByDefault
from chat4all.cli.output import clock, printable
from chat4all.cli.session import Session, api_command

_note = click.option("--note", default="", help="Why, for the record.")


@click.group(cls=ListByDefault)
def channels() -> None:
    """Our accounts on the channels, for admins; without a command: list them."""


@channels.command("list")
@api_command()
async def list_accounts(session: Session) -> None:
    """List the accounts as the workers report them."""
    found = await session.client.channels()
    if session.out.as_json:
        session.out.document(found, "")
        return
    session.out.table("accounts", found["accounts"], [_row(one) for one in found["accounts"]])
    for one in found["accounts"]:
        for error in one["last_errors"]:
            click.echo(f"{one['channel']} {one['account']}, {clock(error['at'])}: {printable(error['detail'])}")


@channels.command("pause")
@click.argument("channel")
@click.argument("name", metavar="[ACCOUNT]", default="default")
@_note
@api_command()
async def pause(session: Session, channel: str, name: str, note: str) -> None:
    """Let the deliveries of an account wait; calls in flight go on. Safe to run again."""
    told = await session.client.pause_account(channel, name, note=note)
    session.out.document(told, f"{told['channel']} {told['account']}: the workers pause it when they read the command")


@channels.command("resume")
@click.argument("channel")
@click.argument("name", metavar="[ACCOUNT]", default="default")
@_note
@api_command()
async def resume(session: Session, channel: str, name: str, note: str) -> None:
    """Let a paused account go on. Safe to run again."""
    told = await session.client.resume_account(channel, name, note=note)
    session.out.document(told, f"{told['channel']} {told['account']}: the workers resume it when they read the command")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    if one["breaker"] is None:
        return (one["channel"], one["account"], "no report yet", "", "", "", "")
    state = "paused" if one["paused"] else f"breaker {one['breaker']}"
    reasons = ", ".join(f"{printable(reason)} {count}" for reason, count in sorted(one["waiting_by"].items()))
    rate = f"{one['per_second']:g}/s" if one["per_second"] else "no limit"
    waiting = f"{one['waiting']} waiting{f' ({reasons})' if reasons else ''}"
    return (
        one["channel"],
        one["account"],
        state,
        waiting,
        f"{one['in_flight']} in flight",
        rate,
        clock(one["reported_at"]),
    )
