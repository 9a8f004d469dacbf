"""`chat4all register`, `login`, `whoami`, `logout`, `identities`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from chat4all.cli.commands.listing import ListByDefault
from chat4all.cli.output import clock, printable
from chat4all.cli.session import Session, api_command
from chat4all.cli.stdin import interruptible, line_of_stdin

_from_stdin = click.option("--password-stdin", is_flag=True, help="The password is the first line of stdin.")


@click.command()
@click.argument("username")
@click.option("--email", metavar="ADDRESS")
@_from_stdin
@api_command(needs_login=False)
async def register(session: Session, username: str, email: str | None, password_stdin: bool) -> None:
    """Make an account, and log in.

    The password is asked for without showing it, or read from stdin with --password-stdin.
    """
    password = read_password(password_stdin, is_new=True)
    await session.client.register(username, password, email)
    await _log_in(session, username, password)
    _tell(session, username, "registered and logged in")


@click.command()
@click.argument("username")
@_from_stdin
@api_command(needs_login=False)
async def login(session: Session, username: str, password_stdin: bool) -> None:
    """Log in; commands act for who logged in last, or as --as says.

    The tokens are kept in a file that only you can read (~/.config/chat4all/sessions.json); the password is not kept.
    """
    await _log_in(session, username, read_password(password_stdin, is_new=False))
    _tell(session, username, "logged in")


@click.command()
@api_command()
async def whoami(session: Session) -> None:
    """Show who is logged in."""
    me = await session.client.me()
    text = f"{printable(me['username'])}  {me['user_id']}  since {clock(me['created_at'])}  at {session.client.url}"
    session.out.document(me, text)


@click.command()
@api_command()
async def logout(session: Session) -> None:
    """End the session, here and at the API."""
    from chat4all import NotLoggedIn, Tokens

    try:
        await session.client.logout()
    except NotLoggedIn:  # it has ended already
        async with session.saved.lock():
            session.saved.save(session.username, Tokens())
    session.out.document({"username": session.username}, f"{session.username} is logged out")


@click.group(cls=ListByDefault)
def identities() -> None:
    """Addresses that are linked with the account; without a command: list them."""


@identities.command("list")
@api_command()
async def list_identities(session: Session) -> None:
    """List them."""
    found = await session.client.identities()
    rows = [(f"{one['platform']}:{printable(one['value'])}", clock(one["linked_at"]), _standing(one)) for one in found]
    session.out.table("identities", found, rows)


@identities.command("add")
@click.argument("address", metavar="CHANNEL:ADDRESS")
@api_command()
async def add_identity(session: Session, address: str) -> None:
    """Link an address, such as whatsapp:+5511999999999."""
    made = await session.client.link_identity(*_parts(address))
    session.out.document(made, f"{made['platform']}:{printable(made['value'])} is linked with {session.username}")


@identities.command("remove")
@click.argument("address", metavar="CHANNEL:ADDRESS")
@api_command()
async def remove_identity(session: Session, address: str) -> None:
    """Unlink an address."""
    gone = await session.client.unlink_identity(*_parts(address))
    session.out.document(gone, f"{gone['platform']}:{printable(gone['value'])} is no longer linked")


def read_password(from_stdin: bool, *, is_new: bool) -> str:
    """Return the password, from the terminal without echo or from stdin. Raises ``click.UsageError``."""
    if from_stdin:
        return line_of_stdin()
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for the password on; use --password-stdin")
    with interruptible():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=is_new, err=True))


async def _log_in(session: Session, username: str, password: str) -> None:
    await session.client.login(username, password)
    async with session.saved.lock():
        session.saved.use(username)


def _tell(session: Session, username: str, what: str) -> None:
    user_id = session.client.user_id
    session.out.document({"user_id": user_id, "username": username}, f"{username} ({user_id}) is {what}")


def _parts(address: str) -> tuple[str, str]:
    platform, colon, value = address.partition(":")
    if not colon:
        raise click.UsageError(f"{address!r}: expected an address such as whatsapp:+5511999999999")
    return platform, value


def _standing(identity: Mapping[str, Any]) -> str:
    return "not used: somebody else links it, too" if identity.get("contested") else ""
