"""A chaos run as one value, made from a seed."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from loadtests.feed import Order

CHANNEL = "whatsapp"
# the second one allows a second send of an unknown outcome; the third one has a rate of its own
BREAKER: Mapping[str, float] = MappingProxyType({"open_seconds": 2, "longest_open_seconds": 8})
ACCOUNTS: tuple[Mapping[str, Any], ...] = (
    {"name": "careful", "look_up": "yes", "breaker": BREAKER},
    {"name": "repeating", "resend_unknown": True, "breaker": BREAKER},
    {"name": "limited", "per_second": 80, "burst": 20, "breaker": BREAKER},
)
RESENDING = frozenset(str(account["name"]) for account in ACCOUNTS if account.get("resend_unknown"))
JOIN_SECONDS = 6.0  # how long the third worker stays


class Act(StrEnum):
    """A disturbance."""

    KILL = "kill"  # SIGKILL; the supervisor starts the worker again
    FREEZE = "freeze"  # SIGSTOP past the session, then SIGCONT
    JOIN = "join"  # a third worker joins, and leaves


@dataclass(frozen=True, slots=True)
class Disturbance:
    """``at_seconds``: from the begin of the load, or when the one before has ended. ``worker``: 1 or 2."""

    at_seconds: float
    act: Act
    worker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``evidence_seconds``, ``send_seconds``: settings of the workers. ``limit_seconds``: bound of load and rest."""

    seed: int
    messages: int = 10_000
    conversations: int = 500
    per_second: float = 120.0
    kills: int = 3
    freezes: int = 1
    joins: int = 1
    evidence_seconds: float = 8.0
    send_seconds: float = 4.0
    limit_seconds: float = 600.0

    @property
    def load_seconds(self) -> float:
        """How long the load takes."""
        return self.messages / self.per_second

    def disturbances(self) -> list[Disturbance]:
        """Return the disturbances in the order of their times."""
        chance = random.Random(self.seed)
        acts = [Act.KILL] * self.kills + [Act.FREEZE] * self.freezes + [Act.JOIN] * self.joins
        made = [Disturbance(chance.uniform(0.1, 0.9) * self.load_seconds, act, chance.randint(1, 2)) for act in acts]
        return sorted(made, key=lambda each: each.at_seconds)

    def windows(self) -> list[dict[str, Any]]:
        """Return the provider's outages: one of each kind, for the share of the load that the seed says."""
        chance = random.Random(f"{self.seed} windows")
        made = []
        for kind in ("unavailable", "silent", "cut", "unauthorized"):
            begin = chance.uniform(0.05, 0.85) * self.load_seconds
            seconds = chance.uniform(0.03, 0.1) * self.load_seconds
            account = chance.choice(ACCOUNTS)["name"]
            made.append({"account": account, "kind": kind, "from_seconds": begin, "to_seconds": begin + seconds})
        return made

    def conversation_ids(self) -> list[str]:
        """Return the ids of all conversations."""
        return [f"chaos-{self.seed}-{number}" for number in range(self.conversations)]

    def orders(self) -> list[Order]:
        """Return the messages in the order of their sending, the same for the same seed."""
        chance = random.Random(f"{self.seed} orders")
        names = self.conversation_ids()
        sequences = [0] * self.conversations
        made = []
        for _ in range(self.messages):
            one = chance.randrange(self.conversations)
            sequences[one] += 1
            made.append(
                Order(
                    message_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                    conversation_id=names[one],
                    recipient_id=f"whatsapp:+55119{one:08d}",
                    account=ACCOUNTS[one % len(ACCOUNTS)]["name"],
                    sequence=sequences[one],
                )
            )
        return made
