"""How the simulator misbehaves: the faults of the simulated provider, those of webhooks, and drift of the protocol."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from channels.simulated.chaos import faults
from channels.simulated.chaos.faults import MOST_SECONDS, Faults, InvalidFaults

MOST_BATCH = 1_000  # updates in one post: as many as WhatsApp was seen to send


@dataclass(frozen=True, slots=True)
class Chaos(Faults):
    """Friendly by default; a share is a probability from 0 to 1.

    ``read_seconds``: the time until a person reads, for people who read ``soon``; ``late_read_seconds``: the same for
    ``late``. ``answer_seconds``: the time until a person answers. A dropped update is never posted:
    ``drop_statuses_share`` of the receipts, ``drop_messages_share`` of the inbound messages, both from
    ``drop_from_seconds`` to ``drop_to_seconds`` after the chaos was set. ``webhook_batch`` updates at most are in one
    post.

    Drift: unknown fields in answers and webhooks, a new error code, a new webhook field.
    """

    late_read_seconds: tuple[float, float] = (60.0, 120.0)
    answer_seconds: tuple[float, float] = (0.1, 0.5)

    drop_statuses_share: float = 0.0
    drop_messages_share: float = 0.0
    drop_from_seconds: float = 0.0
    drop_to_seconds: float = MOST_SECONDS
    webhook_twice_share: float = 0.0
    webhook_batch: int = 1

    unknown_field_share: float = 0.0
    new_code_share: float = 0.0
    new_webhook_share: float = 0.0

    def drops(self, share: float, drawn: float, seconds: float) -> bool:
        """Return whether an update is dropped ``seconds`` after the chaos was set; ``drawn``: its chance."""
        return self.drop_from_seconds <= seconds < self.drop_to_seconds and drawn < share

    @property
    def updates_in_a_post(self) -> int:
        return min(max(1, self.webhook_batch), MOST_BATCH)


def preset(name: object, seed: int = 1) -> Chaos:
    """Return the named chaos with a seed. Raises ``InvalidFaults``."""
    shared = faults.preset(name, seed)
    chaos = Chaos(**{f.name: getattr(shared, f.name) for f in fields(Faults)})
    if name == "worst":
        return replace(
            chaos, webhook_twice_share=0.05, unknown_field_share=0.2, new_code_share=0.005, new_webhook_share=0.02
        )
    return chaos


def changed(chaos: Chaos, changes: dict[str, object]) -> Chaos:
    """Return ``chaos`` with ``changes``; the key ``preset`` names where to begin. Raises ``InvalidFaults``."""
    changes = dict(changes)
    begin = preset(changes.pop("preset"), chaos.seed) if "preset" in changes else chaos
    return begin.changed(changes)


__all__ = ["MOST_BATCH", "Chaos", "InvalidFaults", "changed", "preset"]
