"""The message history's two ports: written by the mirror agent, read by the API."""

from storage.cassandra.mirror import CassandraMessageMirror
from storage.cassandra.reader import CassandraMessageReader

__all__ = ["CassandraMessageMirror", "CassandraMessageReader"]
