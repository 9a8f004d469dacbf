"""The messages that the provider really took, and the receipts it gave: the truth to compare the system with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

MOST_TAKEN = 1_000_000  # messages of one process; beyond it the provider takes no more
MOST_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it comes in a call."""

    channel: str
    account: str
    token: str
    conversation: str
    address: str
    text: str
    attempt: int
    media: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message to a person. ``number``: its place in the order of all taken messages, from 1."""

    number: int
    provider_id: str
    token: str
    channel: str
    account: str
    conversation: str
    address: str
    attempt: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Given:
    """A receipt that was reported."""

    number: int
    provider_id: str
    token: str
    account: str
    status: str
    at_ms: int


class Books:
    """``answers`` counts the answers by kind and account; ``open_calls``: tokens of calls without an end yet."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.given: list[Given] = []
        self.answers: Counter[tuple[str, str]] = Counter()
        self.strangers = 0
        self.open_calls: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._by_token: dict[tuple[str, str], list[Taken]] = {}

    @property
    def is_full(self) -> bool:
        return len(self.taken) >= MOST_TAKEN or len(self._calls) >= 2 * MOST_TAKEN

    def next_call(self, token: str) -> int:
        """Return the number of this call for ``token``, from 1."""
        self._calls[token] += 1
        return self._calls[token]

    def take(self, message: Message, at_ms: int) -> Taken:
        """Enter a message to a person; a repeated token is one more."""
        number = len(self.taken) + 1
        taken = Taken(
            number,
            f"prov.{number}.{message.token.partition(' ')[0]}",
            message.token,
            message.channel,
            message.account,
            message.conversation,
            message.address,
            message.attempt,
            at_ms,
        )
        self.taken.append(taken)
        self._by_token.setdefault((message.account, message.token), []).append(taken)
        return taken

    def of_token(self, account: str, token: str) -> list[Taken]:
        """Return the messages of ``token``, the first one first."""
        return self._by_token.get((account, token), [])

    def give(self, taken: Taken, status: str, at_ms: int) -> None:
        """Enter a reported receipt."""
        self.given.append(Given(len(self.given) + 1, taken.provider_id, taken.token, taken.account, status, at_ms))
