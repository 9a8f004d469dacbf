"""The ledger of a run against any host: accepted messages, and what the API says of each of them. Pure.

The rules are those of ``loadtests/ledger.py``. It judges records of the log; here they are made from the API's
answers, which have the same fields.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from loadtests.ledger import FINAL, LIFE, Balance, Ledger
from loadtests.orders import Order

Document = Mapping[str, Any]


class Book:
    """The accepted messages by conversation, and the messages that listeners expect."""

    def __init__(self) -> None:
        self.accepted: dict[str, Order] = {}
        self.answered_twice: list[str] = []
        self.uncertain = 0
        self.to_push: set[str] = set()
        self.pushed: set[str] = set()
        self.written: list[str] = []  # texts of people on channels
        self.arrived: list[tuple[str, str, str]] = []  # conversation, message and text of such a one

    def accept(self, message_id: str, order: Order, *, is_pushed: bool = False) -> None:
        """A 202 came for ``order``. ``is_pushed``: a WebSocket has to show it."""
        if message_id in self.accepted:
            self.answered_twice.append(message_id)
        self.accepted[message_id] = order
        if is_pushed:
            self.to_push.add(message_id)

    def conversations(self) -> list[str]:
        """Return the conversations with an accepted message."""
        ours = (order.conversation_id for order in self.accepted.values())
        return list(dict.fromkeys([*ours, *(conversation_id for conversation_id, _, _ in self.arrived)]))

    def balance(self, histories: Mapping[str, Sequence[Document]]) -> Balance:
        """Judge. ``histories``: all messages of each conversation, in the API's order, oldest first."""
        ledger = Ledger()
        ledger.uncertain = self.uncertain
        for message_id, order in self.accepted.items():
            ledger.accepted(order, message_id)
        for documents in histories.values():
            _enter(ledger, [document for document in documents if not _is_inbound(document)])
        balance = ledger.balance()
        balance.faults.update(self._inbound_faults(histories))
        if self.answered_twice:
            balance.faults["answered twice with one id"] = self.answered_twice
        if missing := sorted(self.to_push - self.pushed):
            balance.faults["accepted and never pushed to a listener"] = missing
        return balance

    def _inbound_faults(self, histories: Mapping[str, Sequence[Document]]) -> dict[str, list[str]]:
        """Return the faults of inbound texts: each is in one conversation once, and was pushed."""
        times = Counter(
            document["content"] for documents in histories.values() for document in documents if _is_inbound(document)
        )
        heard = {text for _, _, text in self.arrived}
        found = {
            "written by a person and not in a conversation": [text for text in self.written if not times[text]],
            "written by a person and there more than once": [text for text in self.written if times[text] > 1],
            "written by a person and never pushed": [text for text in self.written if text not in heard],
        }
        return {kind: texts for kind, texts in found.items() if texts}


def is_finished(document: Document) -> bool:
    """Return whether nothing more is to happen to a message."""
    return _is_inbound(document) or document["status"] in FINAL


def _is_inbound(document: Document) -> bool:
    return document.get("direction") == "inbound"


def words_of(document: Document) -> tuple[str, ...]:
    """Return the status words that a message has had: a later word implies the earlier ones."""
    word = str(document["status"])
    if word == "FAILED":
        return ("ACCEPTED", *(("SENT",) if document["sent_at"] else ()), "FAILED")
    return LIFE[: LIFE.index(word) + 1]


def _enter(ledger: Ledger, documents: Sequence[Document]) -> None:
    """Enter one conversation's messages, their SENT facts in the order of their times."""
    for place, document in enumerate(documents):
        record = {name: document[name] for name in ("message_id", "conversation_id", "content")}
        record |= {"type": "MessageAccepted", "version": 1, "recipient_id": document["recipient_id"] or ""}
        ledger.logged(orjson.dumps(record), document["timestamp"], place)
    for place, document in sorted(enumerate(documents), key=lambda item: (item[1]["sent_at"] or "", item[0])):
        fact = {
            "type": "StatusChanged",
            "version": 1,
            "message_id": document["message_id"],
            "accepted_at_ms": document["timestamp"],
            "position": place,
            "attempt": 1,
            "provider_id": None,
            "at_ms": document["timestamp"],
        }
        for word in words_of(document):
            ledger.changed(orjson.dumps({**fact, "status": word}))
