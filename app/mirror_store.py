"""The mirror's Cassandra, as a resource of the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mode import Service

from app.cassandra import cassandra_config
from storage.cassandra.mirror import CassandraMessageMirror
from storage.cassandra.session import CassandraSession

if TYPE_CHECKING:
    from app.faust.stream_app import StreamApp


class _SessionService(Service):  # type: ignore[misc]
    """Opens the session on the worker's loop; it connects in the background and never fails."""

    def __init__(self, session: CassandraSession, **kwargs: Any) -> None:
        self._session = session
        super().__init__(**kwargs)

    async def on_start(self) -> None:
        self._session.start()

    async def on_stop(self) -> None:
        await self._session.close()


def mirror_of(app: StreamApp) -> CassandraMessageMirror:
    """Return the mirror's store; its session lives as long as the worker."""
    session = CassandraSession(cassandra_config(app.settings))
    app.pre_start_services.append(_SessionService(session))
    return CassandraMessageMirror(session)
