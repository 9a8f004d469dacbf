"""Settings of an API on the real servers of the session."""

from __future__ import annotations

import uuid

from app.settings import Settings
from loadtests.system import Servers
from storage.cassandra.driver_session import CassandraConfig
from support.values import NO_ACCOUNTS, changed


def api_settings(stack: Servers, cassandra: CassandraConfig, **changes: object) -> Settings:
    """Return settings with topics of their own and the keyspace of ``cassandra``; passwords cost little."""
    usual = Settings(
        accounts=NO_ACCOUNTS,
        kafka=stack.kafka_bootstrap,
        topic_prefix=f"t{uuid.uuid4().hex[:8]}-",
        partitions=3,
        cassandra=cassandra.hosts,
        cassandra_port=cassandra.port,
        keyspace=cassandra.keyspace,
        jwt_secret="s" * 48,
        argon2_time_cost=1,
        argon2_memory_kib=64,
    )
    return changed(usual, changes)
