"""`chat4all dead-letters`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from chat4all.cli.commands.listing import ListByDefault
from chat4all.cli.output import Exit, clock, counted, printable
from chat4all.cli.session import Session, api_command

_TOLD_REFUSALS = 10


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--until", metavar="TIME", help="Dead-lettered at or before it."),
        click.option("--since", metavar="TIME", help="Dead-lettered at or after it, such as 2025-11-22T22:00:00Z."),
        click.option("--conversation", "conversation_id", metavar="ID"),
        click.option("--topic", help="Where the record was, such as whatsapp-outbound."),
        click.option("--reason", help="The reason's code, such as expired."),
    ):
        command = option(command)
    return command


_note = click.option("--note", default="", help="Why, for the record.")
_again = click.option("--again", is_flag=True, help="Also if it was redriven or discarded before.")
_dry_run = click.option("--dry-run", is_flag=True, help="Change nothing; tell what would be done.")
_all = click.option("--all", "everything", is_flag=True, help="Every dead letter; needed without a filter.")


@click.group("dead-letters", cls=ListByDefault)
def dead_letters() -> None:
    """Records that could not be processed, for admins; without a command: list those that are open."""


@dead_letters.command("list")
@_filters
@click.option(
    "--state",
    type=click.Choice(["open", "redriven", "discarded", "all"]),
    default="open",
    show_default=True,
    help="What was done about them.",
)
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many.")
@api_command()
async def list_letters(session: Session, state: str, limit: int, **filters: str | None) -> None:
    """List them, the oldest first."""
    letters = session.client.dead_letters(state=None if state == "all" else state, limit=limit, **filters)
    found = [one async for one in letters]
    session.out.table("dead_letters", found, [_row(one) for one in found])


@dead_letters.command("show")
@click.argument("letter_id")
@api_command()
async def show_letter(session: Session, letter_id: str) -> None:
    """Show one with its record."""
    found = await session.client.dead_letter(letter_id)
    session.out.document(found, _story(found))


@dead_letters.command("redrive")
@click.argument("letter_ids", nargs=-1, metavar="[ID]...")
@_filters
@_all
@_dry_run
@_note
@_again
@click.option("--may-repeat", is_flag=True, help="Also what the channel may have: the person may get it twice.")
@api_command()
async def redrive(session: Session, letter_ids: tuple[str, ...], **options: Any) -> int:
    """Send the records again: those named by ID, or those that a filter wants, in the order of the log.

    A letter is redriven once; to repeat the command is safe.
    """
    return await _resolve(session, "redrive", letter_ids, **options)


@dead_letters.command("discard")
@click.argument("letter_ids", nargs=-1, metavar="[ID]...")
@_filters
@_all
@_dry_run
@_note
@_again
@api_command()
async def discard(session: Session, letter_ids: tuple[str, ...], **options: Any) -> int:
    """Put on record that they need nothing more: those named by ID, or those that a filter wants.

    Nothing is sent or deleted.
    """
    return await _resolve(session, "discard", letter_ids, **options)


async def _resolve(
    session: Session, verb: str, letter_ids: tuple[str, ...], *, everything: bool, dry_run: bool, **options: Any
) -> int:
    filters = ("reason", "topic", "conversation_id", "since", "until")
    chosen = {name: options.pop(name) for name in filters}
    has_filter = any(value is not None for value in chosen.values())
    if bool(letter_ids) == (everything or has_filter):
        raise click.UsageError("name letters by ID, or give a filter, or --all")
    if letter_ids:
        return await _resolve_named(session, verb, letter_ids, dry_run=dry_run, **options)
    total = {"resolved": 0, "already": 0, "under_way": 0, "refused": 0}
    refusals: list[dict[str, Any]] = []
    async for part in session.client.resolve_dead_letters(verb, dry_run=dry_run, all=everything, **chosen, **options):
        for name in total:
            total[name] += len(part[name])
        refusals += part["refused"]
    document = {"action": verb, "dry_run": dry_run, **total, "refusals": refusals}
    session.out.document(document, _summary(verb, total, refusals, dry_run=dry_run))
    return Exit.FAILED if (refusals or total["under_way"]) and not dry_run else Exit.DONE


async def _resolve_named(
    session: Session, verb: str, letter_ids: tuple[str, ...], *, dry_run: bool, **options: Any
) -> int:
    client = session.client
    for letter_id in letter_ids:
        if dry_run:
            letter = await client.dead_letter(letter_id)
            is_due = letter["state"] == "open" or options["again"]
            words = f"would {verb} {_line(letter)}" if is_due else f"{_line(letter)}: already {letter['state']}"
        else:
            act = client.redrive_dead_letter if verb == "redrive" else client.discard_dead_letter
            letter = await act(letter_id, **options)
            done = letter["resolution"]
            words = f"{_line(letter)}: {done['action']} by {printable(done['by'])} at {clock(done['at'])}"
        session.out.document(letter, words)
    return Exit.DONE


def _summary(verb: str, total: dict[str, int], refusals: list[dict[str, Any]], *, dry_run: bool) -> str:
    done = {"redrive": "redriven", "discard": "discarded"}[verb]
    lines = [f"{counted(total['resolved'], 'letter')} {'would be ' if dry_run else ''}{done}"]
    if total["already"]:
        lines.append(f"{total['already']} had been redriven or discarded before")
    if total["under_way"]:
        lines.append(f"{total['under_way']} are being redriven by another request: run this again in half a minute")
    if refusals:
        lines.append(f"{len(refusals)} refused:")
        lines += [f"  {printable(one['id'])}: {printable(one['detail'])}" for one in refusals[:_TOLD_REFUSALS]]
    if len(refusals) > _TOLD_REFUSALS:
        lines.append(f"  and {len(refusals) - _TOLD_REFUSALS} more")
    return "\n".join(lines)


def _line(letter: dict[str, Any]) -> str:
    return f"{letter['id']} ({printable(letter['topic'])}, {printable(letter['reason'])})"


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    return (
        one["id"],
        clock(one["at"]),
        printable(one["topic"]),
        printable(one["reason"]),
        one["state"],
        printable(one["conversation_id"] or ""),
        printable(one["message_id"] or ""),
    )


def _result(result: dict[str, Any]) -> str:
    """Return what became of a redrive as a sentence."""
    said = {
        "queued": "the worker queued it",
        "passed-over": f"the worker sent nothing: {printable(result['reason'] or '-')}",
    }.get(result["outcome"], "the worker has not told yet what it did")
    failure = f" ({printable(result['failure']['code'] or '-')})" if result["failure"] else ""
    return f"{said}; the delivery is {printable(result['status'] or 'not readable now')}{failure}"


def _story(one: dict[str, Any]) -> str:
    record = f"{printable(one['topic'])}[{one['partition']}]@{one['offset']}"
    conversation = printable(one["conversation_id"] or "-")
    lines = [
        f"dead letter {click.style(one['id'], bold=True)}  {clock(one['at'])}  {one['state']}",
        f"{printable(one['reason'])}: {one['reason_text']}",
        f"  {printable(one['detail'])}",
        f"record {record}, {counted(one['attempts'], 'attempt')}, conversation {conversation}",
    ]
    if (done := one["resolution"]) is not None:
        unfinished = "" if done["is_done"] else " (not finished: redrive it again)"
        note = f": {printable(done['note'])}" if done["note"] else ""
        lines.append(f"{done['action']} by {printable(done['by'])} at {clock(done['at'])}{note}{unfinished}")
    if (result := one.get("result")) is not None:
        lines.append(_result(result))
    value = one["value_json"]
    lines.append(printable(json.dumps(value, ensure_ascii=False)) if value is not None else one["value_base64"] or "-")
    return "\n".join(lines)
