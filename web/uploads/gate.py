"""How many uploads a process takes at once, and from one user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import Unavailable

_RETRY_SECONDS = 5


class UploadGate:
    """Counts uploads. ``under_way`` of them are inside, ``refused`` were turned away."""

    def __init__(self, most: int, most_per_user: int) -> None:
        self.under_way = 0
        self.refused = 0
        self._most = most
        self._most_per_user = most_per_user
        self._of_user: Counter[str] = Counter()

    @contextmanager
    def entered(self, user_id: str) -> Iterator[None]:
        """Be inside. Raises ``Unavailable`` if there is no room: nothing of the body was read by then."""
        if self._of_user[user_id] >= self._most_per_user:
            self.refused += 1
            raise Unavailable(f"you have {self._most_per_user} uploads under way here; try again later", _RETRY_SECONDS)
        if self.under_way >= self._most:
            self.refused += 1
            raise Unavailable("too many uploads are under way here; try again later", _RETRY_SECONDS)
        self.under_way += 1
        self._of_user[user_id] += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._of_user[user_id] -= 1
            if not self._of_user[user_id]:
                del self._of_user[user_id]
