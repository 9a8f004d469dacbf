"""The state of the run in Locust's process: accounts, ledger, notes, samples, sockets. One for the process."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from loadtests.locust.api import Account, ask
from loadtests.locust.book import Book
from loadtests.locust.options import Options
from loadtests.locust.recorder import Recorder
from loadtests.locust.results import commit
from loadtests.locust.samples import Samples
from loadtests.locust.shapes import Shape
from loadtests.meter import Machine

MOST_ACCOUNTS = 40
SCRAPE_SECONDS = 2.0


@dataclass(slots=True)
class RunState:
    """Made by ``locustfile.py``. Users share ``accounts``, as one person has several devices."""

    options: Options
    shape: Shape
    recorder: Recorder
    machine: str = field(default_factory=lambda: str(Machine.here()))
    commit: str = field(default_factory=commit)
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    book: Book = field(default_factory=Book)
    samples: Samples = field(default_factory=Samples)
    accounts: list[Account] = field(default_factory=list)
    owners: dict[str, Account] = field(default_factory=dict)
    at_end: list[Callable[[], None]] = field(default_factory=list)
    limit_broken: str = ""
    has_begun: bool = False
    is_over: bool = False
    under_way: int = 0  # turns
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def of(cls, options: Options) -> RunState:
        return cls(options, options.plan, Recorder(time.monotonic()))

    def number(self) -> int:
        """Return a number that nothing else of the run has."""
        return next(self._numbers)

    def account(self) -> Account:
        """Return one of the accounts, in turn."""
        return self.accounts[self.number() % len(self.accounts)]

    def conversation(self, owner: Account) -> str:
        """Return the id of a new conversation that ``owner`` reads at the end."""
        conversation_id = f"load-{self.name}-{self.number()}"
        self.owners[conversation_id] = owner
        return conversation_id

    def scrape(self) -> None:
        """Take one sample of every process that shows its metrics."""
        texts = {}
        for name, url in self.options.targets.items():
            status, body = ask("GET", url, seconds=SCRAPE_SECONDS)
            if status == 200:
                texts[name] = body.decode(errors="replace")
        self.samples.take(time.monotonic() - self.recorder.began, texts)


RUN = RunState.of(Options.from_environ())
