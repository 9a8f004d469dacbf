"""Real servers for tests: of their own, or one stack that all processes of a pytest run share."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest
from miniopy_async.api import Minio as MinioClient

from devstack import Stack, StackConfig, StackError
from devstack.minio import Minio
from storage.s3_config import S3Config
from support.values import changed

HOME = Path(__file__).parents[2] / ".devstack"
JARS = HOME / "jars"
# the processes of one run share the folder that the first one names here; those that pytest-xdist starts inherit it
RUN_FOLDER = "PYTEST_RUN_FOLDER"
# a run leaves some twenty keyspaces of thirty tables and as many systems' topics: with 512 MiB Cassandra ends for want
# of memory
SHARED_KAFKA_HEAP_MB = 768
SHARED_CASSANDRA_HEAP_MB = 1_536


@dataclass(frozen=True)
class BorrowedStack:
    """Servers that were started outside of the tests, which must not stop them."""

    host: str
    kafka_port: int
    cassandra_port: int

    @property
    def kafka_bootstrap(self) -> str:
        return f"{self.host}:{self.kafka_port}"

    @property
    def cassandra_contact_points(self) -> list[str]:
        return [self.host]


@contextmanager
def own_stack(parts: Sequence[str]) -> Iterator[Stack]:
    """The named parts on free ports, gone with all their data at the end."""
    HOME.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="test-", dir=HOME))
    own = Stack(StackConfig.on_free_ports(folder, JARS))
    try:
        own.up(parts)
        yield own
    finally:
        own.down()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class SharedStack:
    """The named parts, one of each for all processes of a run: the first to come starts them, the last stops them.

    Once started they run until the last process leaves, so a worker of pytest-xdist that comes late finds them warm.
    """

    name: str
    parts: Sequence[str]
    folder: Path = field(default_factory=lambda: run_folder())

    @contextmanager
    def used(self) -> Iterator[Stack]:
        """The running stack. Raises ``StackError`` if it does not start."""
        with self._locked() as state:
            if "ports" not in state:
                state["ports"] = _ports(StackConfig.on_free_ports(self._data, JARS))
            stack = self._stack(state)
            stack.up(self.parts)
            state["users"] = state.get("users", 0) + 1
        try:
            yield stack
        finally:
            with self._locked() as state:
                state["users"] -= 1
                if state["users"] == 0:
                    self._end(state)

    def end(self) -> None:
        """Stop what a process that was killed has left."""
        with self._locked() as state:
            if "ports" in state:
                self._end(state)

    @property
    def _data(self) -> Path:
        return self.folder / self.name

    def _stack(self, state: dict[str, Any]) -> Stack:
        config = StackConfig(
            folder=self._data,
            jars_folder=JARS,
            kafka_heap_mb=SHARED_KAFKA_HEAP_MB,
            cassandra_heap_mb=SHARED_CASSANDRA_HEAP_MB,
            **state["ports"],
        )
        return Stack(config)

    def _end(self, state: dict[str, Any]) -> None:
        self._stack(state).down()
        shutil.rmtree(self._data, ignore_errors=True)
        state.clear()

    @contextmanager
    def _locked(self) -> Iterator[dict[str, Any]]:
        """What the processes know together; changes are kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{self.name}.json").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            state = json.loads(file.read() or "{}")
            try:
                yield state
            finally:
                file.truncate(0)
                file.write(json.dumps(state))


def kafka_and_cassandra() -> SharedStack:
    return SharedStack("kafka-and-cassandra", ["kafka", "cassandra"])


def minio_alone() -> SharedStack:
    return SharedStack("minio", ["minio"])


def run_folder() -> Path:
    """Return the folder that the processes of this run share."""
    return Path(os.environ[RUN_FOLDER])


def begin_run() -> None:
    """Name that folder, in the process that starts the others."""
    HOME.mkdir(exist_ok=True)
    os.environ[RUN_FOLDER] = str(HOME / f"test-run-{uuid.uuid4().hex[:12]}")


def end_run() -> None:
    """Stop what is left of the shared servers, and delete the folder."""
    if run_folder().exists():
        for shared in (kafka_and_cassandra(), minio_alone()):
            shared.end()
        shutil.rmtree(run_folder(), ignore_errors=True)


def _ports(config: StackConfig) -> dict[str, int]:
    return {each.name: getattr(config, each.name) for each in fields(config) if each.name.endswith("_port")}


@dataclass(frozen=True)
class RunningMinio:
    """A MinIO, and its keys."""

    port: int
    access_key: str = "minioadmin"
    secret_key: str = "minioadmin"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def config(self, **changes: object) -> S3Config:
        """How to reach it, with a bucket of a new name."""
        bucket = f"test-{uuid.uuid4().hex[:12]}"
        usual = S3Config(url=self.url, bucket=bucket, access_key=self.access_key, secret_key=self.secret_key)
        return changed(usual, changes)

    async def delete_bucket(self, config: S3Config) -> None:
        """Delete the bucket with all that is in it."""
        host, keys = f"127.0.0.1:{self.port}", (self.access_key, self.secret_key)
        async with MinioClient(host, *keys, secure=False, region="us-east-1") as client:
            if await client.bucket_exists(config.bucket):
                async for found in client.list_objects(config.bucket, recursive=True):
                    await client.remove_object(config.bucket, found.object_name)
                await client.remove_bucket(config.bucket)


def require_minio() -> None:
    """Skip the test if there is no MinIO on this machine, or fail it if there must be one."""
    try:
        is_here = Minio(StackConfig.on_free_ports(HOME, JARS)).program is not None
        missing = "there is no MinIO here; `make minio` builds it, which takes Go and a few minutes"
    except StackError as error:
        is_here, missing = False, str(error)
    if not is_here:
        if os.environ.get("CHAT4ALL_REQUIRE_MINIO"):
            pytest.fail(missing)
        pytest.skip(missing)
