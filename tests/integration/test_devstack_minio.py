"""The real MinIO as a daemon: it starts, crashes, comes back with its data, and is nobody's by default."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from devstack import Stack
from storage.s3 import S3FileStore
from support.servers import RunningMinio

pytestmark = pytest.mark.real
TYPE = "application/octet-stream"


async def test_what_was_stored_is_there_after_a_crash_and_a_start(own_minio: Stack) -> None:
    store = S3FileStore(RunningMinio(own_minio.part("minio").port).config())
    await store.put("c-1/f-1.bin", b"content", TYPE)
    upload = await store.begin("c-1/f-2.bin", TYPE)
    part = await store.put_part("c-1/f-2.bin", upload, 1, b"part")
    minio = own_minio.part("minio")
    assert minio.kill()
    assert minio.status().state == "down"
    minio.start()
    assert b"".join([chunk async for chunk in store.read("c-1/f-1.bin")]) == b"content"
    await store.finish("c-1/f-2.bin", upload, [part])
    assert await store.size("c-1/f-2.bin") == 4
    await store.close()


def test_it_listens_on_its_one_port_of_loopback_and_nowhere_else(own_minio: Stack) -> None:
    minio = own_minio.part("minio")
    connections = minio.process.net_connections("inet")
    listening = {(one.laddr.ip, one.laddr.port) for one in connections if one.status == psutil.CONN_LISTEN}
    assert ("127.0.0.1", minio.port) in listening <= {("127.0.0.1", minio.port), ("::1", minio.port)}
    assert [one.raddr for one in connections if one.raddr and one.raddr.ip not in ("127.0.0.1", "::1")] == []


def test_it_writes_into_its_own_folder_only(own_minio: Stack) -> None:
    minio = own_minio.part("minio")
    # it reads elsewhere as well: what the machine is like, and whose certificates to trust
    written = [file.path for file in minio.process.open_files() if getattr(file, "mode", "w") != "r"]
    assert {Path(path).is_relative_to(minio.folder) for path in written} == {True}
    assert sorted(file.name for file in minio.folder.iterdir() if not file.name.startswith(".")) == [
        "config",
        "data",
        "logs",
        "process.json",
    ]
    assert own_minio.down() == ["minio"]
