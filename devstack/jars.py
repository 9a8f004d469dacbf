"""The Java archives of a part: which they are (a lock file beside this module), and fetching them.

jgo downloads them from Maven Central with its pure-Python resolver: no `mvn`, no `java`. A lock file
names each archive with its SHA-256, so that a first start fetches them side by side (walking the POMs
takes longer than the download), everybody runs the same bytes, and a truncated file is noticed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from devstack import locks
from devstack.errors import JarsUnavailable, NotInstalled
from devstack.progress import Cancellation

if TYPE_CHECKING:
    from jgo.maven import MavenContext

_PARALLEL_DOWNLOADS = 8
_ATTEMPTS = 3
_HTTP_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Jar:
    """One archive: Maven coordinates and the SHA-256 of its bytes in hex."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str

    @classmethod
    def parse(cls, line: str) -> Jar:
        """Read `<sha256>  <group>:<artifact>:<version>[:<classifier>]`."""
        sha256, coordinates = line.split()
        group, artifact, version, classifier = [*coordinates.split(":"), ""][:4]
        return cls(group, artifact, version, classifier, sha256)

    def __str__(self) -> str:
        classifier = f":{self.classifier}" if self.classifier else ""
        return f"{self.sha256}  {self.group}:{self.artifact}:{self.version}{classifier}"

    @property
    def path(self) -> Path:
        """Where it lies in a Maven repository, relative to the repository's root."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        file_name = f"{self.artifact}-{self.version}{suffix}.jar"
        return Path(*self.group.split("."), self.artifact, self.version, file_name)


class JarSet:
    """The archives of one lock file, in `folder` (a Maven repository layout)."""

    def __init__(self, title: str, lock_file: Path, folder: Path, timeout_seconds: float, maven_url: str = "") -> None:
        self.title = title
        self._lock_file = lock_file
        self._folder = folder
        self._timeout_seconds = timeout_seconds
        self._repositories = {"mirror": maven_url} if maven_url else None  # None: jgo's own default

    @cached_property
    def jars(self) -> tuple[Jar, ...]:
        lines = (line.partition("#")[0].strip() for line in self._lock_file.read_text().splitlines())
        return tuple(Jar.parse(line) for line in lines if line)

    @property
    def class_path(self) -> list[Path]:
        """Absolute paths in the order of the lock file."""
        return [self._folder / jar.path for jar in self.jars]

    def fetch(self, on_jar: Callable[[int, int], None], cancellation: Cancellation) -> None:
        """Download missing archives. Without any missing it takes milliseconds and no network.

        on_jar(done, total) is called as archives arrive, from this thread.
        Raises JarsUnavailable, or Cancelled.
        """
        if self._is_complete():
            return

        def waiting(seconds: float) -> None:
            on_jar(0, len(self.jars))
            cancellation.pause(self.title, seconds)

        try:
            with locks.held(
                self._folder.with_suffix(".lock"),
                self._timeout_seconds,
                waiting,
            ):
                if not self._is_complete():
                    self._download(on_jar, cancellation)
                    self._stamp.write_text(self._fingerprint)
        except TimeoutError:
            reason = f"another command has been downloading them for {self._timeout_seconds:.0f} s"
            raise JarsUnavailable(self.title, reason) from None

    @property
    def _stamp(self) -> Path:
        return self._folder / "complete"

    @property
    def _fingerprint(self) -> str:
        return hashlib.sha256("\n".join(map(str, self.jars)).encode()).hexdigest()

    def _is_complete(self) -> bool:
        """All archives were verified once (the stamp says so) and are still there."""
        try:
            return self._stamp.read_text() == self._fingerprint and all(p.is_file() for p in self.class_path)
        except OSError:
            return False

    def _download(self, on_jar: Callable[[int, int], None], cancellation: Cancellation) -> None:
        # Imported here because it costs 0.2 s and only a first start needs it.
        try:
            from jgo.maven import MavenContext, PythonResolver
        except ImportError:
            raise NotInstalled("jgo") from None

        maven = MavenContext(
            resolver=PythonResolver(),
            repo_cache=self._folder,
            local_repos=[],
            remote_repos=self._repositories,
            timeout=_HTTP_TIMEOUT_SECONDS,
        )
        on_jar(0, len(self.jars))
        deadline = time.monotonic() + self._timeout_seconds
        with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
            try:
                arguments = (deadline, cancellation)
                pending = [pool.submit(self._fetch_one, maven, jar, *arguments) for jar in self.jars]
                for done, future in enumerate(as_completed(pending), start=1):
                    future.result()
                    on_jar(done, len(pending))
            finally:
                pool.shutdown(cancel_futures=True)

    def _fetch_one(self, maven: MavenContext, jar: Jar, deadline: float, cancellation: Cancellation) -> None:
        file = self._folder / jar.path
        if file.is_file() and sha256_of(file) == jar.sha256:
            return
        reason = "the time allowed is over"
        for attempt in range(_ATTEMPTS):
            cancellation.check(self.title)
            if time.monotonic() > deadline:
                break
            if attempt:
                cancellation.pause(self.title, float(attempt))
            file.unlink(missing_ok=True)  # jgo trusts whatever is there, even half a file
            try:
                component = maven.project(jar.group, jar.artifact).at_version(jar.version)
                component.artifact(jar.classifier).resolve()
            # jgo lets the errors of requests through (OSError) and makes its own of RuntimeError.
            except (OSError, RuntimeError) as error:
                reason = f"{jar.artifact}: {error}"
                continue
            if sha256_of(file) == jar.sha256:
                return
            reason = f"{jar.artifact} {jar.version} differs from the SHA-256 in {self._lock_file.name}"
        file.unlink(missing_ok=True)
        raise JarsUnavailable(self.title, reason)


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
