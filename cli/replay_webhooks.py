"""`chat4all replay webhooks`: the raw webhooks once more, through today's parsers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from cli.commands import read_settings, sentences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.webhook_replay import Reparsed, WebhookReplay
    from app.kafka.batch_producer import BatchProducer
    from app.settings import Settings

_TIME = "Such as 10m or 2h (ago), 2026-11-28T14:03 (UTC), or epoch milliseconds."
_MOST_PENDING_BYTES = 16 << 20


@click.command()
@click.option("--since", required=True, metavar="TIME", help=f"From this time on. {_TIME}")
@click.option("--channel", default="", metavar="NAME", help="Only this channel. Default: all that have webhooks.")
@click.option("--dry-run", is_flag=True, help="Write nothing; show what differs from the former parse.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def webhooks(since: str, channel: str, dry_run: bool, as_json: bool) -> None:
    """Parse the raw webhooks again, after a parser was corrected. Nothing is sent to anybody.

    Receipts are written again, so messages get the status that they missed. What people did is written if the former
    parser did not see it. Lines: "+" new, "~" other than before (of people's it stays as it was).
    """
    import asyncio

    with sentences():
        asyncio.run(_replay(read_settings(), since, channel, dry_run, as_json))


async def _replay(settings: Settings, since: str, channel: str, is_dry: bool, as_json: bool) -> None:
    from agents.webhook_replay import WebhookReplay
    from agents.webhooks import Sorter
    from app.accounts import load_accounts
    from app.clock import now_ms
    from app.kafka.address import kafka_security
    from app.kafka.batch_producer import BatchProducer
    from app.replay.moments import moment_ms
    from app.settings import InvalidSetting
    from channels.manifest import WEBHOOKS

    if channel and channel not in WEBHOOKS:
        raise InvalidSetting(f"{channel} has no webhooks; expected one of {', '.join(WEBHOOKS)}")
    since_ms = moment_ms(since, now_ms())
    _require_remembered(settings, since_ms, now_ms())
    accounts = load_accounts(settings)
    producer = (
        None
        if is_dry
        else BatchProducer(settings.kafka, client_id="chat4all-replay", security=kafka_security(settings))
    )
    if producer is not None:
        await producer.start()
    try:
        for name in (channel,) if channel else WEBHOOKS:
            parsed = WebhookReplay(Sorter(WEBHOOKS[name], accounts[name]))
            await _replay_channel(settings, name, since_ms, parsed, producer, as_json)
            _summary(name, parsed.summary(), is_dry, as_json)
    finally:
        if producer is not None:
            await producer.stop()


def _require_remembered(settings: Settings, since_ms: int, now_ms: int) -> None:
    """Raise ``InvalidInput`` for a span older than the address book's memory."""
    from domain.errors import InvalidInput

    if since_ms < now_ms - settings.state_retention_hours * 3_600_000:
        raise InvalidInput(
            f"--since is more than {settings.state_retention_hours:g} hours ago (CHAT4ALL_STATE_RETENTION_HOURS): the "
            "workers no longer know which messages of people they took, and would show them again"
        )


async def _replay_channel(
    settings: Settings,
    channel: str,
    since_ms: int,
    parsed: WebhookReplay,
    producer: BatchProducer | None,
    as_json: bool,
) -> None:
    from aiokafka import TopicPartition

    from app.kafka.topics import Topics
    from app.replay.span import Span, open_consumer

    names = Topics(settings.topic_prefix)

    def partitions(*topics: str) -> list[Any]:
        return [TopicPartition(topic, number) for topic in topics for number in range(settings.partitions)]

    async with open_consumer(settings) as consumer:
        async for record in Span(
            consumer, partitions(names.events(channel), names.inbound(channel)), since_ms
        ).records():
            parsed.know(record.key, record.value)
        async for record in Span(consumer, partitions(names.webhooks(channel)), since_ms).records():
            for one in parsed.parse(record.value):
                if one.difference != "=":
                    _show(channel, one, as_json)
                if producer is not None and one.is_written:
                    await _write(settings, names.events(channel), names.inbound(channel), one, producer)
    if producer is not None:
        await producer.flush()


async def _write(settings: Settings, events: str, inbound: str, one: Reparsed, producer: BatchProducer) -> None:
    from app.kafka.codec import encode
    from app.kafka.partitions import partition_for

    key = one.key.encode()
    topic = events if one.room == "events" else inbound
    write = producer.enqueue(topic, partition_for(key, settings.partitions), key, encode(one.record))
    if producer.pending_bytes > _MOST_PENDING_BYTES:
        await write


def _show(channel: str, one: Reparsed, as_json: bool) -> None:
    if as_json:
        from app.kafka.codec import encode

        record = json.loads(encode(one.record))
        click.echo(
            json.dumps({"channel": channel, "difference": str(one.difference), "key": one.key, "record": record})
        )
    else:
        click.echo(f"{channel}  {one.line()}")


def _summary(channel: str, counts: Mapping[str, int], is_dry: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"channel": channel, "counts": counts, "dry_run": is_dry}))
        return
    shown = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items()) or "no webhook"
    click.echo(f"{channel}: {shown}" + ("; nothing was written" if is_dry else ""), err=True)
