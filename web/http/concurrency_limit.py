"""A limit on concurrent requests of one kind, for the process and for each user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import Unavailable

_RETRY_SECONDS = 5


class ConcurrencyLimit:
    """``under_way``: requests with a slot. ``refused``: how many got none. ``what``: "uploads", for the text of a
    refusal.
    """

    def __init__(self, what: str, most: int, most_per_user: int = 0) -> None:
        self.under_way = 0
        self.refused = 0
        self._what = what
        self._most = most
        self._most_per_user = most_per_user or most
        self._of_user: Counter[str] = Counter()

    @contextmanager
    def acquire(self, user_id: str = "") -> Iterator[None]:
        """Take a slot, or raise ``Unavailable``. Call it before reading the body."""
        if self._of_user[user_id] >= self._most_per_user:
            self._refuse(f"you have {self._most_per_user} {self._what} in progress; retry later")
        if self.under_way >= self._most:
            self._refuse(f"too many {self._what} are in progress; retry later")
        self.under_way += 1
        self._of_user[user_id] += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._of_user[user_id] -= 1
            if not self._of_user[user_id]:
                del self._of_user[user_id]

    def _refuse(self, detail: str) -> None:
        self.refused += 1
        raise Unavailable(detail, _RETRY_SECONDS)
