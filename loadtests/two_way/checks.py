"""Compares the simulated people's telephones with the system's records. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadtests.seeded import Check
from loadtests.two_way.plan import Outbound

Document = Mapping[str, Any]
CAME = frozenset({"SENT", "DELIVERED", "READ"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known after a run.

    ``accepted``: our messages that the API took. ``taken``, ``written``: the rows of the simulator, in its order.
    ``shown``: the messages of each person's conversations as the API lists them. ``receipts``: who gives read receipts.
    """

    accepted: Sequence[Outbound]
    taken: Sequence[Document]
    written: Sequence[Document]
    shown: Mapping[str, Sequence[Document]]
    receipts: Mapping[str, bool]

    def checks(self) -> list[Check]:
        """Return all verdicts."""
        return [
            self._ledger(),
            self._repeated(),
            self._belief(),
            self._order_out(),
            self._inbound(),
            self._order_in(),
        ]

    def _ours(self) -> dict[str, Document]:
        return {m["content"]: m for page in self.shown.values() for m in page if "address" not in m["sender"]}

    def _ledger(self) -> Check:
        """Each accepted message is in the API with a final word; a failed one has a reason."""
        ours, words, codes, faults = self._ours(), Counter[str](), Counter[str](), []
        for order in self.accepted:
            message = ours.get(order.text)
            if message is None:
                faults.append(f"{order.text!r} is not in the API")
                continue
            words[message["status"]] += 1
            if message["status"] == "FAILED":
                codes[(message["failure"] or {}).get("code") or "without a reason"] += 1
            if message["status"] == "ACCEPTED":
                faults.append(f"{order.text!r} has no final word")
        faults += [
            f"{count} are FAILED without a reason" for code, count in codes.items() if code == "without a reason"
        ]
        shown = ", ".join(f"{count} {word}" for word, count in sorted(words.items()))
        reasons = ", ".join(f"{code} {count}" for code, count in codes.most_common()) or "none"
        return Check("out: the ledger balances", faults, f"{len(self.accepted)} accepted = {shown} (FAILED: {reasons})")

    def _repeated(self) -> Check:
        """No message of ours was taken twice."""
        times = Counter(row["text"] for row in self.taken)
        faults = [f"{text!r} was taken {count} times" for text, count in times.items() if count > 1]
        return Check("out: nobody got a message twice", faults, f"{len(self.taken)} taken")

    def _belief(self) -> Check:
        """Compare the words: SENT with the telephones' messages, READ with the messages that were read."""
        taken, faults, hidden, late = {row["text"]: row for row in self.taken}, [], 0, 0
        for text, message in self._ours().items():
            row, status = taken.get(text), message["status"]
            if row is None:
                if status in CAME:
                    faults.append(f"{text!r} is {status}, and nobody took it")
                continue
            hidden += status == "FAILED"
            if status == "READ" and not row["is_read"]:
                faults.append(f"{text!r} is READ, and was not read")
            gives = self.receipts.get(row["person"], True) and row["channel"] != "telegram"
            late += row["is_read"] and gives and status in ("SENT", "DELIVERED") and "read" in row["statuses"]
        faults += [f"{late} receipts of reading are lost"] if late else []
        return Check("out: words are true", faults, f"{hidden} FAILED though taken (their outcome stayed unknown)")

    def _order_out(self) -> Check:
        """Each person got our messages in the order in which they were accepted."""
        last: dict[str, int] = {}
        known, faults = {order.text: order for order in self.accepted}, []
        for row in self.taken:
            order = known.get(row["text"])
            if order is None:
                continue
            if order.sequence < last.get(order.person_id, 0):
                faults.append(f"{order.text!r} was taken after number {last[order.person_id]}")
            last[order.person_id] = order.sequence
        return Check("out: nothing was out of order", faults, f"{len(last)} people")

    def _inbound(self) -> Check:
        """Each message that a person wrote is in a conversation, once."""
        theirs = Counter(
            (person, m["content"]) for person, page in self.shown.items() for m in page if "address" in m["sender"]
        )
        wrote = Counter((row["person"], row["text"]) for row in self.written if row["kind"] == "text")
        lost = [f"{text!r} of {person} is lost" for person, text in wrote - theirs]
        made_up = [f"{text!r} of {person} is there too often" for person, text in theirs - wrote]
        return Check("in: what people wrote is there, once", lost + made_up, f"{sum(wrote.values())} written")

    def _order_in(self) -> Check:
        """The conversations show what a person wrote in the order of writing."""
        wrote: defaultdict[str, list[str]] = defaultdict(list)
        for row in self.written:
            if row["kind"] == "text":
                wrote[row["person"]].append(row["text"])
        faults = []
        for person, page in self.shown.items():
            shown = [m["content"] for m in page if "address" in m["sender"]]
            if shown != wrote[person] and Counter(shown) == Counter(wrote[person]):
                at = next(n for n, (one, other) in enumerate(zip(shown, wrote[person], strict=True)) if one != other)
                faults.append(f"{person}: {shown[at]!r} stands where {wrote[person][at]!r} was written")
        return Check("in: nothing is out of order", faults, f"{len(self.shown)} people")


def right_share(evidence: Evidence, channel: str) -> tuple[float, int]:
    """Return the share of the channel's taken messages whose word is that of the phone, and their number."""
    right = count = 0
    ours = evidence._ours()
    for row in evidence.taken:
        message = ours.get(row["text"])
        if row["channel"] != channel or message is None:
            continue
        count += 1
        gives = evidence.receipts.get(row["person"], True)
        word = "READ" if row["is_read"] and gives else "DELIVERED" if row["is_shown"] else "SENT"
        right += message["status"] == word or (message["status"] == "READ" and row["is_read"])
    return (right / count if count else 1.0), count
