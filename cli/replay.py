"""`chat4all replay`: read the topics again. No command of the group sends a message."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TextIO

import click

from chat4all.cli.command_line import Commands
from cli.commands import read_settings, sentences
from cli.replay_repair import repair
from cli.replay_reset import reset
from cli.replay_run import run
from cli.replay_webhooks import webhooks

if TYPE_CHECKING:
    from aiokafka import TopicPartition

    from app.replay.entries import Filter
    from app.replay.states import PastMessage
    from app.settings import Settings

_TIME = "Such as 10m or 2h (ago), 2026-11-28T14:03 (UTC), or epoch milliseconds."


@click.group(cls=Commands)
def replay() -> None:
    """Read the topics again: as a timeline, as the state at a past moment, through today's code. Nothing is sent."""


for command in (repair, reset, run, webhooks):
    replay.add_command(command)


@replay.command()
@click.argument("topics", nargs=-1)
@click.option("--since", metavar="TIME", help=f"From this time on. {_TIME} Default: from the first record.")
@click.option("--until", metavar="TIME", help="Before this time. Default: to the end as it is now.")
@click.option("--from-offset", type=click.IntRange(0), help="Of each partition only the records from this offset on.")
@click.option("--conversation", default="", metavar="ID", help="Only records of this conversation.")
@click.option("--message", default="", metavar="ID", help="Only records that name this message.")
@click.option("--account", default="", metavar="NAME", help="Only records of this account of ours.")
@click.option("--type", "type_", default="", metavar="TYPE", help="Only records of this type, such as StatusChanged.")
@click.option("--limit", type=click.IntRange(1), help="Stop after so many lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new records until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: place, key and value.")
@click.option("-o", "--output", type=click.File("w", encoding="utf-8", lazy=False), help="Write to this file.")
def show(
    topics: tuple[str, ...],
    since: str | None,
    until: str | None,
    from_offset: int | None,
    conversation: str,
    message: str,
    account: str,
    type_: str,
    limit: int | None,
    follow: bool,
    as_json: bool,
    output: TextIO | None,
) -> None:
    """Show the records of TOPICS in the order of their times; without TOPICS those of the whole pipeline.

    Changelogs are topics, too, and must be named. With --conversation only its partition is read.
    """
    import asyncio

    from app.replay.entries import Filter

    if follow and until is not None:
        raise click.UsageError("--follow has no end, so --until does not go with it")
    wanted = Filter(conversation, message, account, type_)
    with sentences():
        asyncio.run(_show(read_settings(), topics, (since, until), from_offset, wanted, limit, follow, as_json, output))


@replay.command()
@click.argument("message_id", default="")
@click.option("--conversation", default="", metavar="ID", help="All messages of this conversation.")
@click.option("--as-of", metavar="TIME", help=f"What had happened by then, by the times of the facts. {_TIME}")
@click.option("--known-at", metavar="TIME", help="What the log knew by then, by the broker's times.")
@click.option("--diff", "diffs", type=click.Choice(["live"]), help="Show only what differs from the state of now.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def at(
    message_id: str, conversation: str, as_of: str | None, known_at: str | None, diffs: str | None, as_json: bool
) -> None:
    """Show the state of MESSAGE_ID, of a conversation, or of everything at a past moment, by two clocks.

    A receipt that came late had happened before the log knew of it: --as-of and --known-at tell the two apart.
    """
    import asyncio

    with sentences():
        asyncio.run(_at(read_settings(), message_id.lower(), conversation, as_of, known_at, diffs is not None, as_json))


async def _show(
    settings: Settings,
    topics: tuple[str, ...],
    bounds: tuple[str | None, str | None],
    from_offset: int | None,
    wanted: Filter,
    limit: int | None,
    follows: bool,
    as_json: bool,
    output: TextIO | None,
) -> None:
    from app.clock import now_ms
    from app.replay.entries import document_of, json_of, line_of
    from app.replay.moments import moment_ms
    from app.replay.span import Span, open_consumer

    since, until = (None if text is None else moment_ms(text, now_ms()) for text in bounds)
    count = 0
    async with open_consumer(settings) as consumer:
        partitions = await _partitions(consumer, settings, topics, wanted.conversation_id)
        span = Span(consumer, partitions, since, until, from_offset=from_offset, follows=follows)
        with _progress(is_shown=not follows and output is not None and sys.stderr.isatty()) as progress:
            async for record in span.records(progress):
                document = document_of(record)
                if not wanted.accepts(record, document):
                    continue
                click.echo(json_of(record, document) if as_json else line_of(record, document), file=output)
                count += 1
                if limit is not None and count >= limit:
                    break
    if not count:
        click.echo("No record is as wanted.", err=True)


