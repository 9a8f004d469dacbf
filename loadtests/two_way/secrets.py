"""Looks for the accounts' secrets in everything that a run left behind: logs, and the records of all topics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from aiokafka import TopicPartition

from app.kafka.topics import all_topics
from app.replay.span import Span, known_partitions, open_consumer
from app.settings import Settings
from loadtests.seeded import Check
from simulator.accounts import BusinessAccount


def secrets_of(accounts: Iterable[BusinessAccount]) -> dict[str, bytes]:
    """Return the secrets of the accounts by a name for people."""
    found = {}
    for account in accounts:
        for name in ("token", "app_secret", "verify_token", "secret_token"):
            if value := getattr(account, name):
                found[f"{account.channel} {name}"] = value.encode()
    return found


def in_logs(folder: Path, secrets: dict[str, bytes]) -> tuple[int, list[str]]:
    """Return the number of logs in ``folder``, and a sentence for each secret in one of them."""
    logs = sorted(folder.glob("*.log"))
    texts = [(log.name, log.read_bytes()) for log in logs]
    return len(logs), [
        f"{name} is in {log}" for log, text in texts for name, secret in secrets.items() if secret in text
    ]


async def secrets_check(settings: Settings, folder: Path, secrets: dict[str, bytes]) -> Check:
    """Return the verdict on the logs in ``folder`` and on all topics. It needs the run's Kafka."""
    count, (logs, faults) = 0, await asyncio.to_thread(in_logs, folder, secrets)
    async with open_consumer(settings) as consumer:
        known = await known_partitions(consumer)
        names = [spec.name for spec in all_topics(settings) if spec.name in known]
        partitions = [TopicPartition(name, n) for name in names for n in known[name]]
        async for record in Span(consumer, partitions).records():
            count += 1
            whole = (record.key or b"") + (record.value or b"")
            faults += [
                f"{name} is in a record of {record.topic}" for name, secret in secrets.items() if secret in whole
            ]
    return Check("no secret is in logs or records", faults, f"{logs} logs, {count} records, {len(secrets)} secrets")
