"""Measures what a key for each person would cost: the words of a message sealed in the record, and opened again.

    python -m loadtests.erasure                  # 20,000 messages of 200 characters, 5,000 people

Nothing in the product uses this yet; docs/adr/0122 decides on it.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from time import process_time

from cachetools import LRUCache
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.kafka.codec import decode, encode
from domain.records import MessageAccepted
from loadtests.command_line import parser_of

KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
ROUNDS = 5
REMEMBERED = 50_000


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.erasure", __doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--characters", type=int, default=200)
    return parser.parse_args(arguments)


class Keys:
    """The keys of people, in memory here; wrapped by a master key, as a table would have them."""

    def __init__(self, people: int) -> None:
        self._master = AESGCM(os.urandom(KEY_BYTES))
        self._wrapped = [self._wrap(os.urandom(KEY_BYTES)) for _ in range(people)]
        self._open: LRUCache[int, AESGCM] = LRUCache(REMEMBERED)

    def _wrap(self, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._master.encrypt(nonce, key, None)

    def of(self, person: int) -> AESGCM:
        """Return the person's key, unwrapped once."""
        key = self._open.get(person)
        if key is None:
            wrapped = self._wrapped[person]
            key = AESGCM(self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], None))
            self._open[person] = key
        return key

    def forget(self) -> None:
        """Empty the cache."""
        self._open.clear()


def sealed(key: AESGCM, text: str, bound_to: str) -> str:
    """Return the text as base64, unreadable without the key, and for no other message than ``bound_to``."""
    nonce = os.urandom(NONCE_BYTES)
    return base64.b64encode(nonce + key.encrypt(nonce, text.encode(), bound_to.encode())).decode()


def opened(key: AESGCM, text: str, bound_to: str) -> str:
    """Return the plain bytes given to ``sealed``. Raises ``InvalidTag`` for another key or message."""
    raw = base64.b64decode(text)
    return key.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound_to.encode()).decode()


def microseconds(work: Callable[[], object], count: int) -> float:
    """Return the median processor time of one of ``count`` items, over some rounds."""
    found = []
    for _ in range(ROUNDS):
        began = process_time()
        work()
        found.append((process_time() - began) / count * 1e6)
    return median(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    content = ("Olá, the order is on its way. " * 100)[: wanted.characters]
    keys = Keys(wanted.people)
    plain = [
        MessageAccepted(
            f"0198{n:028x}", f"conversation-{n % 1_000}", f"user-{n % wanted.people}", "whatsapp:+5511", content
        )
        for n in range(wanted.messages)
    ]
    people = [n % wanted.people for n in range(wanted.messages)]
    shut = [replace(m, content=sealed(keys.of(p), m.content, m.message_id)) for m, p in zip(plain, people, strict=True)]
    records, shut_records = [encode(m) for m in plain], [encode(m) for m in shut]
    for message, person, before in zip(shut[:100], people, plain, strict=False):
        assert opened(keys.of(person), message.content, message.message_id) == before.content

    def seal_all() -> None:
        for message, person in zip(plain, people, strict=True):
            sealed(keys.of(person), message.content, message.message_id)

    def open_all() -> None:
        for message, person in zip(shut, people, strict=True):
            opened(keys.of(person), message.content, message.message_id)

    def unwrap_all() -> None:
        keys.forget()
        for person in range(wanted.people):
            keys.of(person)

    count = wanted.messages
    size, shut_size = sum(map(len, records)) / count, sum(map(len, shut_records)) / count
    print(f"{count} messages of {wanted.characters} characters, {wanted.people} people")
    print(f"encode a record: {microseconds(lambda: [encode(m) for m in plain], count):.1f} µs")
    print(f"decode a record: {microseconds(lambda: [decode(r, MessageAccepted) for r in records], count):.1f} µs")
    print(f"seal the words:  {microseconds(seal_all, count):.1f} µs more at acceptance")
    print(f"open the words:  {microseconds(open_all, count):.1f} µs more at each reader that needs them")
    print(f"unwrap a key:    {microseconds(unwrap_all, wanted.people):.1f} µs, once for a person and process")
    print(f"record: {size:.0f} → {shut_size:.0f} bytes ({shut_size / size - 1:+.0%})")
    print(f"a wrapped key: {KEY_BYTES + NONCE_BYTES + TAG_BYTES} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
