"""The sweep of files on a real Cassandra and real stores, as `chat4all files sweep` makes it."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from click.testing import CliRunner, Result

from app.files import open_file_store
from app.settings import Settings
from chat4all.cli.main import main
from domain.errors import NotFound
from domain.files import PART_BYTES, File, FileMetadata, incomplete_part_key, staging_key, storage_key
from domain.ports import FileRecords, FileStore, Upload
from storage.cassandra.driver_session import CassandraConfig
from storage.cassandra.files import CassandraFileRecords
from storage.cassandra.session import CassandraSession
from support.values import NO_ACCOUNTS

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]
TYPE = "text/plain"
FULL = bytes(PART_BYTES)


@dataclass
class System:
    """What a system has of files, and its command."""

    records: FileRecords
    store: FileStore
    run: Callable[..., Result]

    async def sweep(self, *options: str, **environ: str) -> tuple[int, dict[str, Any]]:
        result = await asyncio.to_thread(self.run, "files", "sweep", "--json", *options, **environ)
        return result.exit_code, json.loads(result.output)

    async def keys(self) -> set[tuple[str, bool]]:
        return {(one.key, one.is_whole) async for one in self.store.everything() if one.key != ".uploads/owner"}

    async def upload(self, *, expires_in_ms: int, holder: str = "") -> Upload:
        """One of a part and a tail."""
        now_ms, file_id = time.time_ns() // 1_000_000, str(uuid.uuid4())
        key = storage_key("família", file_id, "a.txt")
        row = Upload(
            file_id,
            "família",
            "u-1",
            "a.txt",
            None,
            now_ms,
            now_ms + expires_in_ms,
            key=key,
            holder="api",
            held_until_ms=now_ms + 1,
        )
        await self.records.begin(row)
        name = await self.store.begin(key, TYPE)
        await self.store.put_part(key, name, 1, FULL)
        await self.store.put(incomplete_part_key(file_id, PART_BYTES + 4), b"tail", TYPE)
        row = replace(
            row,
            store_upload=name,
            offset_bytes=PART_BYTES + 4,
            holder=holder,
            held_until_ms=now_ms + 60_000 if holder else 0,
        )
        assert await self.records.save(row, holder="api")
        return row

    async def file(self) -> File:
        row = await self.upload(expires_in_ms=60_000, holder="api")
        last = await self.store.put_part(row.key, row.store_upload, 2, b"the rest")
        parts = await self.store.parts(row.key, row.store_upload)
        assert parts[-1] == last
        await self.store.finish(row.key, row.store_upload, parts)
        metadata = FileMetadata("a.txt", PART_BYTES + 8, TYPE, f"sha256:{'0' * 64}", row.key)
        file = File(row.upload_id, row.conversation_id, row.uploader_id, metadata, row.started_at_ms)
        assert await self.records.finish(file, holder="api")
        await self.store.discard(incomplete_part_key(row.upload_id, row.offset_bytes))
        return file


@pytest_asyncio.fixture(loop_scope="module", params=["local", "s3"])
async def system(
    request: pytest.FixtureRequest, cassandra: CassandraConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    settings = Settings(
        accounts=NO_ACCOUNTS,
        cassandra=cassandra.hosts,
        cassandra_port=cassandra.port,
        keyspace=cassandra.keyspace,
        jwt_secret="s" * 48,
        files=request.param,
        files_dir=str(tmp_path / "files"),
    )
    config = None
    if request.param == "s3":
        minio = request.getfixturevalue("minio")
        config = minio.config()
        settings = replace(settings, s3_url=config.url, s3_bucket=config.bucket)
    monkeypatch.chdir(tmp_path)
    environ = settings.to_environ()
    store = open_file_store(settings)
    async with CassandraSession(cassandra) as session:
        await session.connected(30)
        records = CassandraFileRecords(session)
        yield System(records, store, lambda *arguments, **more: CliRunner().invoke(main, arguments, env=environ | more))
    await store.close()
    if config is not None:
        await minio.delete_bucket(config)


async def test_what_nobody_finished_and_what_no_file_needs_goes_and_the_rest_stays(system: System) -> None:
    file = await system.file()
    path = file.metadata.storage_path
    in_time, held = await system.upload(expires_in_ms=60_000), await system.upload(expires_in_ms=0, holder="api")
    abandoned = await system.upload(expires_in_ms=0)
    orphan = staging_key(str(uuid.uuid4()))
    await system.store.put(orphan, b"orphan", TYPE)
    before = await system.keys()

    code, report = await system.sweep("--dry-run", "--grace", "0")
    assert (code, report["uploads_swept"], report["objects_swept"], report["failures"]) == (0, 1, 1, [])
    assert await system.keys() == before

    code, report = await system.sweep()  # with a grace of a day the orphan is too young
    assert (code, report["uploads_swept"], report["objects_swept"], report["failures"]) == (0, 1, 0, [])
    assert await system.records.find(abandoned.upload_id) is None
    with pytest.raises(NotFound):
        await system.store.parts(abandoned.key, abandoned.store_upload)

    _, report = await system.sweep("--grace", "0", "--check")  # files of the other store have no object in this one
    assert (report["uploads_swept"], report["objects_swept"], report["failures"]) == (0, 1, [])
    assert file.file_id not in report["damaged"]
    assert {key for key, is_whole in await system.keys() if is_whole} == {
        path,
        incomplete_part_key(in_time.upload_id, PART_BYTES + 4),
        incomplete_part_key(held.upload_id, PART_BYTES + 4),
    }
    for upload in (in_time, held):
        assert len(await system.store.parts(upload.key, upload.store_upload)) == 1
        assert await system.records.upload(upload.upload_id) == upload
    assert await system.store.size(path) == PART_BYTES + 8

    await system.store.discard(path)
    code, report = await system.sweep("--check")
    assert (code, file.file_id in report["damaged"]) == (1, True)
    result = await asyncio.to_thread(system.run, "files", "sweep", "--check")
    assert (result.exit_code, "not whole" in result.output, file.file_id in result.output) == (1, True, True)
    await _forget_all(system)


async def _forget_all(system: System) -> None:
    """Let the uploads that are left expire and be swept."""
    later_ms = time.time_ns() // 1_000_000 + 120_000
    for upload in [found async for found in system.records.expired(later_ms)]:
        assert await system.records.acquire_expired_lease(upload.upload_id, "test", later_ms, later_ms + 1)
        assert await system.records.forget(upload.upload_id, holder="test")


async def test_a_store_that_is_away_is_told_and_the_upload_is_left_for_the_next_sweep(system: System) -> None:
    upload = await system.upload(expires_in_ms=0)
    away = {"CHAT4ALL_S3_URL": "http://127.0.0.1:1", "CHAT4ALL_FILES_DIR": "/dev/null/files"}
    code, report = await system.sweep(**away, CHAT4ALL_FILES_TIMEOUT_SECONDS="2")
    assert (code, report["uploads_swept"]) == (1, 0)
    assert report["failures"]
    left = await system.records.upload(upload.upload_id)
    assert left is not None
    assert left.holder.startswith("sweeper-")
    assert await system.records.forget(upload.upload_id, holder=left.holder)


async def test_the_store_of_another_database_is_left_alone(system: System) -> None:
    orphan = staging_key(str(uuid.uuid4()))
    await system.store.put(orphan, b"perhaps theirs", TYPE)
    await system.store.put(".uploads/owner", b"another", TYPE)
    result = await asyncio.to_thread(system.run, "files", "sweep", "--grace", "0")
    assert result.exit_code == 1
    assert "Error: the store of files bears the mark of another database" in result.output
    assert await system.store.size(orphan) is not None
    code, report = await system.sweep("--grace", "0", "--force")
    assert (code, report["objects_swept"], await system.store.size(orphan)) == (0, 1, None)
