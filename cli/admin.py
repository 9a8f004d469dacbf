"""`chat4all admin`: the users with the role admin.

It writes to Cassandra, without the API: an admin is made on a machine of the system and nowhere else.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

import click

from chat4all.cli.command_line import Commands, Seconds
from cli.commands import read_settings, sentences

if TYPE_CHECKING:
    from domain.ports import Admin, AdminStore, UserStore

T = TypeVar("T")

_wait = click.option("--wait", default=60.0, show_default=True, type=Seconds(), help="How long to wait for Cassandra.")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")


@click.group(cls=Commands)
def admin() -> None:
    """Grant and revoke the role admin, which dead letters and channels need."""


@admin.command()
@click.argument("username")
@_wait
@_json
def grant(username: str, wait: float, as_json: bool) -> None:
    """Make the user USERNAME an admin. Safe to run again."""
    made = _run(wait, lambda users, admins: grant_role(users, admins, username, _who()))
    _tell(as_json, {**asdict(made), "is_admin": True}, f"{made.username} is an admin")


@admin.command()
@click.argument("username")
@_wait
@_json
def revoke(username: str, wait: float, as_json: bool) -> None:
    """Take the role from the user USERNAME. The API takes up to 10 seconds to notice. Safe to run again."""
    user_id, had_it = _run(wait, lambda users, admins: revoke_role(users, admins, username))
    text = f"{username} is no admin any more" if had_it else f"{username} was no admin"
    _tell(as_json, {"user_id": user_id, "username": username, "is_admin": False, "was_admin": had_it}, text)


@admin.command("list")
@_wait
@_json
def list_admins(wait: float, as_json: bool) -> None:
    """List the admins."""

    async def listed(users: UserStore, admins: AdminStore) -> list[Admin]:
        return list(await admins.admins())

    found = _run(wait, listed)
    lines = "\n".join(f"{one.username}  {one.user_id}  granted by {one.granted_by}" for one in found)
    _tell(
        as_json,
        {"admins": [asdict(one) for one in found]},
        lines or "there is no admin: `chat4all admin grant USERNAME`",
    )


async def grant_role(users: UserStore, admins: AdminStore, username: str, granted_by: str) -> Admin:
    """Make a user an admin. Raises ``NotFound``, ``StoreUnavailable``."""
    from app.clock import now_ms
    from domain.errors import NotFound
    from domain.ports import Admin

    user = await users.by_username(username)
    if user is None:
        raise NotFound(f"there is no user {username}: `chat4all register {username}` makes one")
    made = Admin(user.user_id, user.username, now_ms(), granted_by)
    await admins.grant(made)
    return made


async def revoke_role(users: UserStore, admins: AdminStore, username: str) -> tuple[str, bool]:
    """Take the role; return the user's id and whether the user had it. Raises ``NotFound``, ``StoreUnavailable``."""
    from domain.errors import NotFound

    user = await users.by_username(username)
    if user is None:
        raise NotFound(f"there is no user {username}")
    return user.user_id, await admins.revoke(user.user_id)


def _run(wait: float, work: Callable[[UserStore, AdminStore], Awaitable[T]]) -> T:
    import asyncio
    import logging

    settings = read_settings()

    async def connected() -> T:
        from app.cassandra import cassandra_config
        from storage.cassandra.admins import CassandraAdminStore
        from storage.cassandra.schema import check_schema, latest_version
        from storage.cassandra.session import CassandraSession
        from storage.cassandra.users import CassandraUserStore

        async with CassandraSession(cassandra_config(settings)) as session:
            await session.connected(wait)
            await check_schema(session, latest_version())
            return await work(CassandraUserStore(session), CassandraAdminStore(session))

    logging.disable()  # an error is one sentence, below
    try:
        with sentences():
            return asyncio.run(connected())
    finally:
        logging.disable(logging.NOTSET)


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without an entry for its user
        return "unknown"


def _tell(as_json: bool, document: dict[str, object], text: str) -> None:
    click.echo(json.dumps(document) if as_json else text)
