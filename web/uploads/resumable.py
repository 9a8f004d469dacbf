"""Resumable uploads: create, append, look up, delete."""

from __future__ import annotations

import logging
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from domain.errors import Chat4AllError, Conflict, NotFound, Unavailable
from domain.files import File, storage_key
from domain.ids import uuid7
from domain.ports import Upload
from web.errors import BodyTimeout, BodyTooLarge, ChecksumMismatch, Gone, Locked, MalformedBody
from web.files.registry import DELETED
from web.uploads.completing import WrongChecksum, complete, complete_stored, destroy
from web.uploads.hashing import RequestDigest
from web.uploads.lease import Lease, LeaseLost
from web.uploads.leased_upload import LeasedUpload, read_incomplete_part, wrong_offset
from web.uploads.lock import Preempted, UploadLocks
from web.uploads.uncancelled import uncancelled

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
            holder=context.new_holder() if is_begun else "",
        )
        if not is_begun:
            await context.files.begin(upload)
            return upload
        with context.limit.acquire(user_id) if body is not None else nullcontext():
            request_unlock = body.abort if body is not None else lambda error: None
            async with self._locks.acquire(upload_id, request_unlock), context.lease_of(upload) as lease:
                await lease.begin()
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
                async with self._context.lease_of(taken) as lease:
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
            async with self._context.lease_of(taken) as lease:
                return await self._append(lease, None, None)

    async def terminate(self, user_id: str, upload_id: str) -> None:
        """Delete the upload with its bytes. Raises ``Conflict`` if it is a file already, ``Locked``."""
        await self._find(user_id, upload_id)
        async with self._locks.acquire(upload_id):
            taken = await self._acquire(user_id, upload_id)
            if isinstance(taken, File):
                raise Conflict("the upload is a file by now: DELETE /v1/files/{file_id} deletes it")
            async with self._context.lease_of(taken) as lease:
                try:
                    await destroy(self._context, lease, lease.upload.offset_bytes)
                except Unavailable:
                    await lease.try_to_release()
                    raise

    async def _find(self, user_id: str, upload_id: str) -> Upload | File:
        found = await self._context.files.find(upload_id)
        if found is None or found.uploader_id != user_id:
            raise NotFound(_NO_SUCH_UPLOAD)
        if isinstance(found, File) and found.deleted_at_ms:
            raise Gone(DELETED)
        if isinstance(found, Upload):
            if not found.is_resumable:
                raise NotFound(_NO_SUCH_UPLOAD)
            if found.expires_at_ms <= self._context.clock_ms():
                raise Gone("the upload has expired; create a new one")
        return found

    async def _acquire(self, user_id: str, upload_id: str) -> Upload | File:
        """Lease the upload and return it, or return its file."""
        context, now_ms = self._context, self._context.clock_ms()
        until_ms = now_ms + int(context.settings.upload_hold_seconds * 1000)
        taken = await context.files.acquire_lease(upload_id, context.new_holder(), now_ms, until_ms)
        if taken is not None:
            return taken
        found = await self._find(user_id, upload_id)
        if isinstance(found, File):
            return found
        seconds = max(1, min(_MOST_RETRY_SECONDS, (found.held_until_ms - now_ms) // 1000 + 1))
        raise Locked("a request at another server is using this upload; retry", seconds)

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
        is_hashed = (upload.size_bytes or 0) > context.file_store.part_bytes
        hashed = self._context.hashes.at(upload.upload_id, upload.offset_bytes) if is_hashed else None
        incomplete_part = await read_incomplete_part(context, lease)
        received = LeasedUpload(context, lease, incomplete_part=incomplete_part, hashed=hashed, digest=digest)
        failure: BaseException | None = None
        try:
            if body is not None:
                await received.append(body.chunks())
            if digest is not None and not await digest.is_right():
                raise ChecksumMismatch("the body does not match its Upload-Checksum; send it again")
        except BaseException as error:  # noqa: BLE001  it is raised again once the received bytes are kept
            failure = error
        return await uncancelled(self._end(received, digest, failure), _END_SECONDS)

    async def _end(
        self, received: LeasedUpload, digest: RequestDigest | None, failure: BaseException | None
    ) -> Upload | File:
        """Keep or drop the received bytes, then raise ``failure``. The first row that applies decides:

        ============================================  ===============================================
        the lease is lost                             drop the bytes; the row belongs to another holder
        a failure, and the body has a checksum        drop the bytes: none of them is verified
        all bytes are here, and the body or the       complete the file and return it; the client would
        store failed, or nothing did                  only have to ask for it again
        otherwise                                     keep the bytes; without a failure return the upload
        ============================================  ===============================================

        If keeping fails too, raise ``failure``; after ``NotFound`` the error of keeping, which says where to resume.
        """
        lease = received.lease
        try:
            if isinstance(failure, LeaseLost):
                await received.writer.stop()
            elif failure is not None and digest is not None:
                await received.drop()
            elif received.has_all and (
                failure is None or isinstance(failure, MalformedBody | BodyTimeout | Preempted | Unavailable)
            ):
                return await self._completed(lease, received)
            else:
                await received.keep()
                await self._remember(received)
        except Chat4AllError as error:
            if failure is None or isinstance(failure, NotFound):
                raise
            log.warning("the last bytes of upload %s were not kept: %s", lease.upload.upload_id, error)
        if failure is not None:
            raise failure
        return lease.upload

    async def _remember(self, received: LeasedUpload) -> None:
        lease = received.lease
        if received.hashed is not None and lease.upload.offset_bytes == received.end:
            await received.writer.hash_rest()
            self._context.hashes.remember(lease.upload.upload_id, received.end, received.hashed)

    async def _completed(self, lease: Lease, received: LeasedUpload | None) -> File:
        """Return the file. If its checksum is wrong, delete the upload and raise ``ChecksumMismatch``."""
        context, upload = self._context, lease.upload
        try:
            try:
                if received is None:
                    return await complete_stored(context, lease)
                return await complete(context, received, upload.key)
            except WrongChecksum as wrong:
                await destroy(context, lease, received.start if received is not None else upload.offset_bytes)
                raise ChecksumMismatch(
                    f"the received bytes have {wrong.actual}, not {upload.expected_checksum}; the upload was deleted"
                ) from None
        except Unavailable:
            if received is not None:
                with suppress(Chat4AllError):
                    await received.keep()
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
