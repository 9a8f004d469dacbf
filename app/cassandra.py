"""How to reach the Cassandra of the settings: for the mirror, for ``chat4all migrate`` and for the API."""

from __future__ import annotations

from app.settings import Settings
from app.tls import client_context
from storage.cassandra.driver_session import CassandraConfig


def cassandra_config(settings: Settings) -> CassandraConfig:
    """Return how to reach the Cassandra of ``settings``."""
    return CassandraConfig(
        hosts=settings.cassandra,
        port=settings.cassandra_port,
        keyspace=settings.keyspace,
        consistency=settings.cassandra_consistency,
        timeout_seconds=settings.cassandra_timeout_seconds,
        local_datacenter=settings.cassandra_datacenter,
        username=settings.cassandra_username,
        password=settings.cassandra_password,
        tls=client_context(
            "CASSANDRA",
            settings.cassandra_tls_ca,
            settings.cassandra_tls_certificate,
            settings.cassandra_tls_key,
        ),
        tls_name=settings.cassandra_tls_name,
    )
