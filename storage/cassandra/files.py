"""Files, and uploads before they become files."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any

from domain.errors import StoreUnavailable
from domain.files import File, FileMetadata
from domain.ports import Upload
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import is_possible_key
from storage.cassandra.session import CassandraSession

_HOUR_MS = 3_600_000
# An entry without a row may be that of an upload which somebody is just beginning. `begin` takes seconds; a process
# that was stopped in the middle of it for a day, and then goes on, leaves a row that no sweeper finds.
_BEGINNING_MS = 24 * _HOUR_MS
_PAGE = 100
_LEAST_TOKEN = -(2**63)  # no row has it
_NO_HOLDER = "\0"

_FIELDS = [field.name for field in fields(Upload)]
# in the order of the fields of Upload
_UPLOAD = (
    "file_id, conversation_id, uploader_id, filename, size_bytes, started_at_ms, expires_at_ms, offset_bytes, mimetype,"
    " storage_path, store_upload, expected_checksum, holder, held_until_ms"
)
_COLUMNS = f"{_UPLOAD}, checksum, uploaded_at_ms, deleted_at_ms"
_BEGIN = f"INSERT INTO {{ks}}.files ({_UPLOAD}) VALUES ({', '.join('?' * len(_FIELDS))}) IF NOT EXISTS"
_FIND = f"SELECT {_COLUMNS} FROM {{ks}}.files WHERE file_id = ?"
_FIND_ALL = f"SELECT {_COLUMNS} FROM {{ks}}.files WHERE file_id IN ?"
_ALL = f"SELECT token(file_id), {_COLUMNS} FROM {{ks}}.files WHERE token(file_id) > ? LIMIT {_PAGE}"
_LEASE = "UPDATE {ks}.files SET holder = ?, held_until_ms = ? WHERE file_id = ?"
# null is neither more nor less than anything: a file is never taken
_ACQUIRE = f"{_LEASE} IF held_until_ms <= ? AND expires_at_ms > ?"
_ACQUIRE_EXPIRED = f"{_LEASE} IF held_until_ms <= ? AND expires_at_ms <= ?"
_RENEW = f"{_LEASE} IF holder = ?"
_SAVE = (
    f"UPDATE {{ks}}.files SET {', '.join(f'{name} = ?' for name in _UPLOAD.split(', ')[1:])}"
    " WHERE file_id = ? IF holder = ?"
)
_FINISH = (
    "UPDATE {ks}.files SET conversation_id = ?, uploader_id = ?, filename = ?, size_bytes = ?, mimetype = ?,"
    " checksum = ?, storage_path = ?, uploaded_at_ms = ?, expires_at_ms = null, offset_bytes = null,"
    " store_upload = null, expected_checksum = null, holder = null, held_until_ms = null"
    " WHERE file_id = ? IF holder = ?"
)
_FORGET = "DELETE FROM {ks}.files WHERE file_id = ? IF holder = ?"
# a row that is no file (yet) has null there, which is not more than anything
_DELETE = "UPDATE {ks}.files SET deleted_at_ms = ? WHERE file_id = ? IF uploaded_at_ms > 0 AND deleted_at_ms = null"
_IDENTITY = "SELECT id FROM {ks}.file_records_identity WHERE scope = 'files'"
_IDENTIFY = "INSERT INTO {ks}.file_records_identity (scope, id) VALUES ('files', ?) IF NOT EXISTS"

_REMEMBER_HOUR = "INSERT INTO {ks}.open_upload_hours (scope, hour) VALUES ('all', ?)"
_FORGET_HOUR = "DELETE FROM {ks}.open_upload_hours WHERE scope = 'all' AND hour = ?"
_HOURS = "SELECT hour FROM {ks}.open_upload_hours WHERE scope = 'all'"
_REMEMBER = "INSERT INTO {ks}.open_uploads (hour, upload_id) VALUES (?, ?)"
_STRIKE = "DELETE FROM {ks}.open_uploads WHERE hour = ? AND upload_id = ?"
_REMEMBERED = f"SELECT upload_id FROM {{ks}}.open_uploads WHERE hour = ? AND upload_id > ? LIMIT {_PAGE}"


class CassandraFileRecords:
    """``domain.ports.FileRecords`` on Cassandra.

    An upload's entry in ``open_uploads`` is written before its row and deleted after it, so the sweeper finds every
    upload without reading the whole table. A crash in between leaves a stale entry.
    """

    def __init__(self, session: CassandraSession) -> None:
        self._session = session

    async def begin(self, upload: Upload) -> None:
        """Store a new upload; change nothing if its id exists already.

        Raises ``StoreUnavailable``; then it may exist or not. Raises ``ValueError`` for an impossible id.
        """
        if not is_possible_key(upload.upload_id):
            raise ValueError(f"upload id {upload.upload_id!r:.80}: cannot be a key")
        hour = upload.started_at_ms // _HOUR_MS
        async with self._session.deadline():
            await self._session.run(_REMEMBER_HOUR, (hour,), Access.WRITE)
            await self._session.run(_REMEMBER, (hour, upload.upload_id), Access.WRITE)
            await self._session.run(_BEGIN, _values(upload), Access.CONDITIONAL)

    async def upload(self, upload_id: str) -> Upload | None:
        """Return the upload, ``None`` if there is none or it is a file by now. Raises ``StoreUnavailable``."""
        found = await self.find(upload_id)
        return found if isinstance(found, Upload) else None

    async def get(self, file_id: str) -> File | None:
        """Return the file, ``None`` if there is none or it is not whole yet. Raises ``StoreUnavailable``."""
        found = await self.find(file_id)
        return found if isinstance(found, File) else None

    async def find(self, file_id: str) -> Upload | File | None:
        """Return the upload or file with this id. Raises ``StoreUnavailable``."""
        if not is_possible_key(file_id):
            return None
        rows = await self._session.run(_FIND, (file_id,), Access.READ)
        return _read(rows[0]) if rows else None

    async def identity(self) -> str:
        """Return the unique name of these records. Raises ``StoreUnavailable``."""
        async with self._session.deadline():
            rows = await self._session.run(_IDENTITY, (), Access.READ)
            if rows:
                return str(rows[0][0])
            made = str(uuid.uuid4())
            row = (await self._session.run(_IDENTIFY, (made,), Access.CONDITIONAL))[0]
            return made if row["[applied]"] else str(row["id"])

    async def files(self) -> AsyncIterator[File]:
        """Yield all files, in the order of their hashes. Raises ``StoreUnavailable``; each page has the configured
        time."""
        rows: Sequence[Any] = [(_LEAST_TOKEN,)]
        while rows := await self._session.run(_ALL, (rows[-1][0],), Access.READ):
            for _, *row in rows:
                if isinstance(found := _read(row), File):
                    yield found

    async def acquire_lease(self, upload_id: str, holder: str, now_ms: int, until_ms: int) -> Upload | None:
        """Take or renew the lease; ``None`` if it is another's, or the upload is gone or has expired.

        Raises ``StoreUnavailable`` (take it again), ``ValueError`` for an empty ``holder``.
        """
        return await self._acquire(_ACQUIRE, upload_id, holder, now_ms, until_ms)

    async def acquire_expired_lease(self, upload_id: str, holder: str, now_ms: int, until_ms: int) -> Upload | None:
        """Take or renew the lease of an expired upload. Raises as ``acquire_lease``."""
        return await self._acquire(_ACQUIRE_EXPIRED, upload_id, holder, now_ms, until_ms)

    async def _acquire(self, cql: str, upload_id: str, holder: str, now_ms: int, until_ms: int) -> Upload | None:
        if not holder:
            raise ValueError("a lease needs a holder")
        if not is_possible_key(upload_id):
            return None
        lease = (holder, until_ms, upload_id)
        async with self._session.deadline():
            if await self._applied(cql, (*lease, now_ms, now_ms)) or await self._applied(_RENEW, (*lease, holder)):
                taken = await self.upload(upload_id)  # only the holder changes it from here on
                return taken if taken is not None and taken.holder == holder else None
        return None

    async def save(self, upload: Upload, *, holder: str) -> bool:
        """Store ``upload`` if the lease is ``holder``'s. Raises ``StoreUnavailable`` (save it again)."""
        upload_id, *values = _values(upload)
        if not is_possible_key(upload_id):
            return False
        async with self._session.deadline():
            if holder and await self._applied(_SAVE, (*values, upload_id, holder)):
                return True
            # an answer that got lost: a save that releases the lease does not find it again
            stored = await self.upload(upload_id)
        return stored is not None and _values(stored) == (upload_id, *values)

    async def finish(self, file: File, *, holder: str) -> bool:
        """Make the upload the file if the lease is ``holder``'s. Raises ``StoreUnavailable`` (finish it again)."""
        if not is_possible_key(file.file_id):
            return False
        about = file.metadata
        values = (
            file.conversation_id,
            file.uploader_id,
            about.filename,
            about.size_bytes,
            about.mimetype,
            about.checksum,
            about.storage_path,
            file.uploaded_at_ms,
        )
        async with self._session.deadline():
            if not holder or not await self._applied(_FINISH, (*values, file.file_id, holder)):
                return await self.find(file.file_id) == file
        with suppress(StoreUnavailable):
            await self._strike(await self._session.run(_FIND, (file.file_id,), Access.READ))
        return True

    async def forget(self, upload_id: str, *, holder: str) -> bool:
        """Delete the upload if the lease is ``holder``'s; ``False`` also if it is a file. Raises ``StoreUnavailable``
        (forget it again)."""
        if not is_possible_key(upload_id):
            return True
        async with self._session.deadline():
            rows = await self._session.run(_FIND, (upload_id,), Access.READ)
            if not holder or not await self._applied(_FORGET, (upload_id, holder)):
                return await self.find(upload_id) is None
        with suppress(StoreUnavailable):
            await self._strike(rows)
        return True

    async def delete(self, file_id: str, now_ms: int) -> File | None:
        """Mark the file as deleted. Raises ``StoreUnavailable`` (delete it again)."""
        if not is_possible_key(file_id):
            return None
        async with self._session.deadline():
            await self._applied(_DELETE, (now_ms, file_id))
            return await self.get(file_id)

    async def expired(self, now_ms: int) -> AsyncIterator[Upload]:
        """Yield the expired uploads without a lease; delete stale entries of ``open_uploads`` on the way.

        Raises ``StoreUnavailable``; each query has the configured time.
        """
        for (hour,) in await self._session.run(_HOURS, (), Access.READ):
            is_past = (hour + 1) * _HOUR_MS + _BEGINNING_MS <= now_ms
            left, entries = 0, [""]
            while entries := [row[0] for row in await self._session.run(_REMEMBERED, (hour, entries[-1]), Access.READ)]:
                found = {row[0]: _read(row) for row in await self._session.run(_FIND_ALL, (entries,), Access.READ)}
                for upload_id in entries:
                    known = found.get(upload_id)
                    if isinstance(known, File) or (known is None and is_past and await self._is_nothing(upload_id)):
                        await self._session.run(_STRIKE, (hour, upload_id), Access.WRITE)
                        continue
                    left += 1
                    if known is not None and known.expires_at_ms <= now_ms and known.held_until_ms <= now_ms:
                        yield known
            if not left and is_past:
                await self._session.run(_FORGET_HOUR, (hour,), Access.WRITE)

    async def _is_nothing(self, upload_id: str) -> bool:
        """Return whether there is no row, and none of a ``begin`` under way either: a transaction completes those."""
        await self._applied(_FORGET, (upload_id, _NO_HOLDER))
        return await self.find(upload_id) is None

    async def _applied(self, cql: str, values: tuple[Any, ...]) -> bool:
        return bool((await self._session.run(cql, values, Access.CONDITIONAL))[0]["[applied]"])

    async def _strike(self, rows: Sequence[Any]) -> None:
        """Delete an upload's entry of ``open_uploads``; the next sweep repeats an interrupted deletion."""
        for row in rows:
            await self._session.run(_STRIKE, (row[5] // _HOUR_MS, row[0]), Access.WRITE)


def _values(upload: Upload) -> tuple[Any, ...]:
    held_until_ms = upload.held_until_ms if upload.holder else 0
    return (*(getattr(upload, name) for name in _FIELDS[:-1]), held_until_ms)


def _read(row: Any) -> Upload | File:
    *about, checksum, uploaded_at_ms, deleted_at_ms = row
    if uploaded_at_ms is None:
        return Upload(*about)
    file_id, conversation_id, uploader_id, filename, size_bytes, _, _, _, mimetype, storage_path, *_ = about
    metadata = FileMetadata(filename, size_bytes, mimetype, checksum, storage_path)
    return File(file_id, conversation_id, uploader_id, metadata, uploaded_at_ms, deleted_at_ms or 0)
