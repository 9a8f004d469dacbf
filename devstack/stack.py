"""All parts together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from devstack.cassandra import Cassandra
from devstack.config import LOOPBACK, StackConfig
from devstack.errors import Cancelled, UnknownPart
from devstack.kafka import Kafka
from devstack.minio import Minio
from devstack.part import Part, PartStatus
from devstack.progress import Cancellation, OnProgress, Progress, silent

# In the order in which they are shown; stopped in the opposite order. A new part joins here.
PARTS: tuple[type[Part], ...] = (Kafka, Cassandra, Minio)


class Stack:
    """Real servers on this machine. Any number of objects, threads and processes may share a folder.

    Example:
        stack = Stack(StackConfig.on_free_ports(tmp_path, jars_folder))
        stack.up()
        AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap)
        stack.part("kafka").kill()
        stack.part("kafka").start()
        stack.down()
    """

    def __init__(self, config: StackConfig) -> None:
        self.config = config
        self.parts: dict[str, Part] = {part.name: part(config) for part in PARTS}

    @property
    def kafka_bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.config.kafka_port}"

    @property
    def cassandra_contact_points(self) -> list[str]:
        return [LOOPBACK]

    @property
    def cassandra_port(self) -> int:
        return self.config.cassandra_port

    @property
    def minio_url(self) -> str:
        return f"http://{LOOPBACK}:{self.config.minio_port}"

    @property
    def wanted(self) -> list[str]:
        """The default parts of `up`: all except optional ones disabled by the settings."""
        asked_for = {"minio"} if self.config.files == "s3" else set()
        return [name for name, part in self.parts.items() if not part.is_optional or name in asked_for]

    def part(self, name: str) -> Part:
        """Raises UnknownPart."""
        try:
            return self.parts[name]
        except KeyError:
            raise UnknownPart(name, self.parts) from None

    def up(self, parts: Sequence[str] | None = None, on_progress: OnProgress = silent) -> None:
        """Start the named parts (by default those `wanted`) side by side, and return when each one answers.

        Running parts are left alone. on_progress is called from several threads, one at a time.
        Raises the first StackError of a part; the others are then no longer waited for.
        """
        wanted = [self.part(name) for name in (self.wanted if parts is None else parts)]
        cancellation = Cancellation()
        one_at_a_time = threading.Lock()

        def report(step: Progress) -> None:
            with one_at_a_time:
                on_progress(step)

        with ThreadPoolExecutor(max(1, len(wanted)), thread_name_prefix="chat4all-stack") as pool:
            futures = [pool.submit(part.start, report, cancellation) for part in wanted]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                if not all(future.done() for future in futures):
                    cancellation.cancel()
        errors = [error for future in futures if (error := future.exception())]
        if errors:
            raise min(errors, key=lambda error: isinstance(error, Cancelled))

    def fetch(self, parts: Sequence[str], on_progress: OnProgress = silent) -> None:
        """Make the programs of the named parts available, one after the other. Raises StackError."""
        for name in parts:
            part, began = self.part(name), time.monotonic()

            def tell(done: int, total: int, part: Part = part, began: float = began) -> None:
                on_progress(Progress(part.name, part.fetch_stage, time.monotonic() - began, done, total))

            part.fetch(tell, Cancellation())

    def down(self) -> list[str]:
        """Stop all parts, last one first. Returns the names of the running parts."""
        return [part.name for part in reversed(self.parts.values()) if part.stop()]

    def status(self) -> list[PartStatus]:
        return [part.status() for part in self.parts.values()]

    def reset(self) -> None:
        """Stop everything and delete data, logs and configuration; the jars stay."""
        for part in reversed(self.parts.values()):
            part.reset()
