"""A two-way run as one value, made from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

CHANNELS = ("whatsapp", "instagram", "telegram")
ACCOUNT = "default"
SEED_TEXT = "hello, I write first"


@dataclass(frozen=True, slots=True)
class Someone:
    """A person of the simulator: on one channel, with manners."""

    id: str
    channel: str
    manners: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outbound:
    """A message of ours: the ``sequence``-th to this person. ``text`` is its own."""

    person_id: str
    sequence: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``people``: of each channel. ``messages``: of ours, ``written``: of the people's own; answers come besides.

    ``dropped_share``: of the webhook's statuses, for ``dropped_seconds``. ``evidence_seconds``, ``send_seconds``:
    settings of the workers. ``limit_seconds``: bound of load and rest.
    """

    seed: int
    people: int = 30
    messages: int = 3_000
    written: int = 600
    per_second: float = 40.0
    preset: str = "worst"
    kills: int = 3
    api_kills: int = 1
    dropped_share: float = 0.0
    dropped_seconds: float = 120.0
    evidence_seconds: float = 8.0
    send_seconds: float = 4.0
    limit_seconds: float = 600.0

    @property
    def load_seconds(self) -> float:
        """How long the load takes."""
        return self.messages / self.per_second

    def everyone(self) -> list[Someone]:
        """Return the people: a third answers, some read late or hide their receipts."""
        chance = random.Random(f"{self.seed} people")
        made = []
        for channel in CHANNELS:
            for number in range(self.people):
                manners: dict[str, Any] = {"reads": chance.choice(["at-once", "soon", "soon", "never"])}
                if number % 3 == 0:
                    manners["answers"] = "re: {text}"
                if number % 10 == 9:
                    manners["receipts"] = False
                made.append(Someone(f"{channel}-{number}", channel, manners))
        return made

    def outbound(self) -> list[Outbound]:
        """Return our messages in the order of their sending."""
        chance = random.Random(f"{self.seed} outbound")
        people, made = self.everyone(), []
        sequences: dict[str, int] = {}
        for _ in range(self.messages):
            person = chance.choice(people)
            sequence = sequences[person.id] = sequences.get(person.id, 0) + 1
            made.append(Outbound(person.id, sequence, f"to {person.id} number {sequence}"))
        return made

    def inbound(self) -> list[Outbound]:
        """Return the people's own messages, in order."""
        chance = random.Random(f"{self.seed} inbound")
        people, made = self.everyone(), []
        sequences: dict[str, int] = {}
        for _ in range(self.written):
            person = chance.choice(people)
            sequence = sequences[person.id] = sequences.get(person.id, 0) + 1
            made.append(Outbound(person.id, sequence, f"from {person.id} number {sequence}"))
        return made

    def kill_times(self) -> list[tuple[float, str]]:
        """Return when which process is killed: a worker's name, or ``api``."""
        chance = random.Random(f"{self.seed} kills")
        workers = ["whatsapp-1", "whatsapp-2", "instagram-1", "telegram-1", "core-1"]
        named = [chance.choice(workers) for _ in range(self.kills)] + ["api"] * self.api_kills
        return sorted((chance.uniform(0.1, 0.9) * self.load_seconds, name) for name in named)
