"""Asks the channel for the handle and the name of people who wrote, where webhooks do not tell them (Instagram).

The answer goes to ``<channel>-inbound`` as a change of identity, so the address book learns it in its turn. It is asked
beside the messages: they wait for no profile. A failed look-up is repeated with the person's next message.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from app.clock import now_ms
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from domain.errors import Unavailable
from domain.inbound import Happening, InboundEvent, Person
from domain.ports import ProfileConnector

if TYPE_CHECKING:
    from app.faust.stream_app import StreamApp
    from domain.ports import Connector

log = logging.getLogger(__name__)

MAX_UNDER_WAY = 20
SECONDS = 10.0
AGAIN_SECONDS = 3_600.0  # for a person of whom the channel told nothing
REMEMBERED = 10_000
_DAY_MS = 24 * 3_600_000


class Profiles:
    """``connector_of``: by the account's name. ``clock``: seconds that never go back."""

    def __init__(
        self,
        app: StreamApp,
        channel: str,
        connector_of: Callable[[str], Connector | None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._app = app
        self._topic = app.names.inbound(channel)
        self._connector_of = connector_of
        self._clock = clock
        self._asked: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, account: str, person: Person) -> None:
        """Ask for the profile of ``person``, unless the handle is known or the channel was asked a short while ago."""
        connector = self._connector_of(account)
        if person.handle or not person.user_id or not isinstance(connector, ProfileConnector):
            return
        key, now = (account, person.user_id), self._clock()
        if self._asked.get(key, float("-inf")) > now - AGAIN_SECONDS or len(self._tasks) >= MAX_UNDER_WAY:
            return
        self._asked[key] = now
        self._asked.move_to_end(key)
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)
        task = asyncio.get_running_loop().create_task(self._ask(connector, account, person.user_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """End the questions under way: the partitions go to another worker, which asks by itself."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._asked.clear()

    async def _ask(self, connector: ProfileConnector, account: str, user_id: str) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                found = await connector.profile(user_id)
        except (Unavailable, TimeoutError) as error:
            self._asked.pop((account, user_id), None)
            log.info("account %s was not told a person's profile: %s", account, error)
            return
        except Exception as error:  # noqa: BLE001  a connector's fault costs a handle, not the worker
            log.warning("the connector of account %s failed at a person's profile: %r", account, error)
            return
        if found is None or not found.handle:
            return
        at_ms = now_ms()
        event = InboundEvent(
            Happening.IDENTITY,
            f"profile {user_id} {found.handle} {at_ms // _DAY_MS}",  # a handle may come back to its former owner
            at_ms,
            account=account,
            person=found,
            former=Person(user_id=user_id),
        )
        key = account.encode()
        partition = partition_for(key, self._app.settings.partitions)
        self._app.batch_producer.enqueue(self._topic, partition, key, encode(event))
