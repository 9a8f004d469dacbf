"""What an operator commands in tests of deliveries, and what became of it."""

from __future__ import annotations

from agents.commands import Commands
from app.clock import now_ms
from app.kafka.codec import decode, encode
from domain.records import ChannelCommand
from domain.traces import TraceRecorded
from support.deliveries import World
from support.fakes import batch_of


def command(world: World, command: str, **fields: object) -> None:
    """Let the agent carry out a command of an operator."""
    record = ChannelCommand(command, "id-1", by="ann", at_ms=now_ms(), **fields)  # type: ignore[arg-type]
    commands = Commands(world.app, world.dispatcher, world.choice, world.queue)  # type: ignore[arg-type]
    commands.receive_batch(batch_of("whatsapp-commands", encode(record)))


def redrives(world: World) -> list[tuple[str, str, str]]:
    """What became of the operator's redrives, as traces tell."""
    traces = [decode(value, TraceRecorded) for value in world.producer.on("traces")]
    return [(one.message_id, one.outcome, one.reason) for one in traces if one.event == "redrive"]
