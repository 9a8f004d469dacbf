"""`chat4all groups`."""

from __future__ import annotations

from typing import Any

import click

from chat4all.cli.commands.listing import ListByDefault
from chat4all.cli.output import clock, counted, printable
from chat4all.cli.session import Session, api_command


@click.group(cls=ListByDefault)
def groups() -> None:
    """Groups, whose members their admins choose; without a command: list them."""


@groups.command("list")
@api_command()
async def list_groups(session: Session) -> None:
    """List those you are in."""
    found = [one async for one in session.client.conversations() if one["is_group"]]
    rows = [
        (
            printable(one["conversation_id"]),
            counted(len(one["participants"]), "member"),
            clock(one["last_message_at"]),
            printable(one["name"]),
        )
        for one in found
    ]
    session.out.table("groups", found, rows)


@groups.command("create")
@click.argument("name")
@click.argument("members", nargs=-1, metavar="[user:NAME]...")
@click.option("--description")
@api_command()
async def create_group(session: Session, name: str, members: tuple[str, ...], description: str | None) -> None:
    """Make a group, whose first admin you are."""
    made = await session.client.create_group(name, members, description)
    group_id = made["group_id"]
    session.out.document(made, f"group {group_id}  {printable(made['name'])}: {counted(made['members'], 'member')}")


@groups.command("show")
@click.argument("group_id")
@api_command()
async def show_group(session: Session, group_id: str) -> None:
    """Show a group and its members."""
    _show(session, await session.client.group(group_id))


@groups.command("add")
@click.argument("group_id")
@click.argument("user_id", metavar="user:NAME")
@api_command()
async def add_member(session: Session, group_id: str, user_id: str) -> None:
    """Add a member, as an admin."""
    _show(session, await session.client.add_member(group_id, user_id))


@groups.command("remove")
@click.argument("group_id")
@click.argument("user_id", metavar="user:NAME")
@api_command()
async def remove_member(session: Session, group_id: str, user_id: str) -> None:
    """Remove a member, as an admin, or yourself."""
    _show(session, await session.client.remove_member(group_id, user_id))


@groups.command("promote")
@click.argument("group_id")
@click.argument("user_id", metavar="user:NAME")
@api_command()
async def make_admin(session: Session, group_id: str, user_id: str) -> None:
    """Make a member an admin, as an admin."""
    _show(session, await session.client.make_admin(group_id, user_id))


def _show(session: Session, group: dict[str, Any]) -> None:
    members = group["members"]
    lines = [
        f"group {click.style(printable(group['group_id']), bold=True)}  {printable(group['name'])}",
        *([printable(group["description"])] if group["description"] else []),
        f"{len(members)} of at most {group['max_members']} members:",
        *(
            f"  {name}{'  admin' if member in group['admins'] else ''}"
            for member, name in zip(members, session.names_of(members, group), strict=True)
        ),
    ]
    session.out.document(group, "\n".join(lines))
