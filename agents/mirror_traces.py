"""``mirror_traces`` (role mirror): writes the hops of deliveries to Cassandra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.gathered_batches import GatheredBatches
from agents.side_mirror import SideMirror
from app.kafka.codec import decode
from app.mirror_store import traces_of
from domain.traces import TraceRecorded

if TYPE_CHECKING:
    from app.faust.stream_app import StreamApp

AGENT = "mirror_traces"


def register(app: StreamApp) -> None:
    mirror = SideMirror(app, AGENT, lambda value: decode(value, TraceRecorded), traces_of(app).write)
    gathered = GatheredBatches(app, AGENT, mirror.store)

    @app.batch_agent(AGENT, app.names.traces, help="hops of deliveries → Cassandra")
    async def mirror_traces(stream: Any) -> None:
        async for batch in stream:
            if app.consumer.is_current(batch):
                await gathered.add(batch)
