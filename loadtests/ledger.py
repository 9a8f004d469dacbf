"""The exact ledger of a run: every accepted message is followed to its last state, and everything else is a fault.

Pure: ``loadtests/reader.py`` feeds it what is on the topics. It reads the JSON by itself instead of using the
product's codec, because a check should not share the bugs of what it checks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson

from loadtests.orders import Order

FINAL = frozenset({"READ", "FAILED"})
LIFE = ("ACCEPTED", "SENT", "DELIVERED", "READ")
SHOWN = 5


@dataclass(slots=True)
class _Life:
    """The facts of one message on the topics. ``sent``: (attempt, provider id) of its SENT facts, in their order."""

    conversation_id: str = ""
    position: tuple[int, int] | None = None
    document: Any = None
    words: set[str] = field(default_factory=set)
    sent: list[tuple[int, Any]] = field(default_factory=list)
    first_sent: int = -1
    fact_position: tuple[int, int] | None = None
    facts_disagree: bool = False
    ended_ms: int = 0


@dataclass(slots=True)
class Balance:
    """The outcome. ``faults``: kind → descriptions; any makes the run void. ``repeats``: messages sent again."""

    accepted: int
    read: int
    failed: int
    uncertain: int
    facts: int
    repeats: int
    faults: dict[str, list[str]]

    @property
    def is_balanced(self) -> bool:
        return not self.faults

    def __str__(self) -> str:
        head = (
            f"{self.accepted} accepted, {self.read} READ, {self.failed} FAILED, {self.facts} facts, "
            f"{self.repeats} sent again, {self.uncertain} requests without a certain answer"
        )
        if not self.faults:
            return f"ledger balanced: {head}"
        lines = [f"LEDGER NOT BALANCED, the run is void: {head}"]
        for kind, found in self.faults.items():
            lines.append(f"  {kind}: {len(found)}")
            lines += [f"    {text}" for text in found[:SHOWN]]
        return "\n".join(lines)


class Ledger:
    """Collects; ``balance`` judges. ``uncertain`` counts requests that may or may not have been taken (503, cut)."""

    def __init__(self) -> None:
        self.uncertain = 0
        self.facts = 0
        self.unreadable = 0
        self.to_sent_ms: list[int] = []  # of each message, from its acceptance to its first SENT
        self.finished: set[str] = set()
        self.open: set[str] = set()
        self._accepted: dict[str, Order] = {}
        self._answered_twice: list[str] = []
        self._logged_twice: list[str] = []
        self._lives: dict[str, _Life] = {}

    def accepted(self, order: Order, message_id: str) -> None:
        """A 202 came for ``order``."""
        if message_id in self._accepted:
            self._answered_twice.append(message_id)
        self._accepted[message_id] = order
        if message_id not in self.finished:
            self.open.add(message_id)

    def logged(self, value: bytes | None, timestamp_ms: int, offset: int) -> None:
        """A record of ``messages`` was read."""
        document = _document(value, "MessageAccepted")
        if document is None:
            self.unreadable += 1
            return
        message_id = document["message_id"]
        life = self._life(message_id)
        if life.position is not None:
            self._logged_twice.append(message_id)
        life.position, life.document = (timestamp_ms, offset), document
        life.conversation_id = document["conversation_id"]
        if message_id not in self.finished:
            self.open.add(message_id)

    def changed(self, value: bytes | None, timestamp_ms: int = 0) -> str | None:
        """A record of ``status-updates`` was read (those of a partition in order); return its status word.

        ``timestamp_ms``: when the record was written.
        """
        document = _document(value, "StatusChanged")
        if document is None:
            self.unreadable += 1
            return None
        message_id, word = document["message_id"], str(document["status"])
        life = self._life(message_id)
        if word == "SENT":
            life.sent.append((document["attempt"], document["provider_id"]))
            if life.first_sent < 0:
                life.first_sent = self.facts
                self.to_sent_ms.append(int(document["at_ms"]) - int(document["accepted_at_ms"]))
        life.words.add(word)
        position = (document["accepted_at_ms"], document["position"])
        life.facts_disagree |= life.fact_position not in (None, position)
        life.fact_position = position
        if word in FINAL:
            life.ended_ms = life.ended_ms or timestamp_ms
            self.finished.add(message_id)
            self.open.discard(message_id)
        self.facts += 1
        return word

    def balance(self, sends: Mapping[str, int] | None = None, *, may_repeat: bool = False) -> Balance:
        """Judge. ``sends``: how often the channels' logs show each recipient (``None``: not counted).

        ``may_repeat``: a worker was killed. Then a second send with the same provider id is no fault, since the channel
        recognises repetitions.
        """
        faults: defaultdict[str, list[str]] = defaultdict(list)
        for message_id, order in self._accepted.items():
            self._check_accepted(message_id, order, faults)
        strangers = [i for i, life in self._lives.items() if i not in self._accepted and life.position is not None]
        if len(strangers) > self.uncertain:
            faults["logged and never accepted"] += strangers
        repeats = 0
        for message_id, life in self._lives.items():
            repeats += self._check_life(message_id, life, faults, may_repeat)
        faults["answered twice with one id"] += self._answered_twice
        faults["logged twice"] += self._logged_twice
        faults["conversation out of order"] += self._disorder()
        if sends is not None:
            self._check_sends(sends, faults, may_repeat)
        words = Counter(
            "READ" if "READ" in life.words else "FAILED" for i, life in self._lives.items() if i in self.finished
        )
        return Balance(
            len(self._accepted),
            words["READ"],
            words["FAILED"],
            self.uncertain,
            self.facts,
            repeats,
            {kind: found for kind, found in faults.items() if found},
        )

    def in_log_order(self, conversation_id: str) -> list[str]:
        """Return the ids of a conversation's messages as ``messages`` has them."""
        lives = [
            (life.position, message_id)
            for message_id, life in self._lives.items()
            if life.position is not None and life.conversation_id == conversation_id
        ]
        return [message_id for _, message_id in sorted(lives)]

    def words_of(self, message_id: str) -> frozenset[str]:
        """Return the status words of a message on ``status-updates``; none of an unknown one."""
        life = self._lives.get(message_id)
        return frozenset(life.words) if life is not None else frozenset()

    def durations_ms(self) -> list[int]:
        """Return, sorted, how long each finished message took from its acceptance to its last state."""
        lives = (self._lives[message_id] for message_id in self.finished)
        return sorted(life.ended_ms - life.position[0] for life in lives if life.position is not None)

    def _life(self, message_id: str) -> _Life:
        life = self._lives.get(message_id)
        if life is None:
            life = self._lives[message_id] = _Life()
        return life

    def _check_accepted(self, message_id: str, order: Order, faults: defaultdict[str, list[str]]) -> None:
        life = self._lives.get(message_id)
        if life is None or life.document is None:
            faults["accepted and not in the log"].append(message_id)
            return
        for name in ("conversation_id", "recipient_id", "content"):
            if life.document[name] != getattr(order, name):
                was = f"{message_id}: {name} {life.document[name]!r:.60}, sent {getattr(order, name)!r:.60}"
                faults["altered"].append(was)

    def _check_life(self, message_id: str, life: _Life, faults: defaultdict[str, list[str]], may_repeat: bool) -> int:
        if life.position is None:
            faults["facts of an unknown message"].append(message_id)
        elif life.facts_disagree or life.fact_position not in (None, life.position):
            faults["a fact with another position"].append(message_id)
        if message_id not in self.finished:
            faults["accepted and never finished"].append(f"{message_id}: {sorted(life.words)}")
        elif "READ" in life.words and (missing := [word for word in LIFE if word not in life.words]):
            faults["READ without what comes before"].append(f"{message_id}: {missing}")
        if len({provider_id for _, provider_id in life.sent}) > 1:
            faults["sent twice with different provider ids"].append(f"{message_id}: {life.sent}")
        if len({attempt for attempt, _ in life.sent}) < 2:
            return 0
        if not may_repeat:
            faults["sent twice in different attempts"].append(f"{message_id}: {life.sent}")
        return 1

    def _disorder(self) -> list[str]:
        """Return the conversations whose first SENT facts to one address are out of log order.

        No order is promised between two addresses: the next message to one does not wait for the other.
        """
        chains: defaultdict[tuple[str, str], list[tuple[tuple[int, int], int, str]]] = defaultdict(list)
        for message_id, life in self._lives.items():
            if life.position is not None and life.first_sent >= 0:
                chain = life.conversation_id, str(life.document["recipient_id"])
                chains[chain].append((life.position, life.first_sent, message_id))
        found = []
        for (conversation_id, _), sent in chains.items():
            sent.sort()
            for (_, before, first), (_, after, second) in pairwise(sent):
                if after < before:
                    found.append(f"{conversation_id}: {second} was sent before {first}")
                    break
        return found

    def _check_sends(self, sends: Mapping[str, int], faults: defaultdict[str, list[str]], may_repeat: bool) -> None:
        wanted: defaultdict[str, list[str]] = defaultdict(list)
        for message_id, order in self._accepted.items():
            wanted[order.recipient_id.partition(":")[2]].append(message_id)
        for address, message_ids in wanted.items():
            times, sent = sends.get(address, 0), sum("SENT" in self._life(i).words for i in message_ids)
            among = f"{', '.join(message_ids[:SHOWN])} to {address}: {times} times for {len(message_ids)}"
            if times < sent:
                faults["SENT and never handed to the channel"].append(among)
            elif times > len(message_ids) and not may_repeat:
                faults["handed to the channel more than once"].append(among)


def _document(value: bytes | None, kind: str) -> Any:
    try:
        document = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    usable = isinstance(document, dict) and document.get("type") == kind and document.get("version") == 1
    return document if usable and "message_id" in document else None
