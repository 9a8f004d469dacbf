"""Accepted messages through today's decisions, with the channels inside this process. Nothing is sent.

A message is routed, degraded for its channel, and taken or refused by the simulated channel, with the retries that the
delivery has. What depends on memory is left out: a conversation's account, a person's reply window, a provider's id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from channels.manifest import CAPABILITIES, TITLES
from channels.simulated import SimulatedConnector, Simulation
from domain import routing
from domain.attempts import QueuedDelivery
from domain.degradation import degraded
from domain.delivery_policy import DeliveryRules, Failure, Wait, decide
from domain.outcomes import Sent
from domain.ports import LogPosition
from domain.records import DeliveryRequested, MessageAccepted
from domain.status import Fact, Status, fact_in, fold

_RULES = DeliveryRules()
_AT_ONCE = Simulation((0.0, 0.0), (0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a message at one address. ``channel``: empty if it goes to none. ``code``: of a failure."""

    address: str
    channel: str
    account: str
    kind: str
    text: str
    status: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``what``: route, status or text."""

    message_id: str
    address: str
    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.what}: message {self.message_id} to {self.address or 'nobody'}: {self.before} → {self.after}"


class ShadowRun:
    """Today's code, without memory."""

    def __init__(self) -> None:
        self._connectors = {channel: SimulatedConnector(channel, TITLES[channel], _AT_ONCE) for channel in TITLES}

    async def outcomes(self, message: MessageAccepted, position: LogPosition) -> list[Outcome]:
        """Return what becomes of ``message``, by address. A person's message goes nowhere."""
        if message.is_inbound:
            return []
        routed = routing.decide(message, position)
        found = [await self._delivered(channel, request) for channel, request in routed.requests]
        delivered = {one.address for one in found}
        facts = [fact_in(change) for change in routed.facts]
        for address in message.targets or ("",):
            if address not in delivered:
                mine = [fact for fact in facts if fact.recipient_id in ("", address)]
                found.append(_without_channel(message, address, mine))
        return sorted(found, key=lambda one: one.address)

    async def _delivered(self, channel: str, request: DeliveryRequested) -> Outcome:
        outgoing = degraded(request, CAPABILITIES[channel])
        status, code = await self._fate(channel, outgoing)
        return Outcome(
            request.recipient_id, channel, request.account, outgoing.kind, outgoing.content, str(status), code
        )

    async def _fate(self, channel: str, request: DeliveryRequested) -> tuple[Status, str]:
        connector = self._connectors[channel]
        row = QueuedDelivery.of(request, request.position, request.accepted_at_ms, 2**62)
        while True:
            row = row.begun()
            decision = decide(await connector.send(request, row.attempt), row, _RULES, request.accepted_at_ms, 0.0)
            match decision:
                case Sent():
                    receipts = connector.promised_receipts(request, decision)
                    return (receipts[-1].status if receipts else Status.SENT), ""
                case Failure(code):
                    return Status.FAILED, code
                case Wait(waiting):
                    row = waiting


def _without_channel(message: MessageAccepted, address: str, facts: Sequence[Fact]) -> Outcome:
    state = fold(Fact(fact.status, fact.at_ms, fact.attempt, None, fact.failure_code) for fact in facts).overall
    channel = "" if state.status is Status.FAILED else "internal"
    return Outcome(address, channel, "", message.kind, message.content, str(state.status), state.failure_code or "")


def changes(message_id: str, before: Sequence[Outcome], after: Sequence[Outcome]) -> Iterator[Change]:
    """Yield where two runs of one message differ: other route, other text, other status."""
    former, latter = ({one.address: one for one in outcomes} for outcomes in (before, after))
    for address in sorted({*former, *latter}):
        one, other = former.get(address), latter.get(address)
        pairs = [("route", _route(one), _route(other))]
        if one is not None and other is not None:
            pairs += [("text", _text(one), _text(other)), ("status", _status(one), _status(other))]
        for what, was, now in pairs:
            if was != now:
                yield Change(message_id, address, what, was, now)


def recorded(outcome: Outcome) -> Mapping[str, Any]:
    """Return the outcome as a recording has it."""
    return asdict(outcome)


def _route(one: Outcome | None) -> str:
    if one is None:
        return "no route"
    return f"{one.channel or 'nowhere'}{f' by {one.account}' if one.account else ''}"


def _text(one: Outcome) -> str:
    return f"{one.kind} {one.text!r}"


def _status(one: Outcome) -> str:
    return f"{one.status} {one.code}".rstrip()
