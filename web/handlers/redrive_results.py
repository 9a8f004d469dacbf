"""The result of a redrive: the worker's word on the command, and the state of the delivery since then."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from app.kafka.codec import decode
from domain.errors import InvalidInput, NotFound, Unavailable
from domain.records import DeliveryRequested
from domain.status import MessageState, delivery_of
from domain.traces import TraceRecorded
from web.admin.letters import StoredLetter
from web.admin.redrive import command_id_of
from web.admin.resolutions import REDRIVEN, Resolution
from web.history.service import HISTORY
from web.messages.traces import TRACES


@dataclass(frozen=True, slots=True)
class RedriveResult:
    """``hop``: ``None`` until the worker carried the command out. ``state``: ``None`` if it cannot be read now."""

    hop: TraceRecorded | None
    state: MessageState | None


async def result_of(app: web.Application, stored: StoredLetter, resolution: Resolution | None) -> RedriveResult | None:
    """Return the result of the letter's redrive, ``None`` if there was none."""
    if resolution is None or resolution.action != REDRIVEN:
        return None
    try:
        request = decode(stored.letter.value, DeliveryRequested)
    except InvalidInput:
        return None
    hop = await app[TRACES].redrive_of(request, command_id_of(stored, resolution.resolution_id))
    try:
        found = await app[HISTORY].find(request.message_id)
    except (NotFound, Unavailable):
        return RedriveResult(hop, None)
    return RedriveResult(hop, delivery_of(found.state, request.recipient_id))
