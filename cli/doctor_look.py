"""Looks at everything that `chat4all doctor` judges. Nothing is changed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from app.accounts import InvalidAccounts, load_accounts
from app.cassandra import cassandra_config
from app.kafka.address import kafka_options
from app.kafka.topics import TopicSpec, group_of
from app.roles import ROLES
from app.settings import Settings
from cli.another_log import Offsets, beyond, ends_of_messages
from cli.doctor_accounts import look_at_accounts, secret_faults
from cli.doctor_findings import Seen, TopicSeen
from cli.groups import Groups
from domain.errors import LogUnavailable, StoreUnavailable
from storage.cassandra.driver_session import Access
from storage.cassandra.log_reach import last_offsets
from storage.cassandra.schema import latest_version, schema_version
from storage.cassandra.session import CassandraSession

SECONDS = 20.0
_COPIES = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?"


async def look(settings: Settings, specs: Sequence[TopicSpec], url: str, sends: Sequence[tuple[str, str]] = ()) -> Seen:
    """Return the findings, each server's within ``SECONDS``. ``sends``: account and address of messages to send."""
    (schema, copies, histories), (api, seconds_off), accounts = await asyncio.gather(
        _cassandra(settings),
        asyncio.to_thread(_api, url),
        look_at_accounts(settings, sends),
    )
    # after the histories: a message that comes in between must not seem to be in them and not in the log
    (brokers, topics, workers), ends = await asyncio.gather(_kafka(settings, specs), _ends(settings))
    return Seen(
        brokers=brokers,
        topics=topics,
        workers=workers,
        schema=schema,
        latest_schema=latest_version(),
        copies=copies,
        another_log="" if ends is None else beyond(histories, ends),
        api=api,
        seconds_off=seconds_off,
        account_faults=_account_faults(settings),
        accounts=accounts,
    )


async def _kafka(
    settings: Settings, specs: Sequence[TopicSpec]
) -> tuple[int | None, dict[str, TopicSeen], dict[str, int]]:
    admin = AIOKafkaAdminClient(**kafka_options(settings), request_timeout_ms=int(SECONDS * 1000))
    try:
        async with asyncio.timeout(SECONDS):
            await admin.start()
            brokers = len((await admin.describe_cluster())["brokers"])
            present = set(await admin.list_topics()) & {spec.name for spec in specs}
            topics = await _topics(admin, sorted(present))
            workers = {
                role: len(await Groups(admin, [group_of(role, settings.topic_prefix)]).members()) for role in ROLES
            }
            return brokers, topics, workers
    except (KafkaError, OSError, TimeoutError):
        return None, {}, {}
    finally:
        await admin.close()


async def _topics(admin: Any, names: list[str]) -> dict[str, TopicSeen]:
    if not names:
        return {}
    configs: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names]):
        for _code, _reason, _kind, name, entries in response.resources:
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return {
        found["topic"]: TopicSeen(
            len(found["partitions"]),
            min(len(partition["replicas"]) for partition in found["partitions"]),
            min(len(partition["isr"]) for partition in found["partitions"]),
            configs.get(found["topic"], {}),
        )
        for found in await admin.describe_topics(names)
    }


async def _ends(settings: Settings) -> Offsets | None:
    try:
        return await ends_of_messages(settings, SECONDS)
    except LogUnavailable:
        return None


async def _cassandra(settings: Settings) -> tuple[int | None, int, Offsets]:
    """Return the version of the schema (0: none), the copies of the keyspace (0: there is none), and the last offsets
    in the histories.
    """
    try:
        async with CassandraSession(cassandra_config(settings)) as session:
            await session.connected(SECONDS)
            rows = await session.run(_COPIES, (settings.keyspace,), Access.READ)
            if not rows:
                return 0, 0, {}
            version = await schema_version(session)
            return version, _copies(rows[0][0]), await _histories(session) if version == latest_version() else {}
    except StoreUnavailable:
        return None, 0, {}


async def _histories(session: CassandraSession) -> Offsets:
    try:
        return await last_offsets(session)
    except StoreUnavailable:
        return {}  # that Cassandra answers is known: what is late is not taken for a fault


def _copies(replication: Mapping[str, str]) -> int:
    """Return the fewest copies of a keyspace in any of its datacenters."""
    return min((int(value) for value in replication.values() if value.isdecimal()), default=0)


def _api(url: str) -> tuple[dict[str, str] | None, float]:
    """Return the state of each component by the API's word, and how far this machine's clock is ahead of its."""
    before = time.time()
    try:
        try:
            answer = urlopen(f"{url}/health/ready", timeout=SECONDS)
        except HTTPError as error:
            answer = error
        with answer:
            found = json.loads(answer.read())
            said = parsedate_to_datetime(answer.headers["Date"]).timestamp()
            components = {name: str(each["status"]) for name, each in found["components"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return None, 0.0
    return components, seconds_ahead(before, said, time.time())


def seconds_ahead(before: float, said: float, after: float) -> float:
    """Return how far this machine's clock is ahead for certain: the API said ``said``, in whole seconds, in between."""
    return max(0.0, before - (said + 1)) or min(0.0, after - said)


def _account_faults(settings: Settings) -> list[str]:
    """Return the faults of the file of accounts, and the secrets that it names and nobody has set."""
    try:
        accounts = [account for of_channel in load_accounts(settings).values() for account in of_channel]
    except InvalidAccounts as error:
        return [str(error)]
    return [fault for account in accounts for fault in secret_faults(account)]
