"""``route`` (role core): every accepted message goes to its channel's topic, and its ACCEPTED fact to the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.clock import now_ms
from app.codec import decode, encode
from app.dead_letters import dead_letter
from app.stream_app import Completion
from domain import routing
from domain.errors import InvalidInput, InvalidRecipient
from domain.ports import Place
from domain.records import MessageAccepted

if TYPE_CHECKING:
    from app.batches import RecordBatch
    from app.outbox import Flight
    from app.stream_app import StreamApp


def register(app: StreamApp) -> None:
    completion = Completion(app, "route")

    @app.batch_agent("route", app.names.messages, help="messages → <channel>-outbound")
    async def route(stream: Any) -> None:
        async for batch in stream:
            await completion.when_durable(batch, route_batch(app, batch))


def route_batch(app: StreamApp, batch: RecordBatch) -> set[Flight]:
    """Queue what follows from each record of ``messages``; return the flights that carry it."""
    flights: set[Flight] = set()
    put, partition = app.outbox.put, batch.partition
    for record in batch.records:
        place = Place(record.timestamp, record.offset)
        try:
            message = decode(record.value, MessageAccepted)
        except InvalidInput as error:
            flights.add(dead_letter(app, batch, record, error, now_ms()))
            continue
        try:
            routed = routing.decide(message, place)
        except InvalidRecipient as error:
            failed = routing.unroutable(message, place, error.code, str(error))
            flights.add(put(app.names.status_updates, partition, record.key, encode(failed), record.headers))
            flights.add(dead_letter(app, batch, record, error, now_ms()))
            continue
        headers = record.headers
        flights.add(put(app.names.outbound(routed.channel), partition, record.key, encode(routed.request), headers))
        flights.add(put(app.names.status_updates, partition, record.key, encode(routed.fact), headers))
    return flights
