"""`chat4all send`: one message, and its life as it happens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cli.client import Accepted, Change, has_reached
from cli.client.answers import iso_of
from cli.demo_user import log_in
from cli.files import attached, forget
from cli.output import Exit, Output, file_facts, printable, word
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

    def begin(self, recipient: str, file: Mapping[str, Any] | None) -> None:
        """Tell which message it is."""
        if file is not None:
            self.out.document({"event": "file", **file}, f"file {file['file_id']} ({file_facts(file)})")
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
    attachment: str | None = None,
) -> Exit:
    """Send, follow for at most ``seconds``, and return the exit code. Who is not logged in becomes the demo user.

    ``attachment``: the path of a file, which is uploaded first, or the id of one that is there.
    """
    client = session.client
    if not client.token:
        session.username = (await log_in(client)).username
    file: dict[str, Any] | None = None
    if attachment is not None:
        file = await attached(session, attachment, recipient, conversation)
        conversation = conversation or file["conversation_id"]
    accepted = await client.send(
        recipient, text, conversation, file_id=file["file_id"] if file else None, idempotency_key=key
    )
    if attachment is not None and key is None:  # with a key the same command sends the same file again
        await forget(session, Path(attachment), accepted.conversation_id)
    story = Story(session.out, accepted)
    story.begin(recipient or "everyone", file)
    async for change in client.follow(accepted.message_id, until, seconds):
        story.tell(change)
    if has_reached(story.seen, until):
        return Exit.DONE
    if Status.FAILED not in story.seen:
        session.out.fail(f"it is not {until} after {seconds:g} s", Exit.FAILED)
    return Exit.FAILED


def duration(took_ms: int | None) -> str:
    """Return ``+57 ms`` or ``+1.84 s``, or nothing."""
    if took_ms is None:
        return ""
    return f"+{took_ms} ms" if took_ms < 1000 else f"+{took_ms / 1000:.2f} s"
