"""`chat4all replay repair`: a view rebuilt from the log where it differs, while the system runs, and compared again."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cli.commands import read_settings, sentences

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from app.audit import Report
    from app.replay.entries import LogRecord
    from app.replay.repair import Repaired
    from app.settings import Settings


@click.command()
@click.argument("view", type=click.Choice(["cassandra", "table"]))
@click.option("--yes", is_flag=True, help="Do it. Without it, only the differences are shown.")
def repair(view: str, yes: bool) -> None:
    """Write again what differs from the log in Cassandra, or in the table message_state; the system may run.

    A row of Cassandra is rewritten. A row of the table is healed by its own writer: the message's facts are appended to
    status-updates again, which changes nothing else. Nothing is sent. Ends with 1 if they still differ.
    """
    import asyncio

    with sentences():
        is_healed = asyncio.run(_repair(read_settings(), view, yes))
    if not is_healed:
        raise SystemExit(1)


async def _repair(settings: Settings, view: str, is_meant: bool) -> bool:
    from app.audit import audit
    from app.replay.repair import CASSANDRA_VIEWS, MOST_REPAIRED, TABLE_VIEWS
    from tables.loaders import LOADERS

    views = CASSANDRA_VIEWS if view == "cassandra" else TABLE_VIEWS
    report = await audit(settings, LOADERS, most=MOST_REPAIRED)
    by_partition = _wanted(report, views)
    count = sum(map(len, by_partition.values()))
    click.echo(f"{count:,} messages differ in {view}; {report.behind:,} records are not processed yet")
    if not count or not is_meant:
        for one in report.differences[:20]:
            if one.view in views:
                click.echo(f"  {one}")
        if count:
            click.echo("Nothing was changed; --yes does it.", err=True)
        return not count
    for number, wanted in sorted(by_partition.items()):
        done = await (_rows if view == "cassandra" else _table)(settings, number, wanted)
        click.echo(
            f"partition {number}: {done.rows:,} rows written, {done.removed:,} facts removed, {done.facts:,} facts "
            f"appended, {done.unknown:,} messages not on the log"
        )
    return await _compared_again(settings, views)


async def _compared_again(settings: Settings, views: frozenset[str]) -> bool:
    """Compare once the roles have processed what was appended, within a minute."""
    import asyncio

    from app.audit import audit
    from app.replay.repair import MOST_REPAIRED
    from tables.loaders import LOADERS

    left = 0
    for _ in range(6):
        report = await audit(settings, LOADERS, most=MOST_REPAIRED)
        left = sum(map(len, _wanted(report, views).values()))
        if not left:
            break
        await asyncio.sleep(10)
    click.echo(f"Compared again: {left:,} messages differ.")
    return not left


def _wanted(report: Report, views: frozenset[str]) -> Mapping[int, set[str]]:
    """Return the ids of the differing messages by their partition number, as the records of each name it."""
    found: dict[int, set[str]] = defaultdict(set)
    for one in report.differences:
        if one.view in views and "[" in one.where:
            found[int(one.where.partition("[")[2].partition("]")[0])].add(one.message_id.partition(" ")[0])
    return found


async def _rows(settings: Settings, number: int, wanted: set[str]) -> Repaired:
    from app.cassandra import cassandra_config
    from app.replay.repair import repair_rows
    from app.replay.span import open_consumer
    from storage.cassandra.repair import CassandraRepair
    from storage.cassandra.session import CassandraSession

    async with open_consumer(settings) as consumer, CassandraSession(cassandra_config(settings)) as session:
        await session.connected(15.0)
        tps = _partitions(settings, number)
        consumer.assign(tps)
        is_whole = not any((await consumer.beginning_offsets(tps)).values())
        read = partial(_records, settings, consumer, number)
        return await repair_rows(wanted, read, CassandraRepair(session), is_whole=is_whole)


async def _table(settings: Settings, number: int, wanted: set[str]) -> Repaired:
    from app.kafka.address import kafka_security
    from app.kafka.batch_producer import BatchProducer
    from app.replay.repair import repair_table
    from app.replay.span import open_consumer

    producer = BatchProducer(settings.kafka, client_id="chat4all-repair", security=kafka_security(settings))
    await producer.start()
    try:
        async with open_consumer(settings) as consumer:

            async def append(record: LogRecord) -> None:
                await producer.send_and_wait(record.topic, record.partition, record.key, record.value)

            return await repair_table(wanted, partial(_records, settings, consumer, number), append)
    finally:
        await producer.stop()


def _partitions(settings: Settings, number: int) -> list[Any]:
    from aiokafka import TopicPartition

    from app.kafka.topics import Topics

    names = Topics(settings.topic_prefix)
    return [TopicPartition(names.messages, number), TopicPartition(names.status_updates, number)]


async def _records(settings: Settings, consumer: Any, number: int) -> AsyncIterator[LogRecord]:
    from app.replay.span import Span

    async for record in Span(consumer, _partitions(settings, number)).records():
        yield record
