"""Keeps secrets out of everything that a person or a log may see."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

import orjson

HIDDEN = "[hidden]"
LEAST_SECRET = 4  # characters: a shorter text is in every other sentence
BEGINNING = 12  # characters of a longer secret by which a cut one is known
# what a provider or a library quotes of a request: bearer tokens, and the values of parameters that hold a secret
_SHAPES = re.compile(
    r"(?i)(?<=bearer )[a-z0-9._~+/=|-]{4,}"
    r"|(?<=access_token=)[^&\s\"']+|(?<=appsecret_proof=)[^&\s\"']+|(?<=client_secret=)[^&\s\"']+"
    r"|(?<=/bot)[0-9]+(?::|%3A)[a-z0-9_-]{8,}"
)


class Redaction:
    """Replaces ``secrets``, in all their forms in URLs and JSON, and texts in the shape of a token.

    A secret cut off at the end of a text is hidden by its beginning.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) >= LEAST_SECRET:
                forms |= {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
                forms |= {orjson.dumps(secret).decode()[1:-1], repr(secret)[1:-1]}
        longest_first = sorted(forms, key=len, reverse=True)
        cut = {re.escape(form[:BEGINNING]) + r"[\w.:%~+|-]*" for form in forms if len(form) > BEGINNING}
        self._secrets = re.compile("|".join([*map(re.escape, longest_first), *sorted(cut)])) if forms else None

    def __call__(self, text: str) -> str:
        """Return ``text`` with ``HIDDEN`` in place of each secret."""
        if self._secrets is not None:
            text = self._secrets.sub(HIDDEN, text)
        return _SHAPES.sub(HIDDEN, text)
