"""The chaos of a call of any protocol: latency, throttles, errors, time-outs, cuts, drift."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from channels.simulated.chaos.chance import Chance
from channels.simulated.chaos.decisions import Answer, Decision, decide, in_window, throttled
from domain.token_bucket import Rate, take
from simulator.accounts import BusinessAccount
from simulator.books import Books
from simulator.chaos import Chaos
from simulator.messages import Taken

NEW_CODE = "new code"  # counted so: a code that no table knows
Take = Callable[[bool], Taken]


@dataclass(frozen=True, slots=True)
class Outcome:
    """``taken``: the message, if the person gets it. ``has_new_code``: the refusal's code is in no table yet."""

    decision: Decision
    taken: Taken | None
    has_new_code: bool = False
    has_unknown_fields: bool = False


class CutOff(Exception):
    """The connection is cut without an answer."""


class Calls:
    """Decides about calls; the same seed, token and number of the call have the same outcome."""

    def __init__(self, books: Books, chaos: Chaos) -> None:
        self._books = books
        self.chaos = chaos
        self._since = time.monotonic()
        self._full_at: dict[tuple[str, str], float] = {}  # of each account's token bucket

    def set_chaos(self, chaos: Chaos) -> None:
        """Misbehave like this from now on; windows count from now."""
        self.chaos = chaos
        self._since = time.monotonic()

    @property
    def in_force(self) -> tuple[Chaos, float]:
        """The chaos, and for how many seconds it has been in force."""
        return self.chaos, time.monotonic() - self._since

    async def carry_out(self, account: BusinessAccount, token: str, take_message: Take) -> Outcome:
        """Decide about a call, wait, take its message if the decision says so. Raises ``CutOff``."""
        chaos = self.chaos
        decision, number = self._decided(account, token)
        has_new_code = decision.takes and Chance(chaos.seed, token, number).of("new code") < chaos.new_code_share
        if has_new_code:
            decision = Decision(Answer.REFUSED, False, decision.wait_seconds)
        self._books.answers[account.key, NEW_CODE if has_new_code else decision.answer] += 1
        if decision.wait_seconds:
            await asyncio.sleep(decision.wait_seconds)
        taken = take_message(decision.early) if decision.takes else None
        if decision.answer is Answer.HANG:
            await asyncio.sleep(chaos.hang_seconds)
        if decision.answer in (Answer.HANG, Answer.CUT):
            raise CutOff
        with_fields = Chance(chaos.seed, token, number).of("unknown field") < chaos.unknown_field_share
        return Outcome(decision, taken, has_new_code, with_fields)

    async def outage(self, account: BusinessAccount) -> Decision | None:
        """Return the account's outage, ``None`` without one; for calls that send nothing. Raises ``CutOff``."""
        chaos, seconds = self.in_force
        decision = in_window(chaos, *account.key, seconds)
        if decision is not None and decision.answer is Answer.HANG:
            await asyncio.sleep(chaos.hang_seconds)
        if decision is not None and decision.answer in (Answer.HANG, Answer.CUT):
            raise CutOff
        return decision

    def _decided(self, account: BusinessAccount, token: str) -> tuple[Decision, int]:
        chaos, seconds = self.in_force
        number = self._books.calls.next(account.key, token)
        outage = in_window(chaos, *account.key, seconds)
        if outage is not None:
            return outage, number
        if chaos.account_per_second:
            rate = Rate(chaos.account_per_second, max(1, int(chaos.account_per_second)))
            found = take(self._full_at.get(account.key, 0.0), time.monotonic(), rate)
            self._full_at[account.key] = found.full_at
            if not found.allowed:
                return throttled(chaos), number
        decision = decide(chaos, token, number)
        return decision, number


def token_of(token: str, *parts: object) -> str:
    """Return a message's name for the chaos: its token, or a digest of its content."""
    return token or hashlib.blake2s(repr(parts).encode(), digest_size=12).hexdigest()


def cut(request: web.Request) -> web.Response:
    """Cut the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # goes nowhere


ERROR_PAGE = b"<!DOCTYPE html><title>Bad Gateway</title><body>" + b"<p>Something went wrong.</p>" * 20_000


def page(chaos: Chaos) -> web.Response:
    """Return a proxy's page in place of an answer."""
    return web.Response(status=502, body=ERROR_PAGE[: chaos.html_bytes], content_type="text/html")
