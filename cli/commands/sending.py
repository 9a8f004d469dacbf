"""`chat4all send`."""

from __future__ import annotations

import sys

import click

from cli.session import Session, api_command

_WORDS = ("ACCEPTED", "SENT", "DELIVERED", "READ")


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[RECIPIENT] TEXT")
@click.option("--conversation", metavar="ID", help="Default: one of your own for this recipient.")
@click.option(
    "--wait", "until", type=click.Choice(_WORDS, case_sensitive=False),
    help="How far to follow it. Default: READ on a channel, SENT to users of the system.",
)  # fmt: skip
@click.option("--key", metavar="KEY", help="One key is one message, however often it is sent. Default: a new one.")
@click.option("--timeout", "seconds", default=30.0, show_default=True, help="Seconds to follow it for at most.")
@api_command(needs_login=False)
async def send(
    session: Session,
    words: tuple[str, ...],
    conversation: str | None,
    until: str | None,
    key: str | None,
    seconds: float,
) -> int:
    """Send TEXT to RECIPIENT (whatsapp:+5511999999999, or a user's id), and watch what becomes of it.

    Without a recipient it goes to everyone in the --conversation. TEXT - is read from stdin. Who is not logged in sends
    as a local demo user. The exit code is 1 also when it did not get as far as --wait says.
    """
    from cli.sending import send_and_follow
    from domain.recipients import CHANNELS
    from domain.status import Status

    if len(words) > 2:
        raise click.UsageError("expected RECIPIENT TEXT; put the text in quotes")
    recipient, text = words if len(words) == 2 else (None, words[0])
    if recipient is None and conversation is None:
        raise click.UsageError("without a recipient, --conversation must say which one it is for")
    if text == "-":
        text = sys.stdin.read()
    is_on_a_channel = recipient is not None and recipient.partition(":")[0].lower() in CHANNELS
    wanted = Status(until.upper()) if until else Status.READ if is_on_a_channel else Status.SENT
    return await send_and_follow(session, recipient, text, conversation, wanted, seconds, key)
