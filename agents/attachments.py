"""Prepares a message's file for its channel, before an attempt to send begins.

Preparing a file has no visible effect, so it can be cancelled on rebalance and repeated by the next owner. A store
outage delays the message and counts no attempt.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from app.clock import now_ms
from channels.manifest import CAPABILITIES
from domain.attachments import Kind, media_plan
from domain.attempts import MAX_ATTEMPTS, backoff_seconds
from domain.errors import DeliveryFailed, FileStoreUnavailable, NotFound, Unavailable
from domain.files import FALLBACK_NAME, File, FileMetadata, extension_of
from domain.ports import Attachment, Connector, FileStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from app.faust.stream_app import StreamApp
    from domain.records import DeliveryRequested

log = logging.getLogger(__name__)

FILES = "files"  # ``StreamApp.blocked_on`` during an outage of the store
# However old a message is (its worker may have been away for a day), it does not fail at the first hiccup of the store
LEAST_PATIENCE_SECONDS = 600.0
_HASH_IN_THREAD_BYTES = 64 * 1024  # a smaller chunk is hashed sooner than a thread is asked to

T = TypeVar("T")


class _Shared:
    """One preparation for all recipients of a message on this channel."""

    __slots__ = ("task", "users")

    def __init__(self, task: asyncio.Task[Attachment]) -> None:
        self.task = task
        self.users = 0


class Attachments:
    """Prepares files for ``connector``. ``open_store`` is called when the first file is needed."""

    def __init__(
        self,
        app: StreamApp,
        connector: Connector,
        open_store: Callable[[], FileStore],
        backoff: Callable[[int], float] = backoff_seconds,
        least_patience_seconds: float = LEAST_PATIENCE_SECONDS,
    ) -> None:
        self._app = app
        self._connector = connector
        self._open_store = open_store
        self._backoff = backoff
        self._least_patience_ms = int(least_patience_seconds * 1000)
        self._room = asyncio.Semaphore(app.settings.files_fetched_at_once)
        self._shared: dict[str, _Shared] = {}
        self._waiting = 0

    async def prepare(self, request: DeliveryRequested, metadata: FileMetadata) -> Attachment:
        """Return the file, checked and ready to be sent.

        Waits during a store outage, until the message is ``file_patience_hours`` old. Raises ``DeliveryFailed``:
        ``file-corrupt`` (it is not the uploaded file), ``file-missing``, ``link-too-long``, then
        ``file-store-unavailable``, and the channel's refusals.
        """
        if request.recipient_count == 1:
            return await self._until_ready(request, metadata)
        shared = self._shared.get(request.message_id)
        if shared is None:
            task = asyncio.get_running_loop().create_task(self._until_ready(request, metadata))
            shared = self._shared[request.message_id] = _Shared(task)
        shared.users += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.users -= 1
            if not shared.users:
                shared.task.cancel()
                self._shared.pop(request.message_id, None)

    async def _until_ready(self, request: DeliveryRequested, metadata: FileMetadata) -> Attachment:
        patience_ms = int(self._app.settings.file_patience_hours * 3_600_000)
        until_ms = max(request.accepted_at_ms + patience_ms, now_ms() + self._least_patience_ms)
        refusals = outages = 0
        with self._wait_for_the_store() as is_away:
            while True:
                try:
                    async with self._room:
                        return await self._ready(request, metadata)
                except FileStoreUnavailable as error:
                    if now_ms() >= until_ms:
                        raise DeliveryFailed(error.code, f"the store of files stayed unavailable: {error}") from error
                    is_away(error)
                    outages += 1
                except Unavailable as error:  # the channel
                    refusals += 1
                    if refusals >= MAX_ATTEMPTS:
                        raise DeliveryFailed(error.code, str(error)) from error
                await asyncio.sleep(self._backoff(min(refusals + outages, MAX_ATTEMPTS)))

    @contextmanager
    def _wait_for_the_store(self) -> Iterator[Callable[[FileStoreUnavailable], None]]:
        """Name the store as ``blocked_on`` for the watchdog, from a message's first outage until its file is ready."""
        waits = False

        def is_away(error: FileStoreUnavailable) -> None:
            nonlocal waits
            if not waits:
                waits = True
                self._waiting += 1
                if self._waiting == 1:
                    log.warning("the store of files is unavailable, messages with files wait: %s", error)
                    self._app.blocked_on = FILES

        try:
            yield is_away
        finally:
            if waits:
                self._waiting -= 1
                if not self._waiting and self._app.blocked_on == FILES:
                    self._app.blocked_on = None

    async def _ready(self, request: DeliveryRequested, metadata: FileMetadata) -> Attachment:
        store = self._open_store()
        attachment = self._attachment(store, request, metadata)
        if attachment.plan.kind is not Kind.LINK:
            return replace(attachment, handle=await self._upload(attachment))
        # the size is enough: the downloader sees a broken body, and a checksum would cost reading up to 2 GiB
        size_bytes = await self._in_time(store.size(metadata.storage_path))
        if size_bytes is None:
            raise _missing(metadata)
        if size_bytes != metadata.size_bytes:
            raise _corrupt(metadata, f"it has {size_bytes} bytes, not {metadata.size_bytes}")
        return attachment

    async def _upload(self, attachment: Attachment) -> str:
        limit_seconds = self._app.settings.upload_seconds
        try:
            async with asyncio.timeout(limit_seconds):
                return await self._connector.upload(attachment)
        except TimeoutError as error:
            raise Unavailable(f"the channel did not take the file within {limit_seconds:g} seconds") from error

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
