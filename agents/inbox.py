"""The messages of people that wait for their files, each person's in order: durable rows of the table ``people``."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from agents.inbound_files import fetch_file
from app.clock import now_ms
from app.kafka.codec import decode, encode
from domain.errors import DeliveryFailed, Unavailable
from domain.ids import file_id_of_inbound, inbound_message_id
from domain.inbound import InboundEvent, Media
from domain.kinds import TEXT, UNSUPPORTED
from domain.records import MessageAccepted
from tables import people as rows

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch
    from domain.ports import Connector, FileStore

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 30.0
_ROWS_AT_ONCE = 500

# the partition, and the beginning of the keys of a person's waiting messages
_Line = tuple[int, bytes]


class Inbox:
    """``connector_of``: by the account's name. ``publish`` writes a finished message to ``messages``."""

    def __init__(
        self,
        app: StreamApp,
        table: DurableTable,
        connector_of: Callable[[str], Connector | None],
        open_store: Callable[[], FileStore],
        publish: Callable[[MessageAccepted], PendingBatch],
    ) -> None:
        self._app = app
        self._table = table
        self._connector_of = connector_of
        self._open_store = open_store
        self._publish = publish
        self._waiting: set[_Line] = set()  # all lines with a row
        self._ready: OrderedDict[_Line, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[_Line, asyncio.TimerHandle] = {}
        self._tries: dict[_Line, int] = {}
        self._is_open = False

    def begin(self, partitions: Iterable[int]) -> None:
        """Resume the waiting messages of the partitions."""
        self._is_open = True
        for partition in partitions:
            key = rows.WAITING
            while found := [
                k for k, _ in self._table.rows_after(partition, key, _ROWS_AT_ONCE) if k.startswith(rows.WAITING)
            ]:
                for key in found:
                    self._offer((partition, rows.waiting_prefix_of(key)))
        self._start()

    async def drain(self) -> None:
        """Stop fetching; the rows stay for the next owner."""
        self._is_open = False
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        for known in (self._waiting, self._ready, self._timers, self._tries):
            known.clear()

    def holds(self, partition: int, account: str, person_id: str) -> bool:
        """Return whether a message of the person waits, so that later ones have to wait behind it."""
        return (partition, rows.waiting_prefix(account, person_id)) in self._waiting

    def add(
        self, partition: int, person_id: str, offset: int, event: InboundEvent, message: MessageAccepted
    ) -> PendingBatch:
        """Let ``message`` wait for the files of ``event`` and for those before it; durable with the returned write."""
        key = rows.waiting_key(event.account, person_id, offset)
        head = str(now_ms()).encode()
        write = self._table.put(partition, key, b"\n".join((b"[%b]" % head, encode(event), encode(message))))
        self._offer((partition, rows.waiting_prefix_of(key)))
        self._start()
        return write

    def _offer(self, line: _Line) -> None:
        if line not in self._waiting:
            self._waiting.add(line)
            self._ready[line] = None

    def _start(self) -> None:
        while self._is_open and self._ready and len(self._tasks) < self._app.settings.files_fetched_at_once:
            line, _ = self._ready.popitem(last=False)
            task = asyncio.get_running_loop().create_task(self._work(line))
            self._tasks.add(task)
            task.add_done_callback(partial(self._over, line))

    def _over(self, line: _Line, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._app.abort(f"inbox of {self._app.role}", error)
        self._start()

    async def _work(self, line: _Line) -> None:
        """Finish the messages of a person until none waits, or a file has to be waited for."""
        partition, prefix = line
        while (found := self._table.rows_after(partition, prefix, 1)) and found[0][0].startswith(prefix):
            key, value = found[0]
            head, event, message = value.split(b"\n", 2)
            try:
                finished = await self._finished(
                    int(head[1:-1]), decode(event, InboundEvent), decode(message, MessageAccepted)
                )
            except Unavailable as error:
                self._wait(line, error)
                return
            for write in [self._publish(one) for one in finished]:
                await asyncio.shield(write.future)  # others wait for the same batch
            self._tries.pop(line, None)
            self._table.put(partition, key, None)
        self._waiting.discard(line)  # no await since the look at the rows

    def _wait(self, line: _Line, error: Unavailable) -> None:
        tries = self._tries[line] = self._tries.get(line, 0) + 1
        seconds = max(error.retry_after_seconds, FIRST_RETRY_SECONDS * 2 ** min(tries - 1, 10))
        seconds = min(LONGEST_RETRY_SECONDS, seconds)
        log.warning("a file of a person's message cannot be had now, again in %.0f s: %s", seconds, error)
        self._timers[line] = asyncio.get_running_loop().call_later(seconds, self._again, line)

    def _again(self, line: _Line) -> None:
        self._timers.pop(line, None)
        self._ready[line] = None
        self._start()

    async def _finished(self, since_ms: int, event: InboundEvent, message: MessageAccepted) -> list[MessageAccepted]:
        """Return the message with its file, and one more for each file after the first.

        Raises ``Unavailable`` while a file may yet be had.
        """
        if not event.media:
            return [message]
        finished = []
        for part, media in enumerate(event.media):
            one = message
            if part:
                message_id = inbound_message_id(self._app.role, event.account, event.element_id, part)
                one = replace(message, message_id=message_id, content="", body={}, kind=TEXT, reply_to="")
            finished.append(await self._with_file(since_ms, event.account, one, media))
        return finished

    async def _with_file(self, since_ms: int, account: str, message: MessageAccepted, media: Media) -> MessageAccepted:
        file_id = file_id_of_inbound(message.message_id)
        settings = self._app.settings
        try:
            connector = self._connector_of(account)
            if connector is None or not hasattr(connector, "fetch"):
                raise DeliveryFailed("file-missing", f"the account {account} cannot fetch files")
            async with asyncio.timeout(settings.inbound_file_seconds):
                metadata = await fetch_file(
                    connector,  # type: ignore[arg-type]
                    self._open_store(),
                    media,
                    message.conversation_id,
                    file_id,
                    settings.inbound_file_max_bytes,
                )
        except DeliveryFailed as error:
            return _without_file(message, media, error.reason, str(error))
        except (Unavailable, TimeoutError) as error:
            if now_ms() - since_ms < settings.inbound_file_patience_seconds * 1000:
                raise error if isinstance(error, Unavailable) else Unavailable("fetching took too long") from None
            return _without_file(message, media, "file-unavailable", str(error) or "fetching took too long")
        except Exception as error:
            log.exception("fetching a file of account %s failed", account)
            return _without_file(message, media, "file-failed", repr(error)[:200])
        return replace(message, file_id=file_id, file=metadata)


def _without_file(message: MessageAccepted, media: Media, reason: str, detail: str) -> MessageAccepted:
    """Return the message with a note about its missing file."""
    log.warning("message %s is shown without its file: %s: %s", message.message_id, reason, detail)
    body = {"type": media.kind, "filename": media.filename, "reason": reason, "detail": detail[:500]}
    return replace(message, kind=UNSUPPORTED, body=body)
