"""Compares the provider's own record of its calls with the states in the system. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadtests.feed import Order
from loadtests.provider import Given, Taken
from loadtests.seeded import Check


@dataclass(frozen=True, slots=True)
class State:
    """A message as the API shows it."""

    status: str
    delivered: bool = False
    read: bool = False
    failure_code: str = ""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> State:
        """Return the state in one message of an answer."""
        failure = document.get("failure") or {}
        return cls(
            document["status"],
            document["delivered_at"] is not None,
            document["read_at"] is not None,
            failure.get("code") or "",
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known after a run. ``waiting``: what the owners of partitions say waits, by reason.

    ``resending``: accounts whose setting allows a second send of an unknown outcome.
    """

    orders: Sequence[Order]
    states: Mapping[str, State]
    taken: Sequence[Taken]
    given: Sequence[Given]
    waiting: Mapping[str, int]
    resending: Collection[str]

    def checks(self) -> list[Check]:
        """Return all verdicts."""
        return [self._ledger(), self._final(), self._repeated(), self._order(), self._receipts(), self._belief()]

    def _known(self) -> dict[str, Order]:
        return {order.message_id: order for order in self.orders}

    def _ledger(self) -> Check:
        """Each accepted message has a state in the API, and a failed one has a reason."""
        words: Counter[str] = Counter()
        codes: Counter[str] = Counter()
        faults = []
        for order in self.orders:
            state = self.states.get(order.message_id)
            if state is None:
                faults.append(f"{order.message_id} of {order.conversation_id} is not in the API")
                continue
            words[state.status] += 1
            if state.status == "FAILED":
                codes[state.failure_code] += 1
                if not state.failure_code:
                    faults.append(f"{order.message_id} is FAILED without a reason")
        shown = ", ".join(f"{count} {word}" for word, count in sorted(words.items()))
        reasons = ", ".join(f"{code} {count}" for code, count in codes.most_common())
        return Check(
            "the ledger balances", faults, f"{len(self.orders)} accepted = {shown} (FAILED: {reasons or 'none'})"
        )

    def _final(self) -> Check:
        """Each message has a final word, or is held with a reason."""
        accepted = [o.message_id for o in self.orders if o.message_id in self.states and self._is_open(o.message_id)]
        held = sum(self.waiting.values())
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.waiting.items()) if count)
        faults = accepted if len(accepted) > held else []
        return Check("every message has a final word or is held with a reason", faults, f"held: {reasons or 'none'}")

    def _is_open(self, message_id: str) -> bool:
        return self.states[message_id].status == "ACCEPTED"

    def _repeated(self) -> Check:
        """No message was taken twice, except where the account's setting allows it."""
        times = Counter(taken.token for taken in self.taken)
        accounts = {taken.token: taken.account for taken in self.taken}
        repeated = {token: count for token, count in times.items() if count > 1}
        explained = sum(accounts[token] in self.resending for token in repeated)
        faults = [
            f"{token} of account {accounts[token]} was taken {count} times"
            for token, count in repeated.items()
            if accounts[token] not in self.resending
        ]
        note = f"{len(self.taken)} taken, {explained} of them again by accounts with resend_unknown"
        return Check("nobody got a message twice without leave", faults, note)

    def _order(self) -> Check:
        """Each address got the messages of a conversation in the order of their acceptance."""
        known, faults = self._known(), []
        last: dict[tuple[str, str], tuple[int, str]] = {}
        seen: set[str] = set()
        for taken in self.taken:
            order = known.get(taken.token)
            if order is None or taken.token in seen:
                continue
            seen.add(taken.token)
            pair = taken.conversation, taken.address
            before = last.get(pair)
            if before is not None and before[0] > order.sequence:
                faults.append(f"{taken.conversation}: {taken.token} was taken after {before[1]}")
            else:
                last[pair] = order.sequence, taken.token
        return Check("nothing was out of order", faults, f"{len(last)} pairs of conversation and address")

    def _receipts(self) -> Check:
        """Each receipt that the provider gave is in the message's state."""
        known, faults = self._known(), []
        counted = 0
        for given in self.given:
            state = self.states.get(given.token)
            if given.token not in known or state is None:
                continue
            counted += 1
            is_there = {
                "READ": state.read,
                "DELIVERED": state.delivered,
                "FAILED": state.status == "FAILED" or state.delivered or state.read,
            }
            if not is_there.get(given.status, False):
                faults.append(f"{given.status} of {given.token} is lost: the API says {state.status}")
        return Check("no receipt was lost", faults, f"{counted} receipts")

    def _belief(self) -> Check:
        """The system claims nothing that did not happen."""
        taken = {each.token for each in self.taken}
        given: defaultdict[str, set[str]] = defaultdict(set)
        for each in self.given:
            given[each.token].add(each.status)
        faults = []
        hidden = 0
        for order in self.orders:
            state = self.states.get(order.message_id)
            if state is None:
                continue
            if state.status in ("SENT", "DELIVERED", "READ") and order.message_id not in taken:
                faults.append(f"{order.message_id} is {state.status}, and the provider did not take it")
            for word, claimed in (("DELIVERED", state.delivered), ("READ", state.read)):
                if claimed and word not in given[order.message_id] and "READ" not in given[order.message_id]:
                    faults.append(f"{order.message_id} is {word} without a receipt")
            hidden += state.status == "FAILED" and order.message_id in taken and "FAILED" not in given[order.message_id]
        return Check(
            "nothing is claimed that did not happen",
            faults,
            f"{hidden} FAILED that the provider took, without a receipt",
        )
