"""`chat4all send`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from chat4all.cli.command_line import Seconds, Span
from chat4all.cli.content_options import content_of, content_options, has_no_text
from chat4all.cli.output import word
from chat4all.cli.session import Session, api_command
from chat4all.cli.stdin import text_of_stdin

if TYPE_CHECKING:
    from datetime import datetime

_WORDS = ("ACCEPTED", "SENT", "DELIVERED", "READ")


@click.command()
@click.argument("words", nargs=-1, metavar="[RECIPIENT] [TEXT]")
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="PATH|FILE_ID",
    type=click.Path(),
    help="Goes with it: a file of this machine, uploaded first, or one that is uploaded already.",
)
@content_options
@click.option("--conversation", metavar="ID", help="Default: the direct one with the recipient.")
@click.option(
    "--wait",
    "until",
    type=click.Choice(_WORDS, case_sensitive=False),
    help="How far to follow it. Default: as far as it comes by itself: READ on a channel, SENT to a user.",
)
@click.option("--key", metavar="KEY", help="One key is one message, however often it is sent. Default: a new one.")
@click.option("--account", "channel_account", metavar="NAME", help="Which account on the channel sends it.")
@click.option("--expires-in", type=Span(), metavar="SPAN", help="Not sent later than in 90s, 30m, 2h, 1d.")
@click.option(
    "--expires-at", metavar="TIME", help="Not sent later: a time with an offset. Take it where a --key is repeated."
)
@click.option(
    "--priority", type=click.Choice(("normal", "bulk")), help="bulk gives way to the account's other messages."
)
@click.option(
    "--timeout", "seconds", type=Seconds(), default=30.0, show_default=True, help="How long to follow it at most."
)
@api_command(needs_login=False)
async def send(
    session: Session,
    words: tuple[str, ...],
    files: tuple[str, ...],
    conversation: str | None,
    until: str | None,
    key: str | None,
    channel_account: str | None,
    expires_in: float | None,
    expires_at: str | None,
    priority: Literal["normal", "bulk"] | None,
    seconds: float,
    **content: Any,
) -> int:
    """Send TEXT to RECIPIENT (whatsapp:+5511999999999, or user:NAME), and watch what becomes of it.

    Without a recipient it goes to everyone in the --conversation. TEXT - is read from stdin; with a --file it may be
    left out, with a --template or a --location it must be. A message has one file at most; an upload that was
    interrupted goes on when the same command is run again.
    Without a login it makes a demo user, for whom later commands act, too. The exit code is 1 also when the message did
    not get as far as --wait says.
    """
    from chat4all.cli.sending import DeliveryOptions, send_and_follow
    from chat4all.contract import MAX_CONTENT_BYTES, Status

    if len(files) > 1:
        raise click.UsageError("a message has one file at most; send a message for each")
    fields = content_of(content)
    has_other = bool(files) or has_no_text(fields)
    recipient, text = recipient_and_text(words, has_other=has_other, has_conversation=conversation is not None)
    if text == "-":
        text = text_of_stdin(MAX_CONTENT_BYTES)
    wanted = Status(until.upper()) if until else None
    attachment = files[0] if files else None
    options = DeliveryOptions(channel_account, expiry_of(expires_in, expires_at), priority)
    return await send_and_follow(
        session, recipient, text, conversation, wanted, seconds, key, attachment, options, fields
    )


@click.command()
@click.argument("message_id")
@click.argument("emoji", default="")
@api_command()
async def react(session: Session, message_id: str, emoji: str) -> None:
    """React to a message with EMOJI; without one the reaction is taken back."""
    accepted = await session.client.react(message_id, emoji)
    document = {"message_id": accepted.message_id, "conversation_id": accepted.conversation_id}
    session.out.document(document, f"{word('ACCEPTED')}  {emoji or 'taken back'}")


def expiry_of(expires_in: float | None, expires_at: str | None) -> datetime | None:
    """Return the time of one of the two options."""
    from datetime import UTC, datetime, timedelta

    if expires_in is not None and expires_at is not None:
        raise click.UsageError("give --expires-in or --expires-at, not both")
    if expires_in is not None:
        return datetime.now(UTC) + timedelta(seconds=expires_in)
    if expires_at is None:
        return None
    try:
        found = datetime.fromisoformat(expires_at.upper())
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise click.UsageError(f"{expires_at!r} is no time with an offset, such as 2026-11-28T22:00:00Z")
    return found


def recipient_and_text(words: tuple[str, ...], *, has_other: bool, has_conversation: bool) -> tuple[str | None, str]:
    """Return recipient and text.

    ``has_other``: a file, a template or a location goes. A single word is then the recipient if it has the form of one.
    """
    if len(words) > 2:
        raise click.UsageError("expected RECIPIENT TEXT; put the text in quotes")
    if len(words) == 2:
        return words
    if not words:
        if not has_other:
            raise click.UsageError("expected RECIPIENT TEXT, or --conversation ID TEXT, or a --file")
        if not has_conversation:
            raise click.UsageError("the recipient is missing: expected RECIPIENT --file PATH, or --conversation ID")
        return None, ""
    [only] = words
    if has_other and (not has_conversation or _is_recipient(only)):
        return only, ""
    if _is_recipient(only):
        raise click.UsageError(f'the text is missing: chat4all send {only} "hello"')
    if not has_conversation:
        raise click.UsageError("the recipient is missing: expected RECIPIENT TEXT, or --conversation ID TEXT")
    return None, only


def _is_recipient(word: str) -> bool:
    """Return whether it is channel:address, user:name or the id of a user, rather than a text."""
    from chat4all.contract import CHANNELS, is_uuid

    channel, colon, address = word.partition(":")
    is_address = bool(colon) and channel.lower() in (*CHANNELS, "user") and not any(map(str.isspace, address))
    return is_address or is_uuid(word.lower())
