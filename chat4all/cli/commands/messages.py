"""`chat4all messages`, `status`, `read`, `trace`: messages and their history."""

from __future__ import annotations

from typing import Any

import click

from chat4all.cli.kinds_shown import content_line, is_inbound
from chat4all.cli.output import clock, printable, word
from chat4all.cli.session import Session, api_command
from chat4all.cli.shares import shares


@click.command()
@click.argument("conversation_id")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1), help="So many of the latest.")
@click.option("--all", "wants_all", is_flag=True, help="All of them, from the first on.")
@api_command()
async def messages(session: Session, conversation_id: str, limit: int, wants_all: bool) -> None:
    """List a conversation's messages, the latest one last. --json: one message a line."""
    if wants_all:
        async for message in session.client.messages(conversation_id):
            session.out.document(message, _line(session, message))
        return
    latest = [message async for message in session.client.messages(conversation_id, order="desc", limit=limit)]
    for message in reversed(latest):
        session.out.document(message, _line(session, message))


@click.command()
@click.argument("message_id")
@api_command()
async def status(session: Session, message_id: str) -> None:
    """Show a message and what has become of it, at each recipient."""
    message = await session.client.message(message_id)
    lines = [f"message {message['message_id']}, conversation {printable(message['conversation_id'])}"]
    lines += [_from_and_to(session, message)]
    lines += [content_line(message), *_life(message)]
    if share := shares(message):
        lines.append(f"{word(message['status'])} {share}")
    for one in message.get("deliveries", ()):
        lines.append(f"{session.name_of(one['recipient_id'], one.get('recipient'))}:")
        lines += [f"  {line}" for line in _life(one)]
    session.out.document(message, "\n".join(lines))


@click.command()
@click.argument("message_id")
@api_command()
async def read(session: Session, message_id: str) -> None:
    """Tell that you have read a message."""
    told = await session.client.read(message_id)
    session.out.document(told, f"{word(told['status'])}  {clock(told['read_at'])}")


@click.command()
@click.argument("message_id")
@api_command()
async def trace(session: Session, message_id: str) -> None:
    """List every hop that is on record of a message's way."""
    events = await session.client.trace(message_id)
    rows = [
        (
            word(one["event"]),
            clock(one["at"]),
            f"{one['topic']}[{one['partition']}]" + (f"@{one['offset']}" if one["offset"] is not None else ""),
            printable(one.get("recipient_id")),
            _details(one),
        )
        for one in events
    ]
    session.out.table("events", events, rows)


def _details(hop: dict[str, Any]) -> str:
    """Return what a hop tells besides its place: its outcome, the reason, the provider's status, how long it took."""
    duration = f"{hop['duration_ms']} ms" if "duration_ms" in hop else ""
    told = (hop.get("outcome"), hop.get("reason"), hop.get("provider_status"), duration)
    return ", ".join(printable(one) for one in told if one)


def _line(session: Session, message: dict[str, Any]) -> str:
    who = _from_and_to(session, message)
    share = shares(message) and f"{shares(message)} "
    return f"{clock(message['accepted_at'])}  {word(message['status'], 9)}  {share}{who}  {content_line(message)}"


def _from_and_to(session: Session, message: dict[str, Any]) -> str:
    sender = session.name_of(message["sender_id"], message.get("sender"))
    if is_inbound(message):
        return f"<- {sender}"
    return f"{sender} -> {session.name_of(message['recipient_id'], message.get('recipient'))}"


def _life(message: dict[str, Any]) -> list[str]:
    from chat4all import changes_of

    return [
        f"{word(change.status, 9)}  {clock(change.at.isoformat())}  {printable(change.detail)}".rstrip()
        for change in changes_of(message)
    ]
