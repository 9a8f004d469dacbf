"""The counted truth: messages taken by the providers, and messages written by people. All of it is bounded."""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import TypeVar

from simulator.accounts import BusinessAccount
from simulator.messages import Message, Taken, Written

MOST_KEPT = 200_000  # of each kind; the oldest are forgotten
MOST_TOKENS = 400_000
MOST_PAGE = 5_000

Row = TypeVar("Row", Taken, Written)
Key = tuple[str, str]  # channel and account


class Counted:
    """A counter of at most ``MOST_TOKENS`` keys; the ones that were not used for longest go."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[Key, str], int] = OrderedDict()

    def next(self, key: Key, token: str) -> int:
        """Count once more; return how often it was counted."""
        number = self._counts.pop((key, token), 0) + 1
        self._counts[key, token] = number
        if len(self._counts) > MOST_TOKENS:
            self._counts.popitem(last=False)
        return number


class Books:
    """Taken and written messages, by number and by provider id."""

    def __init__(self) -> None:
        self.taken: OrderedDict[int, Taken] = OrderedDict()
        self.written: OrderedDict[int, Written] = OrderedDict()
        self.calls = Counted()
        self.answers: Counter[tuple[Key, str]] = Counter()
        # since the start, for each account: messages, those that are a second copy of their token, what people wrote
        self.by_account: dict[str, Counter[Key]] = {"taken": Counter(), "copies": Counter(), "written": Counter()}
        self._taken_number = 0
        self._written_number = 0
        self._copies = Counted()
        self._by_id: dict[tuple[Key, str], Taken] = {}
        self._writers: dict[tuple[Key, str], str] = {}
        self.life = secrets.token_hex(6)  # of this process: ids are unique over restarts

    def take(self, account: BusinessAccount, person_id: str, provider_id: str, message: Message, at_ms: int) -> Taken:
        """Enter a message that a provider took; a repeated token is one more copy."""
        self._taken_number += 1
        copy = self._copies.next(account.key, message.token) if message.token else 1
        taken = Taken(self._taken_number, provider_id, account.key, person_id, message, at_ms, copy)
        self.by_account["taken"][account.key] += 1
        self.by_account["copies"][account.key] += copy > 1
        self.taken[taken.number] = taken
        self._by_id[account.key, provider_id] = taken
        if len(self.taken) > MOST_KEPT:
            _, oldest = self.taken.popitem(last=False)
            self._by_id.pop((oldest.account, oldest.provider_id), None)
        return taken

    def write(self, account: Key, person_id: str, provider_id: str, kind: str, text: str, at_ms: int) -> Written:
        """Enter a person's message."""
        self._written_number += 1
        written = Written(self._written_number, provider_id, account, person_id, kind, text, at_ms)
        self.by_account["written"][account] += 1
        self.written[written.number] = written
        self._writers[account, provider_id] = person_id
        if len(self.written) > MOST_KEPT:
            _, oldest = self.written.popitem(last=False)
            self._writers.pop((oldest.account, oldest.provider_id), None)
        return written

    def writer(self, account: Key, provider_id: str) -> str | None:
        """Return the author of the message with this provider id."""
        return self._writers.get((account, provider_id))

    def found(self, account: Key, provider_id: str) -> Taken | None:
        """Return the taken message of this provider id."""
        return self._by_id.get((account, provider_id))

    def of_account(self, account: Key) -> Iterator[Taken]:
        """Return the account's messages, the oldest first."""
        return (taken for taken in self.taken.values() if taken.account == account)

    @property
    def totals(self) -> tuple[int, int]:
        """How many messages were taken, and how many were written, since the start."""
        return self._taken_number, self._written_number


def page(rows: OrderedDict[int, Row], after: int, limit: int) -> tuple[list[Row], int | None]:
    """Return the rows numbered above ``after``, at most ``limit``, and where the next page begins."""
    if not rows:
        return [], None
    last = next(reversed(rows))
    first = max(after, next(iter(rows)) - 1)
    found = [rows[number] for number in range(first + 1, min(first + limit, last) + 1)]
    following = found[-1].number if found and found[-1].number < last else None
    return found, following
