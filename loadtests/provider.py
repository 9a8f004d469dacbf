"""The simulated provider as a process of a load test, the truth that it counts, and a file of accounts for it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.settings import Settings
from cli.supervisor import ProcessSpec
from loadtests.groups import until
from loadtests.http_client import Client
from loadtests.processes import Process

LOOPBACK = "127.0.0.1"
READY_SECONDS = 30.0
_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Taken:
    """One message to a person, as the provider counted it. ``number``: its place in the order of all."""

    number: int
    token: str
    account: str
    conversation: str
    address: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Given:
    """One receipt that the provider reported."""

    token: str
    status: str


class ProviderProcess:
    """`chat4all provider` on a port of its own. ``faults``: changes to the preset, as JSON values."""

    def __init__(self, settings: Settings, folder: Path, port: int, preset: str = "friendly", seed: int = 1) -> None:
        options = ("--port", str(port), "--preset", preset, "--seed", str(seed))
        command = (sys.executable, "-m", "chat4all", "provider", *options)
        self.url = f"http://{LOOPBACK}:{port}"
        self.process = Process(ProcessSpec("provider", command, settings.to_environ()), folder)
        self._client = Client(LOOPBACK, port)

    async def start(self) -> None:
        """Start it; return when it answers. Kafka must have the topics. Raises ``NotInTime``."""
        self.process.start()

        async def answers() -> bool:
            return (await self._client.ask("GET", "/counts")).status == 200

        await until("the provider answers", READY_SECONDS, answers)

    def end(self) -> None:
        """Kill it."""
        self.process.kill()

    async def change(self, faults: Mapping[str, Any]) -> None:
        """Change some of its faults. Raises ``RuntimeError`` with its answer if it refuses."""
        answer = await self._client.ask("POST", "/faults", dict(faults))
        if answer.status != 200:
            raise RuntimeError(f"the provider refuses {faults}: {answer.status} {answer.body!r:.300}")

    async def counts(self) -> dict[str, Any]:
        """Return its counts. Raises ``RuntimeError`` without an answer."""
        return await self._asked("/counts")

    async def is_quiet(self) -> bool:
        """Return whether no call is open and no receipt waits."""
        counts = await self.counts()
        return not counts["receipts_waiting"] and not counts["open_calls"]

    async def taken(self, most: int | None = None) -> list[Taken]:
        """Return the messages that it took, in their order; at least the first ``most``."""
        names = Taken.__slots__
        return [Taken(**{name: row[name] for name in names}) for row in await self._rows("taken", most)]

    async def given(self) -> list[Given]:
        """Return all receipts that it reported."""
        return [Given(row["token"], row["status"]) for row in await self._rows("receipts")]

    async def _rows(self, name: str, most: int | None = None) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None and (most is None or len(rows) < most):
            page = await self._asked(f"/{name}?after={after}&limit={_PAGE}")
            rows += page[name]
            after = page["next"]
        return rows

    async def _asked(self, path: str) -> dict[str, Any]:
        answer = await self._client.ask("GET", path)
        if answer.status != 200:
            raise RuntimeError(f"the provider: {path}: {answer.status} {answer.body!r:.300}")
        document: dict[str, Any] = answer.json()
        return document


def write_accounts(file: Path, url: str, channels: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write an accounts.toml with accounts of the driver "provider" at ``url``.

    ``channels``: channel → the keys of each of its accounts, ``name`` among them.
    """
    lines: list[str] = []
    for channel, accounts in channels.items():
        for account in accounts:
            lines += ["", f"[[{channel}]]", 'driver = "provider"', f'url = "{url}"']
            lines += [f"{key} = {_toml(value)}" for key, value in account.items()]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else str(value)
