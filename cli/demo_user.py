"""An account for trying things out, whose password is made up here and kept in a file that only this user reads.

{"username": "demo_3f9a1c", "password": "…"}
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cli.client import Client, Refused

FILE = Path(".chat4all/demo-user.json")


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A name and a password."""

    username: str
    password: str = field(repr=False)


async def log_in(client: Client, file: Path = FILE) -> DemoUser:
    """Log ``client`` in as the user of ``file``; make the file, or the account, if it is not there.

    Raises ``Refused``, ``Unreachable``.
    """
    user = read_or_make(file)
    try:
        await client.login(user.username, user.password)
        return user
    except Refused as error:
        if error.status != 401:
            raise
    try:
        await client.register(user.username, user.password)
    except Refused as error:
        if error.status != 409:
            raise
        user = another(file)  # somebody has that name, with another password
        await client.register(user.username, user.password)
    await client.login(user.username, user.password)
    return user


def another(file: Path) -> DemoUser:
    """Forget the user of ``file`` and make a new one."""
    file.unlink(missing_ok=True)
    return read_or_make(file)


def read_or_make(file: Path) -> DemoUser:
    """Return the user of ``file``, which is made if it is not there; of several who make it at once, one wins."""
    with suppress(FileNotFoundError):
        return _read(file)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as writer:
        json.dump(asdict(DemoUser(f"demo_{secrets.token_hex(3)}", secrets.token_urlsafe(18))), writer)
    with suppress(FileExistsError):
        os.link(draft, file)
    draft.unlink()
    return _read(file)


def _read(file: Path) -> DemoUser:
    return DemoUser(**json.loads(file.read_text()))
