"""Facts written by the API itself: deliveries to users inside the system, and their reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from aiohttp import web

from domain.errors import LogUnavailable
from domain.ports import LogPosition, MessageLog
from domain.recipients import INTERNAL
from domain.records import MessageAccepted, StatusChanged
from domain.status import MessageState, Status, delivery_of
from web.history.service import MessageHistory

log = logging.getLogger(__name__)

MAX_UNDER_WAY = 10_000


class StatusWriter:
    """Writes DELIVERED and READ of internal deliveries to ``status-updates``, and adds them to the history."""

    def __init__(self, message_log: MessageLog, history: MessageHistory) -> None:
        self._log = message_log
        self._history = history
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}

    def delivered(self, message: MessageAccepted, position: LogPosition, user_id: str, at_ms: int) -> None:
        """Record the delivery of a message to one of the user's connections at ``at_ms`` (epoch milliseconds).

        Does nothing if the message is not for the user inside the system (a linked channel has its own receipts), or
        is known to be DELIVERED or READ. Returns immediately and never raises. The fact is written in the background
        and lost only if Kafka does not take it; READ implies it, too.
        """
        address = f"{INTERNAL}:{user_id}"
        key = (message.message_id, user_id)
        if address not in message.targets or key in self._under_way or len(self._under_way) >= MAX_UNDER_WAY:
            return
        if self._state(message, address).status in (Status.DELIVERED, Status.READ):
            return
        change = fact_about(message, position, address, Status.DELIVERED, at_ms)
        task = self._under_way[key] = asyncio.get_running_loop().create_task(self._report_if_possible(change))
        task.add_done_callback(lambda _: self._under_way.pop(key))

    async def read(
        self, message: MessageAccepted, position: LogPosition, address: str, at_ms: int, headers: Mapping[str, bytes]
    ) -> MessageState:
        """Record the reading at ``address``; return the state of this delivery.

        The fact is durable when this returns. Raises ``LogUnavailable``.
        """
        change = fact_about(message, position, address, Status.READ, at_ms)
        await self._log.report(change, headers)
        self._history.add_fact(change)
        return self._state(message, address)

    def _state(self, message: MessageAccepted, address: str) -> MessageState:
        state = self._history.known_state(message.message_id)
        return MessageState() if state is None else delivery_of(state, address)

    async def _report_if_possible(self, change: StatusChanged) -> None:
        try:
            await self._log.report(change, {})
        except LogUnavailable as error:
            log.warning("DELIVERED of %s is not recorded: %s", change.message_id, error)
            return
        self._history.add_fact(change)


def fact_about(
    message: MessageAccepted, position: LogPosition, address: str, status: Status, at_ms: int
) -> StatusChanged:
    """Return the record of the new ``status`` of a delivery of ``message`` to ``address``.

    A message to nobody, such as a person's, has one state for all who take part.
    """
    count = max(1, len(message.targets))
    return StatusChanged(
        message.message_id,
        message.conversation_id,
        str(status),
        at_ms,
        position.accepted_at_ms,
        position.offset,
        address.partition(":")[0],
        recipient_id=address if count > 1 else "",
        recipient_count=count,
    )


STATUSES = web.AppKey("statuses", StatusWriter)
