"""The signing secret's file, the password rules and the hashing queue."""

from __future__ import annotations

import asyncio
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from app.secret_file import UnusableSecret, checked, secret_of
from web.accounts.password_rules import weakness_of
from web.accounts.passwords import Passwords, TooManyLogins


def test_processes_that_start_together_agree_on_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "new" / "jwt-secret"
    with ThreadPoolExecutor(16) as threads:
        secrets = set(threads.map(lambda _: secret_of("", path), range(64)))
    assert len(secrets) == 1
    assert len(secrets.pop()) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["jwt-secret"]


def test_a_configured_secret_needs_no_file(tmp_path: Path) -> None:
    assert secret_of("configured", tmp_path / "jwt-secret") == "configured"
    assert list(tmp_path.iterdir()) == []


def test_a_short_secret_is_told_of_and_a_key_file_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    assert checked("short", "CHAT4ALL_JWT_PREVIOUS_SECRET") == "short"
    assert "CHAT4ALL_JWT_PREVIOUS_SECRET is short" in caplog.text
    caplog.clear()
    assert checked("", "X") == ""
    assert checked("s" * 32, "X") == "s" * 32
    assert caplog.text == ""
    for key in ("-----BEGIN PUBLIC KEY-----\nMIIB", "ssh-ed25519 AAAA", "\n-----BEGIN RSA PRIVATE KEY-----"):
        with pytest.raises(UnusableSecret, match="not a key file"):
            checked(key, "X")


def test_an_empty_secret_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jwt-secret"
    path.write_text("\n")
    with pytest.raises(UnusableSecret):
        secret_of("", path)


@pytest.mark.parametrize(
    ("password", "username", "good"),
    [
        ("1234567", "maria", False),
        ("qjzxwvkp", "maria", True),
        ("12345678", "maria", False),
        ("QWERTY123", "maria", False),
        ("mariamaria", "maria", False),
        ("maria123", "maria", False),
        ("bananas and milk", "ana", True),
        ("\U0001f600" * 8, "maria", True),
        ("x" * 1025, "maria", False),
        ("anything at all", "", True),
    ],
)
def test_a_password_is_weak_if_it_is_short_common_or_the_name(password: str, username: str, good: bool) -> None:
    assert (weakness_of(password, username) is None) is good


async def test_hashes_wait_in_a_bounded_queue() -> None:
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords = Passwords(hasher, at_once=1, max_waiting=2)
    results = await asyncio.gather(*(passwords.hash("x") for _ in range(9)), return_exceptions=True)
    assert sum(isinstance(result, TooManyLogins) for result in results) == 6
    assert passwords.waiting == 0
    assert await passwords.verify(await passwords.hash("x"), "x")
    assert not await passwords.verify(None, "x")
    assert not await passwords.verify("$argon2id$broken", "x")
    passwords.close()