async def _at(
    settings: Settings,
    message_id: str,
    conversation_id: str,
    as_of: str | None,
    known_at: str | None,
    is_diff: bool,
    as_json: bool,
) -> None:
    from app.clock import now_ms
    from app.kafka.topics import Topics
    from app.replay.moments import moment_ms
    from app.replay.span import Span, open_consumer
    from app.replay.states import PastStates
    from domain.past_states import FOREVER_MS

    as_of_ms, known_at_ms = (FOREVER_MS if text is None else moment_ms(text, now_ms()) for text in (as_of, known_at))
    names, count = Topics(settings.topic_prefix), 0
    async with open_consumer(settings) as consumer:
        partitions = await _partitions(consumer, settings, (names.messages, names.status_updates), conversation_id)
        # a message has all its records on one partition number, so memory holds one at a time
        for number in sorted({tp.partition for tp in partitions}):
            past = PastStates(as_of_ms, known_at_ms, message_id=message_id, conversation_id=conversation_id)
            live = PastStates(message_id=message_id, conversation_id=conversation_id)
            async for record in Span(consumer, [tp for tp in partitions if tp.partition == number]).records():
                for states in (past, live) if is_diff else (past,):
                    (states.add_message if record.topic == names.messages else states.add_fact)(record)
            now = {one.message_id: _words(one) for one in live.found()}
            for one in past.found():
                if not is_diff or now[one.message_id] != _words(one):
                    _print(one, now.get(one.message_id), as_json)
                    count += 1
    if not count:
        click.echo("Nothing differs." if is_diff else "There was no such message then.", err=True)


async def _partitions(
    consumer: Any, settings: Settings, topics: tuple[str, ...], conversation_id: str
) -> list[TopicPartition]:
    """Return the partitions to read. Raises ``InvalidSetting`` for an unknown topic."""
    from aiokafka import TopicPartition

    from app.kafka.partitions import partition_for
    from app.kafka.topics import all_topics
    from app.replay.span import known_partitions
    from app.settings import InvalidSetting

    known = await known_partitions(consumer)
    chosen = topics or tuple(
        spec.name for spec in all_topics(settings) if spec.name in known and not spec.name.endswith("-changelog")
    )
    partitions: list[TopicPartition] = []
    for topic in dict.fromkeys(chosen):
        if topic not in known:
            raise InvalidSetting(f"there is no topic {topic}; `chat4all config` shows the prefix of their names")
        numbers = known[topic]
        if conversation_id and not topic.endswith(("-webhooks", "-inbound")):
            numbers = [partition_for(conversation_id.encode(), len(numbers))]
        partitions += [TopicPartition(topic, number) for number in numbers]
    return partitions


def _progress(is_shown: bool) -> AbstractContextManager[Callable[[int, int], None] | None]:
    """Return a context with a function that shows the progress of a long span on stderr; ``None`` if it is hidden."""
    return _Bar() if is_shown else nullcontext(None)


class _Bar(AbstractContextManager["Callable[[int, int], None]"]):
    """A progress bar that learns its length from the first call."""

    def __enter__(self) -> Callable[[int, int], None]:
        self._bar: Any = None
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()

    def _show(self, read: int, total: int) -> None:
        if self._bar is None:
            self._bar = click.progressbar(length=total, label="records", file=sys.stderr)
        self._bar.update(read - self._bar.pos)


def _words(one: PastMessage) -> dict[str, Any]:
    from app.replay.states import timeline

    facts = [
        (fact.at_ms, str(fact.status), fact.recipient_id, fact.attempt, fact.failure_code or "")
        for fact in timeline(one.state)
    ]
    return {"status": str(one.state.overall.status), "facts": facts}


def _print(one: PastMessage, live: dict[str, Any] | None, as_json: bool) -> None:
    import json

    from app.replay.entries import iso_of

    words = _words(one)
    if as_json:
        document = {
            "message_id": one.message_id,
            "conversation_id": one.conversation_id,
            "status": words["status"],
            "facts": [
                {"at": at, "status": status, "recipient_id": address, "attempt": attempt, "failure_code": code}
                for at, status, address, attempt, code in words["facts"]
            ],
        }
        click.echo(json.dumps(document if live is None else {**document, "live_status": live["status"]}))
        return
    now = "" if live is None else f"  (now {live['status']})"
    click.echo(f"{one.message_id}  {one.conversation_id}  {words['status']}{now}")
    for at_ms, status, address, attempt, code in words["facts"]:
        more = " ".join(text for text in (address, f"attempt {attempt}" if attempt else "", code) if text)
        click.echo(f"    {iso_of(at_ms)}  {status}  {more}".rstrip())
