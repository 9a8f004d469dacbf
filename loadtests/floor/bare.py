"""The bare accept, alone or with the bare pipeline behind it, on a Kafka of the harness."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from app.kafka.topic_admin import ensure_topics
from app.settings import Settings
from cli.supervisor import ProcessSpec
from domain.recipients import CHANNELS
from loadtests.floor.pipeline import AT_WORK
from loadtests.groups import until
from loadtests.http_client import Client
from loadtests.processes import Process

START_SECONDS = 30.0
STOP_SECONDS = 10.0
ROLES = ("core", *CHANNELS)


class Bare:
    """Use as a context manager. ``has_pipeline``: a process of each role works behind the accept."""

    def __init__(self, settings: Settings, folder: Path, *, has_pipeline: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        topic = f"{settings.topic_prefix}messages"
        accept = (sys.executable, "-m", "loadtests.floor.accept", settings.kafka, topic, str(settings.port))
        self._accept = Process(ProcessSpec("api", accept), folder)
        self._roles = [_role(name, settings, folder) for name in ROLES] if has_pipeline else []

    @property
    def processes(self) -> Sequence[Process]:
        """All processes started here."""
        return [self._accept, *self._roles]

    async def __aenter__(self) -> Self:
        await ensure_topics(self.settings)
        try:
            for process in self.processes:
                process.start()
            await until("the bare processes are ready", START_SECONDS, self._is_ready)
        except BaseException:
            self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._end()

    async def _is_ready(self) -> bool:
        answer = await Client(self.settings.host, self.settings.port).ask("GET", "/health")
        return answer.status == 200 and all(AT_WORK in process.log_text() for process in self._roles)

    def _end(self) -> None:
        for process in self.processes:
            process.send(signal.SIGTERM)
        for process in self.processes:
            process.end(STOP_SECONDS)


def _role(name: str, settings: Settings, folder: Path) -> Process:
    command = (sys.executable, "-m", "loadtests.floor.pipeline", name, settings.kafka, settings.topic_prefix)
    return Process(ProcessSpec(name, command), folder)
