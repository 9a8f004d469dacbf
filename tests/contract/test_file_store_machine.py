"""Any order of calls gives a folder, and the fake, what a dict of bytes gives; a folder also over several processes'
worth of stores, which know nothing of each other but the folder."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from domain.errors import Conflict, NotFound
from domain.ports import FileStore, Part
from fakes.file_store import SMALL_PART, MemoryFileStore
from storage.local_files import LocalFileStore
from support.examples import examples

TYPE = "application/octet-stream"
KEYS = st.sampled_from(["c/a", "c/b", "d/a.pdf", ".uploads/a.1"])
# by name, for Hypothesis writes down every argument
BLOCKS = {"": b"", "short": b"abc", "1": b"1", "x": b"x" * SMALL_PART, "y": b"y" * SMALL_PART}
NAMES = st.sampled_from([name for name in BLOCKS if name])
WHO = st.integers(0, 1)


class FileStores(RuleBasedStateMachine):
    """The model: ``objects`` by key; ``begun`` uploads with their parts, by name."""

    uploads = Bundle("uploads")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stores = self.open()
        self.objects: dict[str, bytes] = {}
        self.begun: dict[str, tuple[str, dict[int, tuple[Part, bytes]]]] = {}

    def open(self) -> list[FileStore]:
        raise NotImplementedError

    def run(self, who: int, method: str, *arguments: object) -> Any:
        return self.loop.run_until_complete(getattr(self.stores[who % len(self.stores)], method)(*arguments))

    def teardown(self) -> None:
        for store in self.stores:
            self.loop.run_until_complete(store.close())
        self.loop.close()

    @rule(target=uploads, who=WHO, key=KEYS)
    def begin(self, who: int, key: str) -> tuple[str, str]:
        upload = self.run(who, "begin", key, TYPE)
        assert upload not in self.begun
        self.begun[upload] = (key, {})
        return key, upload

    @rule(who=WHO, which=uploads, number=st.integers(1, 4), name=NAMES)
    def put_part(self, who: int, which: tuple[str, str], number: int, name: str) -> None:
        (key, upload), data = which, BLOCKS[name]
        if upload not in self.begun:
            with pytest.raises(NotFound):
                self.run(who, "put_part", key, upload, number, data)
            return
        part = self.run(who, "put_part", key, upload, number, data)
        assert (part.number, part.size_bytes) == (number, len(data))
        self.begun[upload][1][number] = (part, data)

    @rule(who=WHO, which=uploads)
    def parts(self, who: int, which: tuple[str, str]) -> None:
        key, upload = which
        if upload not in self.begun:
            with pytest.raises(NotFound):
                self.run(who, "parts", key, upload)
            return
        there = [part for _, (part, _) in sorted(self.begun[upload][1].items())]
        assert list(self.run(who, "parts", key, upload)) == there

    @rule(who=WHO, which=uploads, count=st.integers(0, 4))
    def finish(self, who: int, which: tuple[str, str], count: int) -> None:
        key, upload = which
        there = self.begun.get(upload, (key, {}))[1]
        chosen = [there[number] for number in range(1, count + 1) if number in there]
        named = [part for part, _ in chosen] or [Part(1, 1, "0" * 16)]
        if upload not in self.begun:
            with pytest.raises(NotFound):
                self.run(who, "finish", key, upload, named)
        elif _make_a_file(chosen):
            self.run(who, "finish", key, upload, named)
            self.objects[key] = b"".join(data for _, data in chosen)
            del self.begun[upload]
        else:
            with pytest.raises(Conflict):
                self.run(who, "finish", key, upload, named)

    @rule(who=WHO, which=consumes(uploads))
    def abort(self, who: int, which: tuple[str, str]) -> None:
        self.run(who, "abort", which[0])
        self.forget_uploads(which[0])

    @rule(who=WHO, key=KEYS)
    def discard(self, who: int, key: str) -> None:
        self.run(who, "discard", key)
        self.forget_uploads(key)
        self.objects.pop(key, None)

    def forget_uploads(self, key: str) -> None:
        self.begun = {upload: known for upload, known in self.begun.items() if known[0] != key}

    @rule(who=WHO, key=KEYS, name=st.sampled_from(list(BLOCKS)))
    def put(self, who: int, key: str, name: str) -> None:
        self.run(who, "put", key, BLOCKS[name], TYPE)
        self.objects[key] = BLOCKS[name]

    @rule(who=WHO, source=KEYS, goal=KEYS)
    def move(self, who: int, source: str, goal: str) -> None:
        if source not in self.objects and goal not in self.objects:
            with pytest.raises(NotFound):
                self.run(who, "move", source, goal)
            return
        self.run(who, "move", source, goal)
        if source in self.objects:
            self.objects[goal] = self.objects.pop(source)

    @rule(who=WHO, source=KEYS, goal=KEYS)
    def copy(self, who: int, source: str, goal: str) -> None:
        if source not in self.objects:
            with pytest.raises(NotFound):
                self.run(who, "copy", source, goal)
            return
        self.run(who, "copy", source, goal)
        self.objects[goal] = self.objects[source]

    @rule(who=WHO, key=KEYS, start=st.integers(0, SMALL_PART * 2), length=st.none() | st.integers(0, SMALL_PART * 2))
    def read(self, who: int, key: str, start: int, length: int | None) -> None:
        if key not in self.objects:
            with pytest.raises(NotFound):
                self.run(who, "read_all", key, start, length)
            return
        data = self.objects[key]
        assert self.run(who, "read_all", key, start, length) == data[start : None if length is None else start + length]

    @invariant()
    def everything_is_listed(self) -> None:
        listed = self.run(0, "list_all")
        objects = [(key, len(data), True) for key, data in self.objects.items()]
        assert sorted(listed) == sorted(objects + [(key, 0, False) for key, _ in self.begun.values()])


def _make_a_file(chosen: list[tuple[Part, bytes]]) -> bool:
    numbers = [part.number for part, _ in chosen]
    are_full = all(len(data) == SMALL_PART for _, data in chosen[:-1])
    return bool(chosen) and numbers == list(range(1, len(chosen) + 1)) and are_full


class _Reading:
    """The two iterators of the port as calls."""

    async def read_all(self: FileStore, key: str, start: int, length: int | None) -> bytes:
        return b"".join([chunk async for chunk in self.read(key, start, length)])

    async def list_all(self: FileStore) -> list[tuple[str, int, bool]]:
        return [(one.key, one.size_bytes, one.is_whole) async for one in self.everything()]


class _Local(LocalFileStore, _Reading):
    pass


class _Memory(MemoryFileStore, _Reading):
    pass


class LocalStores(FileStores):
    def open(self) -> list[FileStore]:
        self.folder = Path(tempfile.mkdtemp())
        return [_Local(self.folder, link_key=bytes(32), part_bytes=SMALL_PART) for _ in range(2)]

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


class MemoryStores(FileStores):
    def open(self) -> list[FileStore]:
        return [_Memory()]


TestLocal = LocalStores.TestCase
TestMemory = MemoryStores.TestCase
TestLocal.settings = settings(max_examples=examples(40), stateful_step_count=25)
TestMemory.settings = settings(max_examples=examples(40), stateful_step_count=25)
