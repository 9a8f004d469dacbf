"""The commands on a real terminal: what is echoed, and what is coloured."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from support.api import Api
from support.transfers import LONG, some_bytes

PASSWORD = "correct horse battery"
SECONDS = 30.0
Type = Callable[..., Coroutine[Any, Any, tuple[int, str]]]


@pytest.fixture
def type_(api: Api, tmp_path: Path) -> Type:
    """Run a command on a terminal of its own; each answer is typed after a prompt. Return the code and the screen."""

    async def type_(*arguments: str, answers: tuple[str, ...] = (), **environ: str) -> tuple[int, str]:
        master, slave = pty.openpty()
        usual = {"CHAT4ALL_URL": f"http://127.0.0.1:{api.port}", "XDG_CONFIG_HOME": str(tmp_path), "NO_COLOR": ""}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "chat4all",
            *arguments,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, **usual, **environ},
            start_new_session=True,
        )
        os.close(slave)
        left, screen = list(answers), ""
        try:
            while chunk := await asyncio.wait_for(asyncio.to_thread(_read, master), SECONDS):
                screen += chunk
                if left and screen.endswith(": "):
                    os.write(master, f"{left.pop(0)}\n".encode())
            return await asyncio.wait_for(process.wait(), SECONDS), screen
        finally:
            os.close(master)

    return type_


def _read(master: int) -> str:
    try:
        return os.read(master, 65_536).decode()
    except OSError:  # the other end is closed
        return ""


async def test_a_password_is_asked_for_without_showing_it(type_: Type) -> None:
    code, screen = await type_("register", "ana", answers=(PASSWORD, PASSWORD))
    assert code == 0, screen
    assert "Repeat for confirmation" in screen
    assert PASSWORD not in screen
    code, screen = await type_("login", "ana", answers=(PASSWORD,))
    assert code == 0, screen
    assert PASSWORD not in screen


async def test_colours_are_for_terminals_that_want_them(type_: Type) -> None:
    await type_("register", "ana", answers=(PASSWORD, PASSWORD))
    begin = ("conversations", "create", "telegram:@ana_1")
    assert "\x1b[1m" in (await type_(*begin))[1]
    assert "\x1b" not in (await type_(*begin, NO_COLOR="1"))[1]
    assert "\x1b" not in (await type_(*begin, "--json"))[1]


async def test_a_transfer_is_shown_on_a_terminal_and_gone_when_it_is_done(type_: Type, tmp_path: Path) -> None:
    (tmp_path / "film.bin").write_bytes(some_bytes(LONG))
    await type_("register", "ana", answers=(PASSWORD, PASSWORD))
    code, screen = await type_("upload", str(tmp_path / "film.bin"), "--conversation", "c-1")
    assert code == 0, screen
    assert "checking film.bin" in screen
    assert "uploading film.bin" in screen
    assert "MiB" in screen
    file_id = screen.rpartition("chat4all download ")[2].strip()
    code, screen = await type_("download", file_id, "-o", str(tmp_path / "copy"))
    assert code == 0, screen
    assert "downloading copy" in screen
    assert screen.splitlines()[-1].endswith("checksum verified")
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "film.bin").read_bytes()


async def test_a_program_sees_nothing_of_it(type_: Type, tmp_path: Path) -> None:
    (tmp_path / "[red]film.bin").write_bytes(b"hello")
    await type_("register", "ana", answers=(PASSWORD, PASSWORD))
    upload = ("upload", str(tmp_path / "[red]film.bin"), "--conversation", "c-1")
    code, screen = await type_(*upload, "--json")
    assert code == 0, screen
    assert json.loads(screen)["filename"] == "[red]film.bin"
    code, screen = await type_(*upload, NO_COLOR="1")
    assert code == 0, screen
    assert "\x1b[3" not in screen  # the bar is without colours
