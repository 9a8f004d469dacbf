"""``commands_<channel>``: the commands of operators to the deliveries of a channel.

A command is a record on ``<channel>-commands``, keyed as the delivery, so it has its place in the order of the log.
One that comes again does nothing.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Any

from agents.interventions import Interventions
from app.clock import now_ms
from app.faust.dead_letters import dead_letter
from app.kafka.codec import decode, encode
from domain.errors import InvalidInput, MalformedRecord
from domain.records import CHANNEL_COMMANDS, ChannelCommand, DeliveryRequested
from tables import queue as rows

if TYPE_CHECKING:
    from agents.account_choice import AccountChoice
    from agents.dispatcher import Dispatcher
    from app.faust.batches import RecordBatch
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch

log = logging.getLogger(__name__)


class Commands:
    """``table``: the role's ``queue``."""

    def __init__(self, app: StreamApp, dispatcher: Dispatcher, choice: AccountChoice, table: DurableTable) -> None:
        self._app = app
        self._scheduler = dispatcher.scheduler
        self._holds = dispatcher.holds
        self._interventions = Interventions(dispatcher, choice)
        self._choice = choice
        self._table = table

    def receive_batch(self, batch: RecordBatch) -> list[PendingBatch]:
        """Carry out each command of ``batch``; return the writes."""
        writes: list[PendingBatch] = []
        for record in batch.records:
            try:
                writes += self._carry_out(batch.partition, record, decode(record.value, ChannelCommand))
            except (InvalidInput, UnicodeDecodeError) as error:
                fault = error if isinstance(error, InvalidInput) else MalformedRecord(str(error), "key")
                writes.append(dead_letter(self._app, batch, record, fault, now_ms()))
        return writes

    def _carry_out(self, partition: int, record: Any, command: ChannelCommand) -> list[PendingBatch]:
        """Raises ``MalformedRecord``."""
        log.info(
            "%s by %s: %s %s", command.command, command.by or "?", command.token or command.account, command.reason
        )
        match command.command:
            case "pause" | "resume":
                return self._pause(partition, command)
            case "hold":
                self._hold(command)
                return []
            case "redrive":
                if command.request is None:
                    raise MalformedRecord("a redrive has the request", "request")
                request = decode(command.request, DeliveryRequested)
                if fault := rows.fault_of(request):
                    raise MalformedRecord(f"field 'request.{fault}' is out of range", "request")
                value, command_id = command.request, command.command_id
                return self._interventions.redrive(partition, record.offset, request, value, command_id)
            case "cancel" | "release":
                if record.key is None or not command.token:
                    raise MalformedRecord("the command names a delivery by its conversation and its token", "token")
                act = self._interventions.cancel if command.command == "cancel" else self._interventions.release
                return act(partition, record.key.decode(), command.token, command.by)
            case "discard":
                return []  # the resolution of a dead letter is on record beside the letter
        raise MalformedRecord(f"the commands are {', '.join(CHANNEL_COMMANDS)}", "command")

    def _hold(self, command: ChannelCommand) -> None:
        """Another worker was told by the channel that the account must not send: neither does this one."""
        lane, seconds = self._choice.lanes.get(command.account), (command.until_ms - now_ms()) / 1000
        if lane is not None and seconds > 0 and command.by != self._holds.name:
            lane.last_error = command.reason
            lane.breaker.open_for(monotonic(), seconds)

    def _pause(self, partition: int, command: ChannelCommand) -> list[PendingBatch]:
        if not command.account:
            raise MalformedRecord("the command names an account", "account")
        lane, is_pause = self._choice.lane(command.account), command.command == "pause"
        write = self._table.put(partition, rows.PAUSE + command.account.encode(), encode(command) if is_pause else None)
        if is_pause:
            lane.paused_on.add(partition)
        else:
            lane.paused_on.discard(partition)
            lane.breaker.reset()  # an operator knows that the account may send again
            self._scheduler.changed(lane)
        return [write]
