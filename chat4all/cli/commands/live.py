"""`chat4all tail`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from chat4all.cli.command_line import Seconds
from chat4all.cli.kinds_shown import content_line, is_inbound
from chat4all.cli.output import Exit, clock, printable, word
from chat4all.cli.session import Session, api_command
from chat4all.cli.shares import shares

if TYPE_CHECKING:
    from chat4all.cli.seen import Seen


@click.command()
@click.argument("conversations", nargs=-1, metavar="[CONVERSATION_ID]...")
@click.option("--since", metavar="CURSOR", help="Begin after this cursor, which is in each line of --json.")
@click.option("-n", "--count", type=click.IntRange(1), help="End after so many messages and changes.")
@click.option(
    "--timeout", "seconds", type=Seconds(above_zero=True), help="End after so long, with 1 if --count was not reached."
)
@api_command()
async def tail(
    session: Session, conversations: tuple[str, ...], since: str | None, count: int | None, seconds: float | None
) -> Exit:
    """Show messages and their changes as they happen, of all your conversations or of some; Ctrl-C ends it.

    A connection that is lost is made again, and nothing is missed. --json: the API's frames, one a line.
    """
    import asyncio
    from contextlib import aclosing

    from chat4all.cli.seen import Seen

    for conversation in conversations:  # of one that is not there nothing would ever be shown
        await session.client.conversation(conversation)
    seen = Seen(session.client)
    shown = 0
    try:
        async with asyncio.timeout(seconds), aclosing(session.client.notifications(since)) as frames:  # type: ignore[type-var]
            async for frame in frames:
                if frame.get("conversation_id", "") in (*conversations, "") or not conversations:
                    await _show(session, seen, frame)
                    shown += "message_id" in frame
                if shown == count:
                    break
    except TimeoutError:
        return Exit.FAILED if count else Exit.DONE
    except asyncio.CancelledError:  # Ctrl-C
        return Exit.DONE
    return Exit.DONE


async def _show(session: Session, seen: Seen, frame: dict[str, Any]) -> None:
    text = "" if session.out.as_json else " ".join(filter(None, await _words(session, seen, frame)))
    session.out.document(frame, text)


async def _words(session: Session, seen: Seen, frame: dict[str, Any]) -> list[str]:
    kind = frame.get("type")
    if kind == "new_message":
        seen.note(frame)
        sender = session.name_of(frame["sender_id"], frame.get("sender"))
        arrow = "<-" if is_inbound(frame) else ""
        return [_time(frame), _where(frame), arrow, click.style(sender, bold=True), content_line(frame)]
    if kind == "status":
        gist = await seen.gist(frame["message_id"])
        whose = [] if gist is None else [f"-> {session.name_of(gist.recipient_id, gist.recipient)}", gist.text]
        detail = printable((frame.get("failure") or {}).get("detail"))
        message_id = click.style(printable(frame["message_id"]), dim=True)
        return [_time(frame), _where(frame), word(frame["status"]), shares(frame), *whose, detail, message_id]
    detail = "live" if kind == "connected" else printable(frame.get("detail") or kind)
    return [click.style(f"{_time(frame)} {detail}", dim=True)]


def _where(frame: dict[str, Any]) -> str:
    return click.style(f"[{printable(frame['conversation_id'])}]", dim=True)


def _time(frame: dict[str, Any]) -> str:
    from chat4all.answers import iso_of

    return clock(iso_of(int(frame.get("timestamp", 0)))).partition(" ")[2]
