"""Prepares a message's file for its channel, before an attempt to send begins.

Preparing a file has no visible effect, so it can be cancelled on rebalance and repeated by the next owner. During an
outage of the store the message waits in the queue, and it costs no attempt.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from app.clock import now_ms
from channels.manifest import CAPABILITIES
from domain.attachments import MediaKind, media_plan
from domain.attempts import QueuedDelivery, Reason
from domain.delivery_policy import DeliveryRules, Failure, Wait, decide
from domain.errors import DeliveryFailed, FileStoreUnavailable, NotFound, Unavailable
from domain.files import FALLBACK_NAME, File, FileMetadata, extension_of
from domain.outcomes import NotNow, shortened
from domain.ports import Attachment, Connector, FileStore
from domain.retries import retry_seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from agents.handles import Handles
    from app.faust.stream_app import StreamApp
    from domain.records import DeliveryRequested

log = logging.getLogger(__name__)

STORE_BACKOFF = 5  # the wait of a fifth attempt: up to 8 seconds
_HASH_IN_THREAD_BYTES = 64 * 1024  # a smaller chunk is hashed sooner than a thread is asked to

T = TypeVar("T")


class _Shared:
    """One preparation for all recipients of a message on this channel."""

    __slots__ = ("task", "users")

    def __init__(self, task: asyncio.Task[Attachment]) -> None:
        self.task = task
        self.users = 0


class Attachments:
    """Prepares files for ``connector``. ``open_store`` is called when the first file is needed.

    ``handles``: the channel's names of files uploaded earlier, for a channel that keeps them.
    """

    def __init__(
        self,
        app: StreamApp,
        connector: Connector,
        open_store: Callable[[], FileStore],
        chance: Callable[[], float] = random.random,
        handles: Handles | None = None,
    ) -> None:
        self._app = app
        self._handles = handles
        self._connector = connector
        self._open_store = open_store
        self._chance = chance
        self._room = asyncio.Semaphore(app.settings.files_fetched_at_once)
        self._shared: dict[str, _Shared] = {}

    async def prepare(
        self, request: DeliveryRequested, row: QueuedDelivery, rules: DeliveryRules, partition: int = 0
    ) -> Attachment | Failure | Wait:
        """Return the file, checked and ready to be sent, or the step to take if it is not.

        The message waits during an outage of the store until it is ``file_patience_hours`` old; then it fails with
        ``file-store-unavailable``. Other failures: ``file-corrupt`` (it is not the uploaded file), ``file-missing``,
        ``link-too-long``, and the channel's refusals.
        """
        if request.file is None:  # routed by a release that dropped it: not without the sender's file
            return Failure("file-missing", "nothing is known of the message's file; send it again")
        now, chance = now_ms(), self._chance()
        try:
            return await self._shared_or_own(request, request.file, partition)
        except DeliveryFailed as error:
            return Failure(error.reason, str(error))
        except FileStoreUnavailable as error:
            if now >= request.accepted_at_ms + self._app.settings.file_patience_hours * 3_600_000:
                detail = f"the store of files stayed unavailable: {error}"
                return Failure(error.code, detail, needs_operator=True)
            log.warning("the store of files is unavailable, %s waits: %s", row.name, error)
            due_ms = now + int(retry_seconds(STORE_BACKOFF, None, chance) * 1000)
            return Wait(replace(row, not_before_ms=due_ms, reason=Reason.FILE_STORE), str(error))
        except Unavailable as error:  # the channel does not take the file now
            outcome = NotNow(shortened(str(error)))
            result = decide(outcome, replace(row, tries=row.tries + 1), rules, now, chance)
            assert isinstance(result, Failure | Wait)
            return result

    def forget_handle(self, partition: int, file_id: str) -> None:
        """Upload the file anew for the next attempt: the channel refuses its name of it."""
        if self._handles is not None:
            self._handles.forget(partition, file_id)

    async def _shared_or_own(self, request: DeliveryRequested, metadata: FileMetadata, partition: int) -> Attachment:
        if request.recipient_count == 1:
            return await self._in_room(request, metadata, partition)
        shared = self._shared.get(request.message_id)
        if shared is None:
            task = asyncio.get_running_loop().create_task(self._in_room(request, metadata, partition))
            shared = self._shared[request.message_id] = _Shared(task)
        shared.users += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.users -= 1
            if not shared.users:
                shared.task.cancel()
                self._shared.pop(request.message_id, None)

    async def _in_room(self, request: DeliveryRequested, metadata: FileMetadata, partition: int) -> Attachment:
        async with self._room:
            return await self._ready(request, metadata, partition)

    async def _ready(self, request: DeliveryRequested, metadata: FileMetadata, partition: int) -> Attachment:
        store, handles, file_id = self._open_store(), self._handles, request.file_id or ""
        attachment = self._attachment(store, request, metadata)
        if attachment.plan.kind is not MediaKind.LINK:
            if handles is not None and (known := handles.find(partition, file_id)) is not None:
                return replace(attachment, handle=known, is_remembered=True)
            handle = await self._upload(attachment)
            if handles is not None:
                handles.remember(partition, file_id, handle)
            return replace(attachment, handle=handle)
        # the size is enough: the downloader sees a broken body, and a checksum would cost reading up to 2 GiB
        size_bytes = await self._in_time(store.size(metadata.storage_path))
        if size_bytes is None:
            raise _missing(metadata)
        if size_bytes != metadata.size_bytes:
            raise _corrupt(metadata, f"it has {size_bytes} bytes, not {metadata.size_bytes}")
        return attachment

    async def _upload(self, attachment: Attachment) -> str:
        """Return the channel's name of the file. An unforeseen error of the connector is ``Unavailable``: an upload has
        no effect that the recipient sees, so it may be repeated.
        """
        limit_seconds, task = self._app.settings.upload_seconds, asyncio.current_task()
        assert task is not None
        try:
            async with asyncio.timeout(limit_seconds):
                return await self._connector.upload(attachment)
        except TimeoutError as error:
            raise Unavailable(f"the channel did not take the file within {limit_seconds:g} seconds") from error
        except (DeliveryFailed, Unavailable):
            raise
        except asyncio.CancelledError:
            if task.cancelling():
                raise
            log.exception("the upload to %s was cancelled from inside", self._connector.channel)
            raise Unavailable("the upload to the channel was cancelled") from None
        except Exception as error:
            log.exception("the upload to %s raised", self._connector.channel)
            raise Unavailable(f"the upload to the channel failed: {error!r}") from error

    def _attachment(self, store: FileStore, request: DeliveryRequested, metadata: FileMetadata) -> Attachment:
        channel = self._connector.channel
        # the name is in S3's links, and may be most of a long one
        for named in (metadata, replace(metadata, filename=FALLBACK_NAME + extension_of(metadata.filename))):
            # of a file's row, links need no more than this
            file = File(request.file_id or "", request.conversation_id, "", named, 0)
            url = store.link(file, self._app.settings.files_channel_link_seconds, now_ms())
            way = media_plan(CAPABILITIES[channel], metadata, request.content, url)
            if way is not None:
                return Attachment(way, metadata, url, lambda: self._verified(store, metadata))
        raise DeliveryFailed("link-too-long", f"{channel} cannot take the file, and a link of {len(url)} bytes neither")

    async def _verified(self, store: FileStore, metadata: FileMetadata) -> AsyncIterator[bytes]:
        """Yield the object's bytes. The last chunk follows only if size and checksum match the upload."""
        digest, size_bytes, held = sha256(), 0, b""
        async with aclosing(self._chunks(store, metadata)) as chunks:
            async for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > metadata.size_bytes:
                    break
                if len(chunk) < _HASH_IN_THREAD_BYTES:
                    digest.update(chunk)
                else:
                    await asyncio.to_thread(digest.update, chunk)
                if held:
                    yield held
                held = chunk
        if size_bytes != metadata.size_bytes:
            raise _corrupt(metadata, f"it has {size_bytes} bytes or more, not {metadata.size_bytes}")
        if f"sha256:{digest.hexdigest()}" != metadata.checksum:
            raise _corrupt(metadata, f"its checksum is sha256:{digest.hexdigest()}, not {metadata.checksum}")
        if held:
            yield held

    async def _chunks(self, store: FileStore, metadata: FileMetadata) -> AsyncGenerator[bytes, None]:
        """Yield the object's bytes, each chunk within the time-out, and count progress for the watchdog."""
        source = store.read(metadata.storage_path)
        try:
            while (chunk := await self._in_time(anext(source, None))) is not None:
                self._app.progress += 1
                if chunk:
                    yield chunk
        except NotFound:
            raise _missing(metadata) from None
        finally:
            if (close := getattr(source, "aclose", None)) is not None:
                await close()

    async def _in_time(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._app.settings.files_timeout_seconds):
                return await answer
        except TimeoutError:
            raise FileStoreUnavailable("the store of files did not answer in time") from None


def _missing(metadata: FileMetadata) -> DeliveryFailed:
    return DeliveryFailed("file-missing", f"the file {metadata.filename} is not in the store any more")


def _corrupt(metadata: FileMetadata, detail: str) -> DeliveryFailed:
    return DeliveryFailed("file-corrupt", f"{metadata.filename} is not what was uploaded: {detail}; upload it again")
