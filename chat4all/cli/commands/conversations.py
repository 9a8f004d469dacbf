"""`chat4all conversations`."""

from __future__ import annotations

from typing import Any

import click

from chat4all.cli.commands.listing import ListByDefault
from chat4all.cli.output import clock, counted, printable
from chat4all.cli.session import Session, api_command

_limit = click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many.")


@click.group(cls=ListByDefault)
def conversations() -> None:
    """Conversations; without a command: list them."""


@conversations.command("list")
@_limit
@api_command()
async def list_conversations(session: Session, limit: int) -> None:
    """List them, what happened last first."""
    found = [one async for one in session.client.conversations(limit)]
    session.out.table("conversations", found, [_row(session, one) for one in found])


@conversations.command("create")
@click.argument("participants", nargs=-1, required=True, metavar="PARTICIPANT...")
@click.option("--id", "conversation_id", help="Of your choice; default: a new one.")
@click.option("--name")
@api_command()
async def create_conversation(
    session: Session, participants: tuple[str, ...], conversation_id: str | None, name: str | None
) -> None:
    """Begin a conversation with users (user:NAME, or ids) and addresses (whatsapp:+5511999999999)."""
    made = await session.client.create_conversation(participants, conversation_id, name)
    session.out.document(made, _story(session, made))


@conversations.command("show")
@click.argument("conversation_id")
@api_command()
async def show_conversation(session: Session, conversation_id: str) -> None:
    """Show one."""
    found = await session.client.conversation(conversation_id)
    session.out.document(found, _story(session, found))


def _row(session: Session, one: dict[str, Any]) -> tuple[str, ...]:
    others = ""
    if one.get("is_direct"):
        names = zip(one["participants"], session.names_of(one["participants"], one), strict=True)
        others = ", ".join(name for participant, name in names if participant != session.client.user_id)
    return (
        printable(one["conversation_id"]),
        clock(one["last_message_at"]),
        counted(one["message_count"], "message"),
        counted(len(one["participants"]), "participant"),
        printable(one["name"]) or others,
    )


def _story(session: Session, one: dict[str, Any]) -> str:
    kind = "group" if one["is_group"] else "conversation"
    lines = [
        f"{kind} {click.style(printable(one['conversation_id']), bold=True)}  {printable(one['name'])}".rstrip(),
        f"{counted(one['message_count'], 'message')}, the last one {clock(one['last_message_at'])}",
        *(f"  {name}" for name in session.names_of(one["participants"], one)),
    ]
    return "\n".join(lines)
