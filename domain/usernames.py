"""Usernames, and ``user:<username>``, the name of a user with an unknown id."""

from __future__ import annotations

import re

from domain.errors import InvalidRecipient

PREFIX = "user:"
PATTERN = r"[A-Za-z0-9_]{3,50}"
_USERNAME = re.compile(PATTERN, re.ASCII)


def folded(username: str) -> str:
    """Return the form in which usernames are compared, at login and everywhere else: without regard to case."""
    return username.lower()


def names_user(text: str) -> bool:
    """Return whether ``text`` is ``user:`` and something, rather than an id or an address."""
    return text[: len(PREFIX)].lower() == PREFIX


def parse_user(text: str, field: str = "recipient_id") -> str:
    """Return ``user:<username>`` with the username folded. Whether the user exists is not checked.

    Raises ``InvalidRecipient`` for an invalid username.
    """
    username = text[len(PREFIX) :].strip()
    if not names_user(text) or not _USERNAME.fullmatch(username):
        raise InvalidRecipient("after user: comes a username: 3 to 50 letters, digits and underscores", field)
    return PREFIX + folded(username)


def username_of(named: str) -> str:
    """Return the username in a result of ``parse_user``."""
    return named[len(PREFIX) :]
