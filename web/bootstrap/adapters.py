"""The settings and the ports of one process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.settings import Settings
from app.tracing import Tracing
from channels.manifest import WEBHOOKS
from domain.ports import (
    ActivityReader,
    AdminStore,
    ContactStore,
    ConversationStore,
    FileRecords,
    FileStore,
    IdentityStore,
    MessageLog,
    MessageReader,
    RefreshTokenStore,
    TraceStore,
    UserStore,
    WebhookProtocol,
)
from web.admin.record_log import RecordLog
from web.flow.lag import LagReader
from web.history.recent import RecentMessages
from web.history.tailer_port import Tailer
from web.http.app_keys import (
    Probe,
)
from web.live.resumption import OpenLog


def wall_clock_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """The settings and the ports of one process. ``probes``: the components of its health, by name."""

    settings: Settings
    log: MessageLog
    record_log: RecordLog
    reader: MessageReader
    users: UserStore
    admins: AdminStore
    identities: IdentityStore
    refresh_tokens: RefreshTokenStore
    contacts: ContactStore
    conversations: ConversationStore
    activity: ActivityReader
    files: FileRecords
    traces: TraceStore
    file_store: FileStore
    recent: RecentMessages
    tailer: Tailer
    webhook_protocols: Mapping[str, WebhookProtocol] = field(default_factory=lambda: WEBHOOKS)
    probes: Mapping[str, Probe] = field(default_factory=dict)
    tracing: Tracing | None = None
    # opens the log for a replay; by default Kafka
    open_log: OpenLog | None = None
    # reads the lag of the workers; by default from Kafka
    lag: LagReader | None = None
    clock_ms: Callable[[], int] = wall_clock_ms
    monotonic: Callable[[], float] = time.monotonic
    randomness: Callable[[int], bytes] = os.urandom
