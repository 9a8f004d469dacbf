"""For how many recipients a message's status word is true."""

from __future__ import annotations

from typing import Any


def shares(document: dict[str, Any]) -> str:
    """Return ``(1 of 256, 255 failed)`` for a message or a frame whose word is READ; nothing if it is so for all.

    ``document`` is what the API tells: ``counts`` is there if there are several recipients.
    """
    counts = document.get("counts")
    if not isinstance(counts, dict):
        return ""
    word, total = document["status"], sum(counts.values())
    if counts.get(word) == total:
        return ""
    others = [f"{count} {other.lower()}" for other, count in counts.items() if count and other != word]
    return f"({', '.join([f'{counts.get(word, 0)} of {total}', *others])})"
