"""`chat4all send`: one message, and its life as it happens."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from chat4all.cli.files import attached, forget
from chat4all.cli.following import Story, goal_of
from chat4all.cli.output import Exit
from chat4all.cli.session import Session
from chat4all.contract import Status
from chat4all.errors import Unconfirmed


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """What the sender asks of the delivery; ``None``: the default."""

    account: str | None = None
    expires_at: datetime | None = None
    priority: Literal["normal", "bulk"] | None = None

    @property
    def again(self) -> str:
        """The options that a repetition with the same key needs, since a span would end at another time."""
        return "" if self.expires_at is None else f" and --expires-at {self.expires_at.isoformat()}"


DEFAULTS = DeliveryOptions()


async def send_and_follow(
    session: Session,
    recipient: str | None,
    text: str,
    conversation: str | None,
    until: Status | None,
    seconds: float,
    key: str | None = None,
    attachment: str | None = None,
    options: DeliveryOptions = DEFAULTS,
    fields: Mapping[str, Any] | None = None,
) -> Exit:
    """Send, follow for at most ``seconds``, and return the exit code. Without a login, log in as the demo user.

    ``until``: how far to follow; ``None``: as far as it will come by itself. ``attachment``: the path of a file to
    upload first, or the id of a stored one. ``fields``: more arguments of ``Client.send``.
    """
    client = session.client
    if not client.token:
        await session.become_demo_user()
    file: dict[str, Any] | None = None
    if attachment is not None:
        file = await attached(session, attachment, recipient, conversation)
        conversation = conversation or file["conversation_id"]
    used_key = key or str(uuid.uuid4())
    try:
        accepted = await client.send(
            recipient,
            text,
            conversation,
            file_id=file["file_id"] if file else None,
            account=options.account,
            expires_at=options.expires_at,
            priority=options.priority,
            idempotency_key=used_key,
            **(fields or {}),
        )
    except Unconfirmed as error:
        error.add_note(options.again)
        raise
    except asyncio.CancelledError:  # Ctrl-C
        again = f"the same command with --key {used_key}{options.again} sends it once at most"
        session.out.fail(f"interrupted: the message may have been accepted; {again}", Exit.INTERRUPTED)
        raise
    if attachment is not None and key is None:  # with a key the same command sends the same file again
        await forget(session, Path(attachment), accepted.conversation_id)
    story = Story(session, accepted)
    story.begin(recipient or "everyone", file)
    goal = await goal_of(session, accepted, recipient, until)
    async for message in client.watch(accepted.message_id, seconds):
        story.go_on(message)
        if not goal.open_at(message):
            break
    return story.end(goal, seconds)
