"""Posts webhooks: signed, in order for each person, again until they are answered with 2xx; all of it is bounded."""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import orjson

from channels.simulated.chaos.chance import Chance
from simulator.accounts import Accounts, BusinessAccount
from simulator.chaos import Chaos
from simulator.messages import Event

log = logging.getLogger(__name__)

LANES = 16  # of an account: so many posts at a time; one person's updates share a lane
MOST_WAITING = 200_000  # updates of all accounts; beyond it the oldest of the lane is lost, and counted
POST_SECONDS = 10.0
CONNECT_SECONDS = 3.0
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.25, 30.0
GIVE_UP_SECONDS = 7 * 86_400.0  # Meta retries for 7 days


@dataclass(frozen=True, slots=True)
class Update:
    """One thing to report. ``kind``: ``status``, ``message`` or ``event``; ``event``: the entry of the history whose
    webhook it is. Updates of one ``lane`` keep their order."""

    account: BusinessAccount
    lane: str
    kind: str
    id: str
    fragment: Mapping[str, Any]
    event: Event | None = None


class Form(Protocol):
    """A protocol's form of a webhook."""

    batches: bool  # whether one post may have several updates

    def body(self, account: BusinessAccount, fragments: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]: ...

    def headers(self, account: BusinessAccount, raw: bytes) -> Mapping[str, str]: ...


UNKNOWN_FIELDS = {"future_field": {"added": "by drift"}, "future_list": [1, "two", None]}


def _drifted(update: Update, chaos: Chaos) -> Mapping[str, Any]:
    """Return the fragment, with unknown fields in it and in its objects if the chaos says so."""
    if Chance(chaos.seed, f"webhook {update.id}", 1).of("unknown field") >= chaos.unknown_field_share:
        return update.fragment
    deeper = {
        name: {**value, **UNKNOWN_FIELDS} if isinstance(value, Mapping) else value
        for name, value in update.fragment.items()
    }
    return {**deeper, **UNKNOWN_FIELDS}


class Poster:
    """One for the process. ``chaos`` returns the chaos in force and for how many seconds it has been."""

    def __init__(self, accounts: Accounts, forms: Mapping[str, Form], chaos: Callable[[], tuple[Chaos, float]]) -> None:
        self._accounts = accounts
        self._forms = forms
        self._chaos = chaos
        self._lanes: dict[tuple[tuple[str, str], int], deque[Update]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self.waiting = 0
        self.counts: Counter[tuple[tuple[str, str], str]] = Counter()

    def post(self, update: Update) -> None:
        """Post an update soon; never waits. The chaos may drop it, or post it twice."""
        key, (chaos, seconds) = update.account.key, self._chaos()
        chance = Chance(chaos.seed, f"webhook {update.id}", 1)
        share = chaos.drop_statuses_share if update.kind == "status" else chaos.drop_messages_share
        if update.kind != "event" and chaos.drops(share, chance.of("drop"), seconds):
            self._over(update, "dropped")
        elif key not in self._accounts.callbacks:
            self._over(update, "without a callback")
        else:
            for _ in range(2 if chance.of("twice") < chaos.webhook_twice_share else 1):
                self._enqueue(update)

    def _enqueue(self, update: Update) -> None:
        key = update.account.key, zlib.crc32(update.lane.encode()) % LANES
        if key not in self._lanes:
            self._lanes[key] = deque()
            task = asyncio.create_task(self._run(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        lane = self._lanes[key]
        if self.waiting >= MOST_WAITING and lane:
            self._over(lane.popleft(), "lost")
            self.waiting -= 1
        lane.append(update)
        self.waiting += 1

    async def _run(self, key: tuple[tuple[str, str], int]) -> None:
        """Post the webhooks of one lane, until it is empty."""
        lane = self._lanes[key]
        while lane:
            account = lane[0].account
            most = self._chaos()[0].updates_in_a_post if self._forms[account.channel].batches else 1
            batch = [lane.popleft() for _ in range(min(most, len(lane)))]
            await self._until_answered(account, batch)
            self.waiting -= len(batch)
        del self._lanes[key]

    async def _until_answered(self, account: BusinessAccount, batch: Sequence[Update]) -> None:
        form = self._forms[account.channel]
        chaos, _ = self._chaos()
        raw = orjson.dumps(form.body(account, [_drifted(update, chaos) for update in batch]))
        headers = {"Content-Type": "application/json", **form.headers(account, raw)}
        began, wait_seconds = time.monotonic(), FIRST_RETRY_SECONDS
        while url := self._accounts.callbacks.get(account.key):
            status = await self._posted(url, raw, headers)
            self.counts[account.key, "posts"] += 1
            if 200 <= status < 300:
                for update in batch:
                    self._over(update, "delivered", "DELIVERED")
                return
            self.counts[account.key, f"answered {status}" if status else "not answered"] += 1
            if time.monotonic() - began > GIVE_UP_SECONDS:
                break
            for update in batch:
                if update.event is not None:
                    update.event.webhook = "RETRYING"
            log.info("a webhook of %s is posted again in %.2f s: status %d", account.name, wait_seconds, status)
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, LONGEST_RETRY_SECONDS)
        for update in batch:
            self._over(update, "given up")

    async def _posted(self, url: str, raw: bytes, headers: Mapping[str, str]) -> int:
        """Return the status of the answer, 0 if there is none."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=POST_SECONDS, connect=CONNECT_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=256))
        try:
            async with self._session.post(url, data=raw, headers=headers, allow_redirects=False) as answer:
                await answer.content.read(65_536)
                return answer.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return 0

    def _over(self, update: Update, word: str, webhook: str = "FAILED") -> None:
        self.counts[update.account.key, f"{update.kind} {word}"] += 1
        if update.event is not None:
            update.event.webhook = webhook

    async def close(self) -> None:
        """Stop posting; waiting webhooks are lost."""
        for task in list(self._tasks):
            task.cancel()
        for task in list(self._tasks):
            with suppress(asyncio.CancelledError):
                await task
        if self._session is not None:
            await self._session.close()
