"""`chat4all send`: one message, and its life as it happens."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime

import click

from cli.client import Accepted, Change, has_reached
from cli.client.answers import iso_of
from cli.demo_user import log_in
from cli.output import Exit, Output, printable, word
from cli.session import Session
from domain.status import Status

_WIDTH = max(len(word) for word in Status)


@dataclass
class Story:
    """Prints a message's life: a line for each change, with its time and how long it took."""

    out: Output
    accepted: Accepted
    last: datetime | None = None
    seen: set[Status] = field(default_factory=set)

    def begin(self, recipient: str) -> None:
        """Tell which message it is."""
        if not self.out.as_json:
            conversation = printable(self.accepted.conversation_id)
            click.echo(f"message {self.accepted.message_id} to {printable(recipient)}, conversation {conversation}")

    def tell(self, change: Change) -> None:
        """Tell one change."""
        took_ms = None if self.last is None else round((change.at - self.last).total_seconds() * 1000)
        self.last = change.at
        self.seen.add(change.status)
        if self.out.as_json:
            at = iso_of(round(change.at.timestamp() * 1000))
            words = {"event": "status", "message_id": self.accepted.message_id, "status": change.status, "at": at}
            click.echo(json.dumps({**words, "took_ms": took_ms, "detail": change.detail or None}))
            return
        at = change.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
        parts = (word(change.status, _WIDTH), at, duration(took_ms), printable(change.detail))
        click.echo("  ".join(part for part in parts if part))


async def send_and_follow(
    session: Session,
    recipient: str | None,
    text: str,
    conversation: str | None,
    until: Status,
    seconds: float,
    key: str | None = None,
) -> Exit:
    """Send, follow for at most ``seconds``, and return the exit code. Who is not logged in becomes the demo user."""
    client, sender = session.client, session.username
    if not client.token:
        sender = (await log_in(client)).username
    conversation = conversation or conversation_of(sender, recipient or "")
    accepted = await client.send(recipient, text, conversation, idempotency_key=key)
    story = Story(session.out, accepted)
    story.begin(recipient or "everyone")
    async for change in client.follow(accepted.message_id, until, seconds):
        story.tell(change)
    if has_reached(story.seen, until):
        return Exit.DONE
    if Status.FAILED not in story.seen:
        session.out.fail(f"it is not {until} after {seconds:g} s", Exit.FAILED)
    return Exit.FAILED


def conversation_of(username: str, recipient: str) -> str:
    """Return the id of a user's own conversation with a recipient."""
    return f"{username}-{re.sub(r'[^A-Za-z0-9]+', '-', recipient).strip('-')}"[:100]


def duration(took_ms: int | None) -> str:
    """Return ``+57 ms`` or ``+1.84 s``, or nothing."""
    if took_ms is None:
        return ""
    return f"+{took_ms} ms" if took_ms < 1000 else f"+{took_ms / 1000:.2f} s"
