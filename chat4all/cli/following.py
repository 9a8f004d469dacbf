"""Follow a message: how far, and the lines printed on the way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import click

from chat4all import Accepted, Change, changes_of, has_reached
from chat4all.answers import iso_of
from chat4all.cli.output import Exit, Output, file_facts, printable, word
from chat4all.cli.session import Session
from chat4all.contract import INTERNAL, Status, is_address

MOST_SHOWN = 8  # recipients whose changes are shown one by one; of more, only what the message as a whole has reached
_WIDTH = max(len(word) for word in Status)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is waited for. ``until``: for the message as a whole; ``None``: as far as it will come by itself at each of
    its recipients, which is READ on a channel and SENT to a user of the system."""

    until: Status | None
    if_alone: Status = Status.SENT

    def open_at(self, message: Mapping[str, Any]) -> int:
        """Return at how many recipients something is still expected."""
        deliveries = message.get("deliveries") or ()
        if self.until is not None or not deliveries:
            return int(not _is_settled(message, self.until or self.if_alone))
        return sum(not _is_settled(one, _expected_of(one)) for one in deliveries)

    def __str__(self) -> str:
        return str(self.until or self.if_alone)


async def goal_of(session: Session, accepted: Accepted, recipient: str | None, until: Status | None) -> Goal:
    """Return how far to follow a message to ``recipient`` (``None``: everyone); ``until``: as the user wishes."""
    if until is not None:
        return Goal(until)
    if recipient is not None:
        return Goal(Status.READ if _is_on_a_channel(recipient) else Status.SENT)
    conversation = await session.client.conversation(accepted.conversation_id)
    others = [one for one in conversation["participants"] if one != session.client.user_id]
    all_on_channels = bool(others) and all(map(_is_on_a_channel, others))
    return Goal(None, Status.READ if all_on_channels else Status.SENT)


def _is_on_a_channel(recipient: str) -> bool:
    return is_address(recipient) and recipient.partition(":")[0].lower() not in (INTERNAL, "user")


def _expected_of(delivery: Mapping[str, Any]) -> Status:
    return Status.SENT if delivery["channel"] == INTERNAL else Status.READ


def _is_settled(one: Mapping[str, Any], until: Status) -> bool:
    return one["status"] == Status.FAILED or has_reached([Status(one["status"])], until)


@dataclass
class Story:
    """Prints a message's life: a line for each change, with its time and how long it took."""

    session: Session
    accepted: Accepted
    last: datetime | None = None
    told: set[tuple[str, Status]] = field(default_factory=set)
    message: Mapping[str, Any] = field(default_factory=dict)
    parties: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)

    @property
    def out(self) -> Output:
        return self.session.out

    def begin(self, recipient: str, file: Mapping[str, Any] | None) -> None:
        """Print the ids of the message and its file."""
        if file is not None:
            self.out.document({"event": "file", **file}, f"file {file['file_id']} ({file_facts(file)})")
        if not self.out.as_json:
            conversation = printable(self.accepted.conversation_id)
            click.echo(f"message {self.accepted.message_id} to {printable(recipient)}, conversation {conversation}")

    def go_on(self, message: Mapping[str, Any]) -> None:
        """Print new status changes: of the message as a whole, or for each recipient if they are few."""
        self.message = message
        deliveries = message.get("deliveries") or ()
        one_by_one = 1 < len(deliveries) <= MOST_SHOWN
        news = [(change, "") for change in changes_of(message)]
        if one_by_one:
            if not self.out.as_json:  # which has what the message as a whole has reached, too
                news = [(change, "") for change, _ in news if change.status is Status.ACCEPTED]
            news += [(change, str(one["recipient_id"])) for one in deliveries for change in changes_of(one)]
            self.parties = {one["recipient_id"]: one.get("recipient") for one in deliveries}
        for change, recipient in sorted(news, key=lambda pair: pair[0].at):
            if (recipient, change.status) not in self.told:
                self.told.add((recipient, change.status))
                self._tell(change, recipient)

    def end(self, goal: Goal, seconds: float) -> Exit:
        """Print the missing status changes, and return the exit code."""
        deliveries = self.message.get("deliveries") or ()
        failed = [one for one in deliveries if one["status"] == Status.FAILED]
        if len(deliveries) > MOST_SHOWN and not self.out.as_json:
            counts = Counter(one["status"] for one in deliveries)
            click.echo(", ".join(f"{counts[status]} {word(status)}" for status in Status if counts[status]))
            for one in failed[:MOST_SHOWN]:
                click.echo(f"{word(Status.FAILED)}  {self._who(one['recipient_id'])}  {_reason(one)}")
        if not self.message or (missing := goal.open_at(self.message)):
            of = f" for {missing} of {len(deliveries)}" if len(deliveries) > 1 and goal.until is None else ""
            what = "as far as was expected" if of else str(goal)
            return self.out.fail(f"it is not {what}{of} after {seconds:g} s", Exit.FAILED)
        return Exit.FAILED if failed or self.message["status"] == Status.FAILED else Exit.DONE

    def _tell(self, change: Change, recipient: str) -> None:
        took_ms = None if self.last is None else max(0, round((change.at - self.last).total_seconds() * 1000))
        self.last = change.at
        if self.out.as_json:
            at = iso_of(round(change.at.timestamp() * 1000))
            words = {"event": "status", "message_id": self.accepted.message_id, "status": change.status, "at": at}
            whose = {"recipient_id": recipient} if recipient else {}
            click.echo(json.dumps({**words, "took_ms": took_ms, "detail": change.detail or None, **whose}))
            return
        at = change.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
        who = self._who(recipient) if recipient else ""
        parts = (word(change.status, _WIDTH), at, duration(took_ms), who, printable(change.detail))
        click.echo("  ".join(part for part in parts if part))

    def _who(self, recipient: str) -> str:
        return self.session.name_of(recipient, self.parties.get(recipient))


def _reason(one: Mapping[str, Any]) -> str:
    return printable((one.get("failure") or {}).get("detail"))


def duration(took_ms: int | None) -> str:
    """Return ``+57 ms`` or ``+1.84 s``, or nothing."""
    if took_ms is None:
        return ""
    return f"+{took_ms} ms" if took_ms < 1000 else f"+{took_ms / 1000:.2f} s"
