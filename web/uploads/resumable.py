"""Resumable uploads: create, append, look up, delete."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from domain.errors import Chat4AllError, Conflict, NotFound, Unavailable
from domain.files import PART_BYTES, File, storage_key
from domain.ids import uuid7
from domain.ports import Upload
from web.errors import BodyTimeout, BodyTooLarge, ChecksumMismatch, Gone, Locked, MalformedBody
from web.files.registry import DELETED
from web.uploads.appending import Appending, read_incomplete_part, wrong_offset
from web.uploads.completing import complete, complete_stored, destroy
from web.uploads.hashing import RequestDigest
from web.uploads.lease import Lease, LeaseLost
from web.uploads.lock import Preempted, UploadLocks

if TYPE_CHECKING:
    from web.uploads.body import Body
    from web.uploads.context import UploadContext
    from web.uploads.hashing import WantedDigest
    from web.uploads.tus import Creation

log = logging.getLogger(__name__)

_PREEMPT_SECONDS = 20.0  # wait for an earlier request busy with a store
_END_SECONDS = 20.0  # to keep the received bytes when this process stops
_MOST_RETRY_SECONDS = 5
_NO_SUCH_UPLOAD = "there is no such upload"
R = TypeVar("R")


class ResumableUploads:
    """The resumable uploads of this process. Every method raises ``Unavailable``. Methods with an id raise
    ``NotFound`` for another user's upload, and ``Gone`` after it has expired.
    """

    def __init__(self, context: UploadContext) -> None:
        self._context = context
        self._locks = UploadLocks(_PREEMPT_SECONDS)

    def stop(self) -> None:
        """Stop all requests in progress; their clients get an error, and the received bytes are kept."""
        self._locks.preempt_all()

    async def create(
        self, user_id: str, creation: Creation, body: Body | None, wanted: WantedDigest | None
    ) -> Upload | File:
        """Begin an upload, with its first bytes if there is a ``body``. Raises ``BodyTooLarge``, ``NotAllowed``, and
        as ``append``."""
        context = self._context
        if creation.size_bytes > context.settings.files_max_bytes:
            raise BodyTooLarge(f"a file may have {context.settings.files_max_bytes} bytes at most")
        conversation_id = await context.existing_users.join_for_upload(
            creation.conversation_id, creation.recipient_id, user_id
        )
        now_ms = context.clock_ms()
        upload_id = uuid7(now_ms, context.randomness(10))
        is_begun = body is not None or creation.size_bytes == 0
        upload = Upload(
            upload_id,
            conversation_id,
            user_id,
            creation.filename,
            creation.size_bytes,
            now_ms,
            now_ms + int(context.settings.upload_expiry_hours * 3_600_000),
            key=storage_key(conversation_id, upload_id, creation.filename),
            expected_checksum=creation.checksum,
            holder=self._new_holder() if is_begun else "",
            held_until_ms=now_ms + self._lease_ms if is_begun else 0,
        )
        if not is_begun:
            await context.files.begin(upload)
            return upload
        with context.limit.acquire(user_id) if body is not None else nullcontext():
            async with self._locks.acquire(upload_id, body.abort if body is not None else lambda error: None):
                await context.files.begin(upload)
                async with self._lease(upload) as lease:
                    return await self._append(lease, body, wanted)

    async def append(
        self, user_id: str, upload_id: str, offset_bytes: int, body: Body, wanted: WantedDigest | None
    ) -> Upload | File:
        """Append ``body``, whose first byte is at ``offset_bytes``; return the upload, or the file once it is complete.

        Raises ``Locked``, ``WrongOffset``, ``BodyTooLarge``, ``ChecksumMismatch``, ``BodyTimeout``,
        ``MalformedBody``, ``LeaseLost``, ``Preempted``.
        """
        found = await self._find(user_id, upload_id)
        await self._context.memberships.check(found.conversation_id, user_id)
        async with self._locks.acquire(upload_id, body.abort):
            with self._context.limit.acquire(user_id):
                taken = await self._acquire(user_id, upload_id)
                if isinstance(taken, File):
                    return _after_the_end(taken, offset_bytes, body)
                async with self._lease(taken) as lease:
                    if offset_bytes != taken.offset_bytes:
                        await lease.release()
                        raise wrong_offset(taken)
                    return await self._append(lease, body, wanted)

    async def look(self, user_id: str, upload_id: str) -> Upload | File:
        """Return the upload, or its file. An earlier request of this process for the same upload is stopped, because a
        client asks only after it has stopped sending.

        If all bytes are stored, complete the file now. Raises ``Locked`` while another request is completing it.
        """
        found = await self._find(user_id, upload_id)
        if isinstance(found, File):
            return found
        if not self._locks.is_held(upload_id) and found.offset_bytes != found.size_bytes:
            return found
        async with self._locks.acquire(upload_id):
            found = await self._find(user_id, upload_id)
            if isinstance(found, File) or found.offset_bytes != found.size_bytes:
                return found
            taken = await self._acquire(user_id, upload_id)
            if isinstance(taken, File):
                return taken
            async with self._lease(taken) as lease:
                return await self._append(lease, None, None)

    async def terminate(self, user_id: str, upload_id: str) -> None:
        """Delete the upload with its bytes. Raises ``Conflict`` if it is a file already, ``Locked``."""
        await self._find(user_id, upload_id)
        async with self._locks.acquire(upload_id):
            taken = await self._acquire(user_id, upload_id)
            if isinstance(taken, File):
                raise Conflict("the upload is a file by now: DELETE /v1/files/{file_id} deletes it")
            async with self._lease(taken) as lease:
                try:
                    await destroy(self._context, lease, lease.upload.offset_bytes)
                except Unavailable:
                    await lease.try_to_release()
                    raise

    @property
    def _lease_ms(self) -> int:
        return int(self._context.settings.upload_hold_seconds * 1000)

    def _new_holder(self) -> str:
        return self._context.randomness(8).hex()

    async def _find(self, user_id: str, upload_id: str) -> Upload | File:
        found = await self._context.files.find(upload_id)
        if found is None or found.uploader_id != user_id:
            raise NotFound(_NO_SUCH_UPLOAD)
        if isinstance(found, File) and found.deleted_at_ms:
            raise Gone(DELETED)
        if isinstance(found, Upload):
            if found.size_bytes is None:  # of POST /v1/files
                raise NotFound(_NO_SUCH_UPLOAD)
            if found.expires_at_ms <= self._context.clock_ms():
                raise Gone("the upload has expired; create a new one")
        return found

    async def _acquire(self, user_id: str, upload_id: str) -> Upload | File:
        """Lease the upload and return it, or return its file."""
        context, now_ms = self._context, self._context.clock_ms()
        taken = await context.files.acquire_lease(upload_id, self._new_holder(), now_ms, now_ms + self._lease_ms)
        if taken is not None:
            return taken
        found = await self._find(user_id, upload_id)
        if isinstance(found, File):
            return found
        seconds = max(1, min(_MOST_RETRY_SECONDS, (found.held_until_ms - now_ms) // 1000 + 1))
        raise Locked("a request at another server is using this upload; retry", seconds)

    @asynccontextmanager
    async def _lease(self, upload: Upload) -> AsyncIterator[Lease]:
        context = self._context
        async with Lease(
            context.files, upload, context.settings.upload_hold_seconds, context.clock_ms, lives_on=True
        ) as lease:
            yield lease

    async def _append(self, lease: Lease, body: Body | None, wanted: WantedDigest | None) -> Upload | File:
        context, upload = self._context, lease.upload
        left = (upload.size_bytes or 0) - upload.offset_bytes
        if body is not None and body.length is not None and body.length > left:
            await lease.release()
            raise BodyTooLarge(f"the upload has {left} bytes left, but the body has {body.length}")
        if upload.size_bytes and not left:
            return await self._completed(lease, None)
        digest = RequestDigest(wanted, context.threads) if wanted is not None else None
        # a file of one part is hashed when it is complete
        is_hashed = (upload.size_bytes or 0) > PART_BYTES
        hashed = self._context.hashes.at(upload.upload_id, upload.offset_bytes) if is_hashed else None
        appending = Appending(context, lease, await read_incomplete_part(context, lease), hashed, digest)
        failure: BaseException | None = None
        try:
            if body is not None:
                await appending.receive(body)
            if digest is not None and not await digest.is_right():
                raise ChecksumMismatch("the body does not match its Upload-Checksum; send it again")
        except BaseException as error:  # noqa: BLE001  it is raised again once the received bytes are kept
            failure = error
        return await _in_any_case(self._end(lease, appending, digest, failure))

    async def _end(
        self, lease: Lease, appending: Appending, digest: RequestDigest | None, failure: BaseException | None
    ) -> Upload | File:
        """Keep or drop the received bytes, then raise ``failure``. A file with all its bytes is completed despite
        most failures.
        """
        try:
            if isinstance(failure, LeaseLost):
                await appending.writer.stop()
            elif failure is not None and digest is not None:
                await appending.drop()
            elif appending.has_all and (
                failure is None or isinstance(failure, MalformedBody | BodyTimeout | Preempted | Unavailable)
            ):
                return await self._completed(lease, appending)
            else:
                await appending.keep()
                await self._remember(lease, appending)
        except Chat4AllError as error:
            if failure is None or isinstance(failure, NotFound):  # the store has lost it: more is known by now
                raise
            log.warning("the last bytes of upload %s were not kept: %s", lease.upload.upload_id, error)
        if failure is not None:
            raise failure
        return lease.upload

    async def _remember(self, lease: Lease, appending: Appending) -> None:
        if appending.hashed is not None and lease.upload.offset_bytes == appending.end:
            await appending.writer.hash_rest()
            self._context.hashes.remember(lease.upload.upload_id, appending.end, appending.hashed)

    async def _completed(self, lease: Lease, appending: Appending | None) -> File:
        try:
            if appending is None:
                return await complete_stored(self._context, lease)
            return await complete(self._context, lease, appending)
        except Unavailable:
            if appending is not None:
                with suppress(Chat4AllError):
                    await appending.keep()
            else:
                await lease.try_to_release()
            raise


def _after_the_end(file: File, offset_bytes: int, body: Body) -> File:
    """Answer a repeated last request: its first answer may have been lost, so the client looks again."""
    size_bytes = file.metadata.size_bytes
    if offset_bytes != size_bytes:
        raise Conflict(f"the upload is already a file of {size_bytes} bytes")
    if body.length != 0:
        raise BodyTooLarge("the upload is already a file; nothing can be appended")
    return file


async def _in_any_case(work: Coroutine[Any, Any, R]) -> R:
    """Return the result of ``work``. If this task is cancelled, ``work`` still gets ``_END_SECONDS`` to finish."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_END_SECONDS)
        task.cancel()
        raise
