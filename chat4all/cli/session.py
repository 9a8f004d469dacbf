"""Shared by all API commands: the API's address, the account, and exit codes."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import cleandoc
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from chat4all.cli.api_address import URL_VARIABLE, default_url, with_scheme
from chat4all.cli.command_line import Seconds, tell_fault
from chat4all.cli.output import EXIT_CODES, Exit, Output, printable

if TYPE_CHECKING:
    from chat4all import Client, Unconfirmed
    from chat4all.cli.saved_sessions import SavedSessions

RETRY_SECONDS = 15.0

Command = Callable[..., Awaitable[int | None]]


@dataclass(frozen=True)
class Target:
    """Values of the shared options."""

    url: str
    account: str
    retry_seconds: float
    as_json: bool


@dataclass
class Session:
    """The context of a command. ``username``: its account, empty without a login."""

    client: Client
    username: str
    saved: SavedSessions
    out: Output

    def name_of(self, participant: str | None, party: Mapping[str, Any] | None = None) -> str:
        """Return who it is as a terminal may show it: a user's name if it is known, else the id or the address; nobody
        is everyone. ``party``: what the API tells of them, such as ``{"user_id": "0193…", "username": "maria"}``."""
        if participant and participant == self.client.user_id:
            return self.username
        named = party or {}
        if participant and named.get("name"):
            return printable(f"{named['name']} ({participant})")
        return printable(named.get("username") or participant or "everyone")

    def names_of(self, participants: Sequence[str], document: Mapping[str, Any]) -> list[str]:
        """Return the names of the participants of ``document``, a conversation or a group."""
        parties = document.get("participant_details") or [None] * len(participants)
        return [self.name_of(one, party) for one, party in zip(participants, parties, strict=False)]

    async def become_demo_user(self) -> None:
        """Log in as the demo user and make it the default account. Raises the errors of ``demo_user.log_in``."""
        from chat4all.cli.demo_user import log_in

        self.username = (await log_in(self.client)).username
        await self.client.keep_in(self.saved.token_store(self.username))
        async with self.saved.lock():
            self.saved.use(self.username)


def api_command(
    *, needs_login: bool = True, retry_seconds: float = RETRY_SECONDS
) -> Callable[[Command], Callable[..., None]]:
    """Make a command of an async function: it is given a ``Session`` and the arguments of the command line."""

    def decorate(function: Command) -> Callable[..., None]:
        @click.option("--url", default="", help=f"Where the API is. Default: {URL_VARIABLE}, else this machine's.")
        @click.option("--as", "account", metavar="USERNAME", default="", help="Default: who logged in last.")
        @click.option(
            "--retry",
            "retry_seconds",
            type=Seconds(),
            default=retry_seconds,
            show_default=True,
            help="How long to repeat requests while the API is away or busy.",
        )
        @click.option("--json", "as_json", is_flag=True, help="JSON, one document a line, for programs.")
        @wraps(function)
        def run(url: str, account: str, retry_seconds: float, as_json: bool, **arguments: Any) -> None:
            import asyncio

            target = Target(_checked(with_scheme(url) if url else default_url()), account, retry_seconds, as_json)
            try:
                code = asyncio.run(outcome(function, target, arguments, needs_login=needs_login))
            except KeyboardInterrupt:
                code = Exit.INTERRUPTED
            click.get_current_context().exit(code)

        run.__doc__ = f"{cleandoc(function.__doc__ or '')}\n\n{EXIT_CODES}"
        return run

    return decorate


async def outcome(function: Command, target: Target, arguments: dict[str, Any], *, needs_login: bool = True) -> int:
    """Run a command, report its errors, and return the exit code."""
    from chat4all import (
        ApiError,
        ApiUnavailable,
        Client,
        ClientError,
        InvalidRequest,
        MemoryTokenStore,
        NotLoggedIn,
        TokenStore,
        Unconfirmed,
    )
    from chat4all.cli.errors import CliError
    from chat4all.cli.saved_sessions import SavedSessions

    out = Output(target.as_json)
    try:
        saved = SavedSessions(target.url)
        begins_session = "username" in arguments  # that of its argument
        username = arguments.get("username") or target.account or saved.current
        token_store: TokenStore = saved.token_store(username) if username else MemoryTokenStore()
        if (needs_login or (target.account and not begins_session)) and not token_store.load().access_token:
            return out.fail(_not_logged_in(username, target.url), Exit.FAILED)
        async with Client(target.url, retry_seconds=target.retry_seconds, token_store=token_store) as client:
            session = Session(client, username, saved, out)
            if client.token and not begins_session:
                await _renew_demo_user(session)
            return await function(session, **arguments) or Exit.DONE
    except Unconfirmed as error:
        return _tell_unconfirmed(out, error)
    except ApiUnavailable as error:
        hint = ". Is it running? `chat4all run` starts everything." if error.never_arrived else ""
        return out.fail(f"{error}{hint}", Exit.NO_API)
    except NotLoggedIn as error:
        hint = "" if "username" in arguments else f"; `chat4all login {username or 'USERNAME'}`"
        return out.fail(f"{error}{hint}", Exit.FAILED)
    except ApiError as error:
        return out.fail(str(error), Exit.WRONG if isinstance(error, InvalidRequest) else Exit.FAILED)
    except (ClientError, CliError) as error:
        return out.fail(str(error), Exit.FAILED)
    except OSError as error:
        if error.errno == errno.EPIPE:  # whoever read the output has enough of it
            raise
        return tell_fault(out, error)


async def _renew_demo_user(session: Session) -> None:
    """If the demo user's session has ended, or the user is gone, begin another one: nobody knows the password."""
    from chat4all import NotFound, NotLoggedIn
    from chat4all.cli.demo_user import DemoUsers

    demo = DemoUsers(session.client.url).known()
    if demo is None or demo.username != session.username:
        return
    try:
        await session.client.me()
    except (NotLoggedIn, NotFound):
        await session.become_demo_user()


def _tell_unconfirmed(out: Output, error: Unconfirmed) -> Exit:
    told = f"`chat4all status {error.message_id}` tells. " if error.message_id else ""
    more = "".join(getattr(error, "__notes__", ()))  # options that the repetition needs beside the key
    again = f"{told}The same command with --key {error.idempotency_key}{more} makes one message of both."
    known = {"message_id": error.message_id or None, "idempotency_key": error.idempotency_key}
    return out.fail(f"{error}. {again}", Exit.NO_API, may_have_been_accepted=True, **known)


def _not_logged_in(username: str, url: str) -> str:
    if username:
        return f"not logged in as {username} at {url}: `chat4all login {username}`"
    return (
        f"not logged in at {url}: `chat4all login USERNAME`, or `chat4all register USERNAME` for a new account, "
        "or `chat4all send`, which makes one for trying things out"
    )


def _checked(url: str) -> str:
    """Return ``url`` if it can be where an API is. Raises ``click.UsageError``."""
    try:
        found = urlsplit(url)
        is_possible = found.scheme in ("http", "https") and bool(found.hostname) and found.port != 0
    except ValueError:  # a port that is none, a bracket that is open
        is_possible = False
    if not is_possible:
        raise click.UsageError(f"{url!r} is no address of an API: expected one such as http://127.0.0.1:8080")
    return url
