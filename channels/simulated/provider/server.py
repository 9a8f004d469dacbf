"""The provider's HTTP: the calls, the counted truth, and the faults, which may be changed while it runs.

POST /v1/<channel>/<account>/messages           a call: one message to one person
GET  /v1/<channel>/<account>/messages?token=…   the messages of a token, for a look-up
POST /v1/<channel>/<account>/media              a file, before its message
GET  /taken?after=0&limit=1000                  the taken messages in their order, by pages
GET  /receipts?after=0&limit=1000               the reported receipts
GET  /counts                                    the answers by kind and account
GET  /faults, POST /faults                      the faults; a JSON object changes some, or names a preset
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from aiohttp import web

from channels.simulated.chaos.chance import Chance
from channels.simulated.chaos.decisions import Answer, Decision, decide, in_window, throttled
from channels.simulated.chaos.faults import Faults, InvalidFaults, preset
from channels.simulated.chaos.receipts import plan
from channels.simulated.provider import protocol
from channels.simulated.provider.books import MOST_PAGE, Books, Given, Message, Taken
from channels.simulated.provider.receipt_sender import ReceiptSender, Report
from domain.errors import Unavailable
from domain.recipients import CHANNELS
from domain.records import ReceiptReported
from domain.token_bucket import Rate, take

log = logging.getLogger(__name__)

_ROUTE = "/v1/{channel}/{account}"
_OUT = Decision(Answer.UNAVAILABLE, takes=False)


class Provider:
    """One provider. ``report`` writes a receipt; it raises ``Unavailable`` if it cannot, and is called again."""

    def __init__(self, faults: Faults, report: Report) -> None:
        self.faults = faults
        self.books = Books()
        self._report = report
        self._sender = ReceiptSender(self.books, report)
        self._since = time.monotonic()
        self._full_at: dict[str, float] = {}  # of each account's token bucket

    def app(self) -> web.Application:
        """Return the application; it reports receipts while it runs."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post(f"{_ROUTE}/messages", self._call)
        app.router.add_get(f"{_ROUTE}/messages", self._look_up)
        app.router.add_post(f"{_ROUTE}/media", self._media)
        app.router.add_get("/taken", self._taken)
        app.router.add_get("/receipts", self._receipts)
        app.router.add_get("/counts", self._counts)
        app.router.add_get("/faults", self._show_faults)
        app.router.add_post("/faults", self._change_faults)
        app.cleanup_ctx.append(self._reporting)
        return app

    def set_faults(self, faults: Faults) -> None:
        """Misbehave like this from now on; windows count from now."""
        self.faults = faults
        self._since = time.monotonic()

    async def _reporting(self, app: web.Application) -> Any:
        task = asyncio.create_task(self._sender.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    # The calls -----------------------------------------------------------------------------------------------------

    async def _call(self, request: web.Request) -> web.StreamResponse:
        body = await request.content.read(protocol.MAX_BODY_BYTES + 1)
        try:
            message = protocol.read_message(request.match_info["channel"], request.match_info["account"], body)
        except protocol.BadRequest as fault:
            return _response(protocol.error(400, "bad-request", str(fault), kind="permanent"))
        if message.channel not in CHANNELS:
            return _response(protocol.error(404, "no-channel", f"there is no channel {message.channel}"))
        faults = self.faults  # those of the whole call
        self.books.open_calls[message.token] += 1
        try:
            decision = self._decision(faults, message)
            self.books.answers[message.account, decision.answer] += 1
            await asyncio.sleep(decision.wait_seconds)
            taken = await self._take(faults, message, decision) if decision.takes else None
        finally:
            self.books.open_calls[message.token] -= 1
            if not self.books.open_calls[message.token]:
                del self.books.open_calls[message.token]
        if decision.answer is Answer.HANG:
            await asyncio.sleep(faults.hang_seconds)
        if decision.answer in (Answer.HANG, Answer.CUT):
            return _cut(request)
        return _response(protocol.answer_to(decision, taken, faults.html_bytes))

    def _decision(self, faults: Faults, message: Message) -> Decision:
        now = time.monotonic()
        if self.books.is_full:
            return _OUT
        outage = in_window(faults, message.channel, message.account, now - self._since)
        if outage is not None:
            return outage
        if faults.account_per_second:
            rate = Rate(faults.account_per_second, max(1, int(faults.account_per_second)))
            found = take(self._full_at.get(message.account, 0.0), now, rate)
            self._full_at[message.account] = found.full_at
            if not found.allowed:
                return throttled(faults)
        return decide(faults, message.token, self.books.next_call(message.token))

    async def _take(self, faults: Faults, message: Message, decision: Decision) -> Taken:
        taken = self.books.take(message, time.time_ns() // 1_000_000)
        times = len(self.books.of_token(message.account, message.token))
        planned = plan(faults, message.token, times, taken.at_ms)
        if decision.early and planned:
            await self._sender.report(taken, planned.pop(0))
        self._sender.add(taken, planned)
        if Chance(faults.seed, message.token, times).of("stranger") < faults.stranger_share:
            await self._report_stranger(taken)
        return taken

    async def _report_stranger(self, taken: Taken) -> None:
        """Report a receipt for a message that nobody sent; a failure is no loss."""
        receipt = ReceiptReported(taken.account, f"{taken.provider_id}.stranger", "", "DELIVERED", taken.at_ms)
        with suppress(Unavailable):
            await self._report(taken.channel, taken.conversation, receipt)
            self.books.strangers += 1

    async def _look_up(self, request: web.Request) -> web.Response:
        account, token = request.match_info["account"], request.query.get("token", "")
        if self._is_out(request):
            return _response(protocol.answer_to(_OUT, None, 0))
        found = [{"id": each.provider_id, "at_ms": each.at_ms} for each in self.books.of_token(account, token)]
        return web.json_response({"messages": found, "pending": token in self.books.open_calls})

    def _is_out(self, request: web.Request) -> bool:
        channel, account = request.match_info["channel"], request.match_info["account"]
        return in_window(self.faults, channel, account, time.monotonic() - self._since) is not None

    async def _media(self, request: web.Request) -> web.Response:
        digest = hashlib.sha256()
        async for chunk in request.content.iter_chunked(64 * 1024):
            digest.update(chunk)
        if self._is_out(request):
            return _response(protocol.answer_to(_OUT, None, 0))
        return web.json_response({"id": f"media.{digest.hexdigest()[:32]}"}, status=201)

    # The truth -----------------------------------------------------------------------------------------------------

    async def _taken(self, request: web.Request) -> web.Response:
        return _page(request, "taken", self.books.taken)

    async def _receipts(self, request: web.Request) -> web.Response:
        return _page(request, "receipts", self.books.given)

    async def _counts(self, request: web.Request) -> web.Response:
        accounts: dict[str, dict[str, int]] = {}
        for (account, answer), count in sorted(self.books.answers.items()):
            accounts.setdefault(account, {})[answer] = count
        document = {
            "answers": accounts,
            "taken": len(self.books.taken),
            "receipts": len(self.books.given),
            "receipts_waiting": self._sender.waiting,
            "strangers": self.books.strangers,
            "open_calls": sum(self.books.open_calls.values()),
        }
        return web.json_response(document)

    # The faults ----------------------------------------------------------------------------------------------------

    async def _show_faults(self, request: web.Request) -> web.Response:
        return web.json_response(self.faults.document())

    async def _change_faults(self, request: web.Request) -> web.Response:
        try:
            changes = json.loads(await request.content.read(protocol.MAX_BODY_BYTES))
            if not isinstance(changes, dict):
                raise InvalidFaults("expected a JSON object")
            begin = preset(changes.pop("preset"), self.faults.seed) if "preset" in changes else self.faults
            self.set_faults(begin.changed(changes))
        except (ValueError, InvalidFaults) as fault:
            return _response(protocol.error(400, "invalid-faults", str(fault)))
        log.warning("the faults are changed: %s", ", ".join(f"{name}={value}" for name, value in changes.items()))
        return web.json_response(self.faults.document())


def _page(request: web.Request, name: str, rows: Sequence[Taken] | Sequence[Given]) -> web.Response:
    """Return the rows numbered above ``after``; row ``n`` is at index ``n - 1``."""
    try:
        after, limit = int(request.query.get("after", "0")), int(request.query.get("limit", "1000"))
    except ValueError:
        after, limit = -1, 0
    if after < 0 or not 1 <= limit <= MOST_PAGE:
        return _response(protocol.error(400, "bad-request", f"after is at least 0, limit 1 to {MOST_PAGE}"))
    page = rows[after : after + limit]
    following = after + len(page) if after + len(page) < len(rows) else None
    return web.json_response({name: [asdict(each) for each in page], "next": following})


def _cut(request: web.Request) -> web.Response:
    """Cut the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # goes nowhere


def _response(answer: protocol.WireAnswer) -> web.Response:
    return web.Response(
        status=answer.status, body=answer.body, content_type=answer.content_type, headers=dict(answer.headers)
    )
