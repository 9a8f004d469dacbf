"""The mirror's Cassandra, as a resource of the worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mode import Service

from app.cassandra import cassandra_config
from domain.ports import ContactStore, ConversationStore, FileRecords, MessageMirror, UserStore
from storage.cassandra.contacts import CassandraContactStore
from storage.cassandra.conversations import CassandraConversationStore
from storage.cassandra.files import CassandraFileRecords
from storage.cassandra.mirror import CassandraMessageMirror
from storage.cassandra.session import CassandraSession
from storage.cassandra.traces import CassandraTraceStore
from storage.cassandra.users import CassandraUserStore

if TYPE_CHECKING:
    from app.faust.stream_app import StreamApp


_SESSIONS: WeakKeyDictionary[StreamApp, CassandraSession] = WeakKeyDictionary()


class _SessionService(Service):  # type: ignore[misc]
    """Opens the session on the worker's loop; it connects in the background and never fails."""

    def __init__(self, session: CassandraSession, **kwargs: Any) -> None:
        self._session = session
        super().__init__(**kwargs)

    async def on_start(self) -> None:
        self._session.start()

    async def on_stop(self) -> None:
        await self._session.close()


def session_of(app: StreamApp) -> CassandraSession:
    """Return the worker's session, the same one for each caller; it lives as long as the worker."""
    session = _SESSIONS.get(app)
    if session is None:
        session = _SESSIONS[app] = CassandraSession(cassandra_config(app.settings))
        app.pre_start_services.append(_SessionService(session))
    return session


@dataclass(frozen=True, slots=True)
class MirrorStores:
    """The stores of the mirror, over one session that lives as long as the worker."""

    messages: MessageMirror
    contacts: ContactStore
    conversations: ConversationStore
    users: UserStore
    files: FileRecords


def stores_of(app: StreamApp) -> MirrorStores:
    """Return the mirror's stores."""
    session = session_of(app)
    return MirrorStores(
        messages=CassandraMessageMirror(session),
        contacts=CassandraContactStore(session),
        conversations=CassandraConversationStore(session),
        users=CassandraUserStore(session),
        files=CassandraFileRecords(session),
    )


def traces_of(app: StreamApp) -> CassandraTraceStore:
    """Return the mirror's store of traces."""
    return CassandraTraceStore(session_of(app))
