"""A driver: how accounts of ``accounts.toml`` get their connector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from domain.accounts import Account
from domain.ports import Connector

Secret = Callable[[str], str]
"""``secret("token")`` returns the secret that the account names by ``token_env`` or ``token_file``.

It raises ``ValueError`` with a sentence if there is none.
"""

# what an account of any driver may say: who gets new inbound conversations (usernames, separated by commas), the words
# by which a person opts out, and the template sent outside the reply window (name:language)
ACCOUNT_OPTIONS = frozenset({"inbox", "stop_words", "fallback_template"})


@dataclass(frozen=True, slots=True)
class Driver:
    """``connect`` makes the connector of an account; it raises ``ValueError`` for an unusable option or secret.

    ``options``: those that accounts may have besides ``ACCOUNT_OPTIONS``. ``secrets``: the names of its secrets.
    ``channels``: where it works; empty: everywhere.
    """

    name: str
    connect: Callable[[Account, Secret], Connector]
    options: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()

    def works_on(self, channel: str) -> bool:
        """Return whether accounts of ``channel`` may name it."""
        return not self.channels or channel in self.channels
