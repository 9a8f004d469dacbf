"""Fetches the updates of accounts that are polled (``updates = "polling"``) and puts them where webhooks go.

An account has one poller among the workers of its channel: the owner of the account's partition of
``<channel>-webhooks``. The provider forgets updates that are durable there. After a rebalance or a crash some come
again, which the people's agent recognises as it recognises a webhook's repetition.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from mode import Service

from app.clock import now_ms
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from domain.errors import Unavailable
from domain.inbound import WebhookReceived
from domain.ports import Polled, PollingConnector
from domain.retries import retry_seconds

if TYPE_CHECKING:
    from agents.account_choice import AccountChoice
    from agents.dispatcher import Dispatcher
    from app.faust.stream_app import StreamApp

log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0  # between two looks at whose the account is
LONGEST_SECONDS = 60.0  # of a back-off


class Polling(Service):  # type: ignore[misc]
    """One task for each polled account of the channel. ``chance`` returns a number from 0 to 1."""

    def __init__(
        self,
        app: StreamApp,
        channel: str,
        choice: AccountChoice,
        dispatcher: Dispatcher,
        chance: Callable[[], float] = random.random,
        **kwargs: Any,
    ) -> None:
        self._app = app
        self._topic = app.names.webhooks(channel)
        self._dispatcher = dispatcher
        self._chance = chance
        self._connectors: dict[str, PollingConnector] = {}
        for name, lane in choice.lanes.items():
            if isinstance(lane.connector, PollingConnector) and lane.connector.is_polled:
                self._connectors[name] = lane.connector
        self._polls: set[asyncio.Task[Polled]] = set()
        app.on_drain(self.drain)
        super().__init__(**kwargs)

    async def on_started(self) -> None:
        for account, connector in self._connectors.items():
            self.add_future(self._poll(account, connector))

    async def on_stop(self) -> None:
        await self.drain()

    async def drain(self) -> None:
        """End the polls under way: the account's next owner gets what they would have brought."""
        for poll in self._polls:
            poll.cancel()

    async def _poll(self, account: str, connector: PollingConnector) -> None:
        offset = failures = 0
        while not self.should_stop:
            if not self._is_mine(account):
                offset = failures = 0
                await self.sleep(PAUSE_SECONDS)
                continue
            begun, former = monotonic(), offset
            try:
                offset = await self._once(account, connector, offset)
                failures = 0
                if offset == former:  # a provider that does not wait for updates is not asked without a pause
                    await self.sleep(max(0.0, begun + PAUSE_SECONDS - monotonic()))
            except Unavailable as error:
                failures += 1
                wait = retry_seconds(failures, error.retry_after_seconds, self._chance(), longest=LONGEST_SECONDS)
                log.warning("the updates of %s wait for %.1f s: %s", account, wait, error)
                await self.sleep(wait)

    def _is_mine(self, account: str) -> bool:
        return partition_for(account.encode(), self._app.settings.partitions) in self._dispatcher.partitions

    async def _once(self, account: str, connector: PollingConnector, offset: int) -> int:
        """Poll once; return the next offset when all updates before it are durable, 0 if the account went away."""
        poll = asyncio.get_running_loop().create_task(connector.poll(offset))
        self._polls.add(poll)
        try:
            await asyncio.wait([poll])
        finally:
            self._polls.discard(poll)
            poll.cancel()
        if poll.cancelled():
            return 0
        polled = poll.result()
        if not self._is_mine(account):
            return 0
        partition = partition_for(account.encode(), self._app.settings.partitions)
        writes = {}
        for update in polled.updates:
            record = encode(WebhookReceived(account, {}, update, now_ms()))
            write = self._app.batch_producer.enqueue(self._topic, partition, account.encode(), record)
            writes[id(write)] = write
        for write in writes.values():
            await write
        self._app.progress += len(polled.updates)
        if polled.updates and not polled.next_offset:
            raise Unavailable("updates without a number came: they would come again and again", 0)
        return polled.next_offset or offset
