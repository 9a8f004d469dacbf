"""`chat4all send`: one message, and its life as it happens."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum

import click

from app.settings import Settings
from cli.client import Accepted, Change, Client, Refused, Unreachable, has_reached
from cli.demo_user import log_in
from domain.status import Status

_COLOURS = {Status.READ: "green", Status.DELIVERED: "cyan", Status.SENT: "blue", Status.FAILED: "red"}
_WIDTH = max(len(word) for word in Status)


class Exit(IntEnum):
    """The command's exit codes; click's own for wrong usage is 2."""

    REACHED = 0
    NOT_REACHED = 1
    WRONG = 2
    NO_API = 3


@dataclass
class Story:
    """Prints a message's life: a line for each change, with its time and how long it took."""

    as_json: bool
    accepted: Accepted | None = None
    last: datetime | None = None
    seen: set[Status] = field(default_factory=set)

    def begin(self, accepted: Accepted, recipient: str) -> None:
        """Tell which message it is."""
        self.accepted = accepted
        if not self.as_json:
            click.echo(f"message {accepted.message_id} to {recipient}, conversation {accepted.conversation_id}")

    def tell(self, change: Change) -> None:
        """Tell one change."""
        assert self.accepted is not None
        took_ms = None if self.last is None else round((change.at - self.last).total_seconds() * 1000)
        self.last = change.at
        self.seen.add(change.status)
        if self.as_json:
            at = change.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            words = {"event": "status", "message_id": self.accepted.message_id, "status": change.status, "at": at}
            click.echo(json.dumps({**words, "took_ms": took_ms, "detail": change.detail or None}))
            return
        word = click.style(f"{change.status:<{_WIDTH}}", fg=_COLOURS.get(change.status), bold=True)
        clock = change.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
        click.echo("  ".join(part for part in (word, clock, duration(took_ms), change.detail) if part))

    def fail(self, detail: str, code: Exit) -> Exit:
        """Tell why it goes no further."""
        if self.as_json:
            click.echo(json.dumps({"event": "error", "detail": detail, "exit_code": code}))
        else:
            click.echo(f"Error: {detail}", err=True)
        return code


async def send_and_follow(
    settings: Settings,
    recipient: str,
    text: str,
    conversation: str | None,
    until: Status,
    seconds: float,
    as_json: bool,
) -> int:
    """Send, follow for at most ``seconds``, and return the exit code."""
    story = Story(as_json)
    try:
        async with Client(api_url(settings)) as client:
            user = await log_in(client)
            accepted = await client.send(recipient, text, conversation or conversation_of(user.username, recipient))
            story.begin(accepted, recipient)
            async for change in client.follow(accepted.message_id, until, seconds):
                story.tell(change)
    except Unreachable as error:
        return story.fail(f"{error}. Is it running? `chat4all run` starts everything.", Exit.NO_API)
    except Refused as error:
        return story.fail(str(error), Exit.WRONG if 400 <= error.status < 500 else Exit.NOT_REACHED)
    if has_reached(story.seen, until):
        return Exit.REACHED
    if Status.FAILED not in story.seen:
        story.fail(f"it is not {until} after {seconds:g} s", Exit.NOT_REACHED)
    return Exit.NOT_REACHED


def api_url(settings: Settings) -> str:
    """Return where this machine reaches the API."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "", "::") else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def conversation_of(username: str, recipient: str) -> str:
    """Return the id of the demo user's conversation with a recipient."""
    return f"{username}-{re.sub(r'[^A-Za-z0-9]+', '-', recipient).strip('-')}"[:100]


def duration(took_ms: int | None) -> str:
    """Return ``+57 ms`` or ``+1.84 s``, or nothing."""
    if took_ms is None:
        return ""
    return f"+{took_ms} ms" if took_ms < 1000 else f"+{took_ms / 1000:.2f} s"
