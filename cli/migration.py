"""Create or change Kafka's topics and Cassandra's tables for this release. Safe to repeat and to run concurrently."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.cassandra import cassandra_config
from app.kafka.topic_admin import TopicMismatch, TopicsMade, ensure_topics
from app.settings import Settings
from cli.errors import CannotMigrate
from domain.errors import LogUnavailable, StoreUnavailable, Unavailable
from storage.cassandra.schema import SchemaChanged
from storage.cassandra.schema import migrate as apply_migrations
from storage.cassandra.session import CassandraSession

_RETRY_SECONDS = 0.25

Result = TypeVar("Result")


async def migrate_topics(settings: Settings, wait_seconds: float) -> TopicsMade:
    """Create and correct the topics, once Kafka is there. Raises ``LogUnavailable``, ``CannotMigrate``."""
    last: LogUnavailable | None = None
    try:
        async with asyncio.timeout(wait_seconds):
            while True:
                try:
                    return await ensure_topics(settings)
                except LogUnavailable as error:
                    last = error
                except TopicMismatch as error:
                    raise CannotMigrate(str(error)) from error
                await asyncio.sleep(_RETRY_SECONDS)
    except TimeoutError:
        raise last or LogUnavailable(f"Kafka at {settings.kafka} did not answer in {wait_seconds:g} s") from None


async def with_cassandra(
    settings: Settings, wait_seconds: float, deed: Callable[[CassandraSession], Awaitable[Result]]
) -> Result:
    """Return what ``deed`` returns, done once Cassandra answers, and again while a server does not.

    Raises ``LogUnavailable`` or ``StoreUnavailable`` when the time is over.
    """
    last: Unavailable | None = None
    try:
        async with asyncio.timeout(wait_seconds), CassandraSession(cassandra_config(settings)) as session:
            await session.connected(wait_seconds)
            while True:
                try:
                    return await deed(session)
                except Unavailable as error:
                    last = error
                await asyncio.sleep(_RETRY_SECONDS)
    except TimeoutError:
        raise last or StoreUnavailable(f"Cassandra did not finish in {wait_seconds:g} s") from None


async def migrate_schema(settings: Settings, wait_seconds: float) -> list[str]:
    """Apply the missing migrations once Cassandra answers, and return their names.

    Raises ``StoreUnavailable``, ``CannotMigrate``.
    """

    async def apply(session: CassandraSession) -> list[str]:
        try:
            return await apply_migrations(session, replication_factor=settings.cassandra_replication_factor)
        except SchemaChanged as error:
            raise CannotMigrate(str(error)) from error

    return await with_cassandra(settings, wait_seconds, apply)


def topics_sentence(made: TopicsMade) -> str:
    """Describe the changes of the topics in a sentence."""
    if not made.created:
        done = f"Kafka: all {len(made.present)} topics are there."
    else:
        were = f"; {len(made.present)} were there" if made.present else ""
        done = f"Kafka: created {len(made.created)} topics ({', '.join(made.created)}){were}."
    changed = [f"Kafka: changed {sentence}" for sentence in made.changed]
    return "\n".join([done, *changed, *(f"WARNING: {sentence}" for sentence in made.warnings)])


def schema_sentence(applied: list[str], keyspace: str) -> str:
    """Describe the changes of the schema in a sentence."""
    if not applied:
        return f"Cassandra: keyspace {keyspace} is up to date."
    return f"Cassandra: applied to keyspace {keyspace}: {', '.join(applied)}."
