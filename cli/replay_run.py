"""`chat4all replay run`: accepted messages through today's code, compared with what became of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.commands import read_settings, sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.shadow_run import Change
    from app.settings import Settings

_TIME = "Such as 10m or 2h (ago), 2026-11-28T14:03 (UTC), or epoch milliseconds."
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("run")
@click.option("--since", metavar="TIME", help=f"Messages of the log from this time on. {_TIME}")
@click.option("--until", metavar="TIME", help="Before this time. Default: to the end as it is now.")
@click.option("--recording", type=_FILE, help="A recording instead of the log.")
@click.option("--accept", is_flag=True, help="Write today's outcomes into the recording.")
@click.option("--record", "target", type=_FILE, help="Write the messages and today's outcomes into a new recording.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def run(
    since: str | None, until: str | None, recording: Path | None, accept: bool, target: Path | None, as_json: bool
) -> None:
    """Run accepted messages through today's code, with the channels inside this process; nothing is sent.

    Shows each other route, status or text, and ends with 1 if there is one. Compared are the outcomes in a recording,
    or on the log: the requests, and whether the message failed. The log's failures at a real provider show as a
    difference, since the channel here takes the message.
    """
    import asyncio

    if (since is None) == (recording is None):
        raise click.UsageError("give --since or --recording")
    if accept and recording is None:
        raise click.UsageError("--accept goes with --recording")
    with sentences():
        if recording is not None:
            found, count = _run_recording(recording, accept)
        else:
            found, count, lines = asyncio.run(_run_log(read_settings(), since or "", until))
            if target is not None:
                target.write_bytes(b"".join(lines))
    _show(found, as_json)
    click.echo(f"{count:,} messages, {len(found):,} changes", err=True)
    if found and not accept:
        raise SystemExit(1)


def _run_recording(file: Path, is_accepted: bool) -> tuple[list[Change], int]:
    import asyncio

    from agents.shadow_recording import compared
    from domain.errors import InvalidInput

    try:
        lines = file.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}", "recording") from None
    found, anew = asyncio.run(compared(lines))
    if is_accepted and found:
        file.write_bytes(b"".join(anew))
    return found, len(anew)


async def _run_log(settings: Settings, since: str, until: str | None) -> tuple[list[Change], int, list[bytes]]:
    """Return the changes, the number of messages, and a recording. One partition's requests and facts are in memory."""
    from aiokafka import TopicPartition

    from agents.shadow_log import ShadowLog
    from app.clock import now_ms
    from app.kafka.topics import Topics
    from app.replay.moments import moment_ms
    from app.replay.span import Span, open_consumer
    from domain.recipients import CHANNELS

    since_ms = moment_ms(since, now_ms())
    until_ms = None if until is None else moment_ms(until, now_ms())
    names, found, count = Topics(settings.topic_prefix), [], 0
    topics = [names.messages, names.status_updates, *map(names.outbound, CHANNELS)]
    lines: list[bytes] = []
    async with open_consumer(settings) as consumer:
        for number in range(settings.partitions):
            log = ShadowLog(names, until_ms)
            tps = [TopicPartition(topic, number) for topic in topics]
            async for record in Span(consumer, tps, since_ms).records():
                log.add(record)
            found += await log.changes()
            count += len(log.messages)
            lines += log.lines
    return found, count, lines


def _show(found: Sequence[Change], as_json: bool) -> None:
    for one in found:
        if as_json:
            document = {"message_id": one.message_id, "address": one.address, "what": one.what}
            click.echo(json.dumps({**document, "before": one.before, "after": one.after}))
        else:
            click.echo(str(one))
