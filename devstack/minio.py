"""MinIO: one server with one folder as its drive, for files in an S3. Optional: a folder alone serves as well.

Its program is MINIO_BIN, or `minio` on the PATH, or `bin/minio` beside the jars, where it is built with Go if there is
none (2 to 4 minutes; 110 MB): MinIO publishes its source as a Go module.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from devstack import locks, logs, probes, processes
from devstack.config import LOOPBACK, StackConfig
from devstack.errors import ProgramUnavailable
from devstack.part import Part
from devstack.progress import Cancellation

MODULE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
_POLL_SECONDS = 0.2
_TAIL_LINES = 5


class Minio(Part):
    name = "minio"
    title = "MinIO"
    is_optional = True
    fetch_stage = "building"

    def __init__(self, config: StackConfig) -> None:
        super().__init__(config)
        self.log_file = self.output_file  # it writes to standard output alone
        self.data_folder = self.folder / "data"
        self._built = config.jars_folder.parent / "bin" / "minio"

    @property
    def ports(self) -> Mapping[str, int]:
        return {"minio_port": self.config.minio_port}

    @property
    def program(self) -> Path | None:
        """The server, if it is on this machine. Raises ProgramUnavailable if MINIO_BIN names none."""
        named = self.config.minio_bin
        if named:
            if found := shutil.which(Path(named).expanduser()):
                return Path(found).absolute()
            raise ProgramUnavailable(self.title, f"MINIO_BIN={named} is no program")
        if found := shutil.which("minio"):
            return Path(found).absolute()
        return self._built if os.access(self._built, os.X_OK) else None

    def fetch(self, on_file: Callable[[int, int], None], cancellation: Cancellation) -> None:
        """Build it if there is none. Raises ProgramUnavailable, Cancelled."""
        if self.program is not None:
            return
        go = shutil.which("go")
        if go is None:
            raise ProgramUnavailable(self.title, "nor is there Go to build it with")
        folder, timeout_seconds = self._built.parent, self.config.jars_timeout_seconds
        folder.mkdir(parents=True, exist_ok=True)

        def waiting(seconds: float) -> None:
            on_file(0, 1)
            cancellation.pause(self.title, seconds)

        try:
            with locks.held(folder / "minio.lock", timeout_seconds, waiting):
                if self.program is None:
                    with tempfile.TemporaryDirectory(dir=folder, prefix="building-") as temporary:
                        self._build(go, Path(temporary), waiting)
        except TimeoutError:
            raise ProgramUnavailable(self.title, f"building it took more than {timeout_seconds:.0f} s") from None

    def _build(self, go: str, temporary: Path, waiting: Callable[[float], None]) -> None:
        output_file = temporary / "output.log"
        deadline = time.monotonic() + self.config.jars_timeout_seconds
        environment = {**os.environ, "GOBIN": str(temporary), "CGO_ENABLED": "0"}
        with output_file.open("wb") as output:
            build = subprocess.Popen(
                [go, "install", "-trimpath", "-ldflags=-s -w", MODULE],
                cwd=temporary,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its compilers end with it
            )
            try:
                while build.poll() is None:
                    if time.monotonic() > deadline:
                        raise TimeoutError
                    waiting(_POLL_SECONDS)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(build.pid, signal.SIGKILL)
                build.wait()
        if build.returncode != 0:
            words = " / ".join(logs.tail(output_file, _TAIL_LINES))
            raise ProgramUnavailable(self.title, f"`go install {MODULE}` failed: {words}")
        (temporary / "minio").replace(self._built)

    def prepare(self) -> None:
        for folder in (self.data_folder, self.folder / "config"):
            folder.mkdir(exist_ok=True)

    def command(self) -> Sequence[str]:
        options = ["--quiet", "--address", f"{LOOPBACK}:{self.config.minio_port}"]
        certificates = ["--certs-dir", str(self.folder / "config")]  # else it looks in the home folder
        # it is a stand-in for another machine's: bulk work that leaves this one's processor to Kafka and the API
        return ["nice", "-n", "10", str(self.program), "server", *options, *certificates, str(self.data_folder)]

    def environment(self) -> Mapping[str, str]:
        return {
            **processes.minimal_environment(),
            "MINIO_ROOT_USER": self.config.minio_user,
            "MINIO_ROOT_PASSWORD": self.config.minio_password,
            "MINIO_BROWSER": "off",  # no console, so no second port
            "MINIO_UPDATE": "off",  # it asks nobody whether there is a newer one
        }

    def ask(self, timeout_seconds: float) -> None:
        probes.ask_minio(LOOPBACK, self.config.minio_port, timeout_seconds)
