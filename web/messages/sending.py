"""Accept messages: a single one on a short path, or several and those with an idempotency key.

A keyed message is looked up before it is written (in memory, in Cassandra, and in the log up to its end). So a
message accepted earlier is found, by any process. Two concurrent requests at two processes may both write it. Then
the log is read up to both records, and the first one is the message; the second has no effect anywhere
(docs/adr/0020-idempotency-keys.md).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from domain.direct import direct_id
from domain.errors import KeyReused, MayBeAccepted, NotAllowed, NotDeliverable, Unavailable
from domain.expiry import expiry_fault
from domain.idempotency import is_same_message
from domain.ids import keyed_id, uuid7
from domain.ports import Appended, LogPosition
from domain.records import MessageAccepted
from domain.usernames import names_user
from web.contract.message_requests import CreateMessage
from web.conversations.usernames import no_such
from web.errors import FieldErrors, RateLimited
from web.messages.keyed_lock import KeyedLock
from web.messages.payment import Spend, pay

if TYPE_CHECKING:
    from app.tracing import Tracing
    from domain.ports import MessageLog
    from web.history.service import MessageHistory
    from web.http.caller import Caller
    from web.http.metrics import Metrics
    from web.messages.attached_files import AttachedFiles
    from web.messages.recipient_resolver import RecipientResolver
    from web.messages.targets import MessageTargets

CATCH_UP_SECONDS = 3.0
CONVERSATIONS_AT_ONCE = 100  # of one request

NOBODY: Mapping[str, str] = {}

Headers = Mapping[str, bytes]
MakeHeaders = Callable[[], Headers]


@dataclass(frozen=True, slots=True)
class Item:
    """A message to accept. ``is_keyed``: its id comes from an idempotency key, so it may exist already."""

    message: MessageAccepted
    is_keyed: bool


@dataclass(frozen=True, slots=True)
class AcceptedMessage:
    """A message durable at ``position``. ``is_replayed``: it was accepted before this request."""

    message: MessageAccepted
    position: LogPosition
    is_replayed: bool = False


Outcome = AcceptedMessage | Exception
Outcomes = dict[str, Outcome]
# a message, and the one that it answers or reacts to
Whole = tuple[MessageAccepted, MessageAccepted | None]


class Sending:
    """Accepts the messages of one process's callers."""

    def __init__(
        self,
        *,
        log: MessageLog,
        history: MessageHistory,
        recipient_resolver: RecipientResolver,
        attached_files: AttachedFiles,
        targets: MessageTargets,
        metrics: Metrics,
        clock_ms: Callable[[], int],
        randomness: Callable[[int], bytes],
        timeout_seconds: float,
        tracing: Tracing | None = None,
    ) -> None:
        self._log = log
        self._history = history
        self._recipient_resolver = recipient_resolver
        self._attached_files = attached_files
        self._targets = targets
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._randomness = randomness
        self._key_lock = KeyedLock(timeout_seconds)
        self._tracing = tracing

    def item(
        self, wanted: CreateMessage, caller: Caller, key: str | None = None, ids: Mapping[str, str] = NOBODY
    ) -> Item:
        """Return the message for a request. ``ids``: the user ids of the known ``user:<username>``.

        Raises ``NotAllowed`` if the sender is not the caller, ``FieldErrors`` if the recipient's name is unknown.
        """
        if wanted.sender_id is not None and not caller.is_called(wanted.sender_id):
            raise NotAllowed("sender_id must be the caller's own user_id or username; it is optional")
        recipient_id = wanted.recipient_id
        if names_user(recipient_id):
            found = ids.get(recipient_id)
            if found is None:
                raise FieldErrors([("recipient_id", no_such(recipient_id))])
            recipient_id = found
        message = MessageAccepted(
            message_id=uuid7(self._clock_ms(), self._randomness(10)) if key is None else keyed_id(caller.user_id, key),
            conversation_id=wanted.conversation_id or direct_id(caller.user_id, recipient_id),
            sender_id=caller.user_id,
            recipient_id=recipient_id,
            content=wanted.content,
            file_id=wanted.file_id,
            account=wanted.account or "",
            not_after_ms=wanted.not_after_ms,
            priority=wanted.priority,
            kind=wanted.kind,
            body=wanted.body,
            reply_to=wanted.reply_to or "",
        )
        return Item(message, key is not None)

    async def one(self, item: Item, headers: Headers, spend: Spend) -> AcceptedMessage:
        """Accept one message. Raises ``NotAllowed``, ``FieldErrors``, ``KeyReused``, ``Unavailable``; its subclass
        ``MayBeAccepted`` means an unknown outcome.
        """
        if item.is_keyed:
            (outcome,) = await self.many([item], headers, spend)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        self._require_future(item.message)
        message, target = await self._with_parts(item.message)
        message = await self._recipient_resolver.resolve(message, target)
        pay(message, spend)
        appended = await self._log.append(message, headers)
        await self._recipient_resolver.stored(message.conversation_id)
        return self._remembered(Item(message, False), appended)

    async def many(self, items: Sequence[Item], headers: Headers, spend: Spend) -> list[Outcome]:
        """Accept ``items`` of one sender; return an outcome for each, in order.

        Items of one conversation are written in their order. Conversations do not wait for each other.
        """
        headers_of: MakeHeaders = lambda: headers  # noqa: E731
        if self._tracing is not None and len(items) > 1:  # each message has a trace of its own
            headers_of = partial(self._tracing.own_trace, headers)
        first: dict[str, int] = {}
        groups: defaultdict[str, list[Item]] = defaultdict(list)
        for index, item in enumerate(items):
            if first.setdefault(item.message.message_id, index) == index:
                groups[item.message.conversation_id].append(item)
        found: dict[str, Outcome] = {}
        room = asyncio.Semaphore(CONVERSATIONS_AT_ONCE)

        async def accept(group: list[Item]) -> None:
            async with room:
                await self._conversation(group, headers_of, spend, found)

        await asyncio.gather(*map(accept, groups.values()))
        return [
            _as_repeated(found[item.message.message_id], item, items[first[item.message.message_id]]) for item in items
        ]

    async def _conversation(self, group: list[Item], headers: MakeHeaders, spend: Spend, found: Outcomes) -> None:
        """Accept ``group``, all of one conversation, and put their outcomes into ``found``."""
        keyed = [item for item in group if item.is_keyed]
        try:
            async with self._key_lock.acquire([item.message.message_id for item in keyed]):
                await asyncio.gather(*(self._look_up(item, found) for item in keyed))
                fresh = [item for item in group if item.message.message_id not in found]
                if fresh:
                    await self._write(fresh, headers, spend, found)
        except Exception as error:  # noqa: BLE001  it is the outcome of these, and of no others
            for item in group:
                found.setdefault(item.message.message_id, error)

    async def _look_up(self, item: Item, found: dict[str, Outcome]) -> None:
        """Put the earlier message with this key into ``found``, if there is one."""
        message_id = item.message.message_id
        known, is_certain = await self._history.look_up(message_id, CATCH_UP_SECONDS)
        if not is_certain:
            found[message_id] = MayBeAccepted(
                message_id,
                "cannot check the idempotency key right now, so the message may have been accepted "
                "then; try again with the same key",
            )
        if known is not None:
            found[message_id] = _compared(item, known.message, known.position, is_replayed=True)
            self._metrics.messages_replayed.count += 1

    async def _write(self, fresh: list[Item], headers: MakeHeaders, spend: Spend, found: Outcomes) -> None:
        """Write messages of one conversation."""
        fresh = await self._admitted(fresh, spend, found)
        # each is queued for Kafka in its task's first step, so they are in the order of the items
        appended = await asyncio.gather(
            *(self._log.append(item.message, headers()) for item in fresh), return_exceptions=True
        )
        if fresh:
            await self._recipient_resolver.stored(fresh[0].message.conversation_id)
        written: list[tuple[Item, Appended]] = []
        for item, result in zip(fresh, appended, strict=True):
            if isinstance(result, Exception):
                found[item.message.message_id] = result
            elif isinstance(result, BaseException):
                raise result
            elif item.is_keyed:
                written.append((item, result))
            else:
                found[item.message.message_id] = self._remembered(item, result)
        if written:
            await self._settle(written, found)

    async def _admitted(self, fresh: list[Item], spend: Spend, found: dict[str, Outcome]) -> list[Item]:
        """Return the items with their files, targets and recipients; refused items (an unknown recipient or file, the
        rate limit) have their outcome in ``found``.
        """
        admitted = []
        for item, (message, target) in await self._all_with_parts(fresh, found):
            try:
                self._require_future(message)
                message = await self._recipient_resolver.resolve(message, target)
                pay(message, spend)
                admitted.append(Item(message, item.is_keyed))
            except (FieldErrors, NotDeliverable, RateLimited) as error:
                found[item.message.message_id] = error
        return admitted

    def _require_future(self, message: MessageAccepted) -> None:
        """Raise ``FieldErrors`` for a time of its own that is past or too far. A repetition may come later than it."""
        if message.not_after_ms and (fault := expiry_fault(message.not_after_ms, self._clock_ms())):
            raise FieldErrors([("expires_at", fault)])

    async def _with_parts(self, message: MessageAccepted) -> Whole:
        """Return the message with its file and the provider's id of its target, and the target."""
        if message.file_id is not None:
            message = await self._attached_files.attach(message)
        return await self._targets.aim(message)

    async def _all_with_parts(self, fresh: list[Item], found: dict[str, Outcome]) -> list[tuple[Item, Whole]]:
        """Return the items with usable parts, or without any. Files and targets are looked up concurrently."""
        results = await asyncio.gather(*(self._with_parts(item.message) for item in fresh), return_exceptions=True)
        ready = []
        for item, result in zip(fresh, results, strict=True):
            if not isinstance(result, BaseException):
                ready.append((item, result))
            elif isinstance(result, FieldErrors | Unavailable):
                found[item.message.message_id] = result
            else:
                raise result
        return ready

    async def _settle(self, written: list[tuple[Item, Appended]], found: dict[str, Outcome]) -> None:
        """Read the log up to the written records: of several records of one id, the first is the message."""
        is_up_to_date = await self._history.catch_up(CATCH_UP_SECONDS)
        for item, appended in written:
            message_id = item.message.message_id
            if not is_up_to_date:
                found[message_id] = MayBeAccepted(
                    message_id, "accepted, but the acceptance time is not known yet; retry with the same key"
                )
                continue
            first = self._history.known(message_id)
            if first is None or first.position == appended.position:
                found[message_id] = self._remembered(item, appended)
            else:
                found[message_id] = _compared(item, first.message, first.position, is_replayed=True)

    def _remembered(self, item: Item, appended: Appended) -> AcceptedMessage:
        self._history.add_message(item.message, appended.position, appended.partition)
        self._metrics.messages_accepted.count += 1
        return AcceptedMessage(item.message, appended.position)


def _compared(item: Item, message: MessageAccepted, position: LogPosition, *, is_replayed: bool) -> Outcome:
    return AcceptedMessage(message, position, is_replayed) if is_same_message(item.message, message) else KeyReused()


def _as_repeated(outcome: Outcome, item: Item, first: Item) -> Outcome:
    """Return the outcome of ``item``; ``first`` has the same id and an earlier index in the request."""
    if item is first or isinstance(outcome, Exception):
        return outcome
    return _compared(item, first.message, outcome.position, is_replayed=True)


SENDING = web.AppKey("sending", Sending)
