"""Fetching jars, from a small Maven repository on loopback."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from devstack import JarsUnavailable
from devstack.jars import Jar, JarSet
from devstack.progress import Cancellation

CONTENT = b"PK\x03\x04 not really a jar" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
JARS = (Jar("org.example", "one", "1.0", "", SHA256), Jar("org.example.deep", "two", "2.0", "linux-x86_64", SHA256))


class Handler(SimpleHTTPRequestHandler):
    requests: list[str]

    def do_GET(self) -> None:
        self.requests.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Repository:
    """`files` is what it serves, `requests` the paths it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.files = folder
        self.requests: list[str] = []
        handler = type("_Handler", (Handler,), {"requests": self.requests})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def publish(self, jar: Jar, content: bytes = CONTENT) -> None:
        file = self.files / jar.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    repository = Repository(tmp_path / "remote")
    threading.Thread(target=repository.server.serve_forever, args=(0.05,), daemon=True).start()
    for jar in JARS:
        repository.publish(jar)
    yield repository
    repository.server.shutdown()
    repository.server.server_close()


@pytest.fixture
def jar_set(tmp_path: Path, repository: Repository) -> JarSet:
    lock_file = tmp_path / "example.lock"
    lock_file.write_text("# a comment\n" + "".join(f"{jar}\n" for jar in JARS))
    return JarSet("Example", lock_file, tmp_path / "jars" / "example", 5.0, repository.url)


class Hurried(Cancellation):
    """Does not pause between attempts."""

    def pause(self, title: str, seconds: float) -> None:
        self.check(title)


def fetch(jar_set: JarSet) -> list[tuple[int, int]]:
    steps: list[tuple[int, int]] = []
    jar_set.fetch(lambda done, total: steps.append((done, total)), Hurried())
    return steps


def test_jars_arrive_and_are_counted(jar_set: JarSet) -> None:
    assert fetch(jar_set) == [(0, 2), (1, 2), (2, 2)]
    assert [path.read_bytes() for path in jar_set.class_path] == [CONTENT, CONTENT]


def test_a_second_fetch_asks_nobody(jar_set: JarSet, repository: Repository) -> None:
    fetch(jar_set)
    repository.requests.clear()
    assert fetch(jar_set) == []
    assert repository.requests == []


def test_a_lost_jar_is_fetched_again(jar_set: JarSet) -> None:
    fetch(jar_set)
    jar_set.class_path[1].unlink()
    assert fetch(jar_set)
    assert jar_set.class_path[1].is_file()


def test_half_a_file_of_an_interrupted_download_is_replaced(jar_set: JarSet) -> None:
    jar_set.class_path[0].parent.mkdir(parents=True)
    jar_set.class_path[0].write_bytes(CONTENT[:10])
    fetch(jar_set)
    assert jar_set.class_path[0].read_bytes() == CONTENT


def test_a_jar_with_other_bytes_is_refused(jar_set: JarSet, repository: Repository) -> None:
    repository.publish(JARS[0], b"something else")
    with pytest.raises(JarsUnavailable, match=r"one 1\.0 differs from the SHA-256 in example\.lock"):
        fetch(jar_set)
    assert not jar_set.class_path[0].exists()


def test_a_missing_jar_is_named_and_the_others_are_kept(jar_set: JarSet, repository: Repository) -> None:
    (repository.files / JARS[1].path).unlink()
    with pytest.raises(JarsUnavailable, match=r"two.*run `up` again"):
        fetch(jar_set)
    assert jar_set.class_path[0].exists()


def test_a_lock_line_is_read_as_it_is_written() -> None:
    assert tuple(Jar.parse(str(jar)) for jar in JARS) == JARS
