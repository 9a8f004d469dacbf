"""The default signing secret: made once, kept in a file readable by this account only."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

log = logging.getLogger(__name__)

DEFAULT_PATH = Path(".chat4all/jwt-secret")
_MIN_CHARS = 32  # RFC 7518, section 3.2: an HS256 key has at least the 256 bits of the hash


class UnusableSecret(ValueError):
    """The setting or the file holds no usable secret. Delete the file to have one made."""


def secret_of(configured: str, path: Path = DEFAULT_PATH) -> str:
    """Return ``configured``, or the secret at ``path``; create the file if it is missing.

    Several processes may start together: one creates it, all get the same. Raises ``UnusableSecret``.
    """
    if configured:
        return checked(configured, "CHAT4ALL_JWT_SECRET")
    if not path.exists():
        _make(path)
    secret = path.read_text().strip()
    if len(secret) < _MIN_CHARS:
        raise UnusableSecret(f"{path} holds no usable secret; delete it and start again")
    return secret


def checked(secret: str, setting: str) -> str:
    """Return ``secret``. Warns of a short one. Refuses a public key, with which anybody could sign."""
    if secret.lstrip().startswith(("-----BEGIN", "ssh-")):
        raise UnusableSecret(f"{setting} must be a random text, not a key file")
    if secret and len(secret.encode()) < _MIN_CHARS:
        log.warning("%s is short: HS256 wants at least %d bytes", setting, _MIN_CHARS)
    return secret


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        # a link, unlike a rename, fails if another process was first, and never exposes half a file
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
