"""The client as its wheel installs it: alone, beside a user's folders that have the names of the server's."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from .conftest import Api

ROOT = Path(__file__).parents[2]
SERVER_FOLDERS = ("agents", "app", "channels", "cli", "devstack", "domain", "storage", "tables", "web")
MOST_DISTRIBUTIONS = 20  # 16 with Python 3.11: aiohttp and what it requires are 10, click 1, rich 4
MOST_BYTES = 25 << 20
SCRIPT = """
import asyncio, sys
from chat4all import Client, Status

async def main(url: str) -> None:
    async with Client(url) as client:
        await client.register("ana", "correct horse battery")
        await client.login("ana", "correct horse battery")
        accepted = await client.send("whatsapp:+5511999999999", "hello")
        async for change in client.follow(accepted.message_id, until=Status.ACCEPTED):
            print(change.status, accepted.message_id)

asyncio.run(main(sys.argv[1]))
"""
SNIPPET = """
from chat4all import Client, Status

async def right(client: Client) -> Status:
    accepted = await client.send("whatsapp:+5511999999999", "hello")
    async for change in client.follow(accepted.message_id):
        return change.status
    return Status.ACCEPTED

async def wrong(client: Client) -> int:
    return await client.send(None, 7)
"""


class Installed:
    """An environment with the client and what it requires, and a folder of a user's own."""

    def __init__(self, python: Path, packages: Path, folder: Path) -> None:
        self.python = python
        self.packages = packages
        self.folder = folder

    async def run(self, *arguments: str) -> tuple[int | None, str, str]:
        """Run Python in the user's folder; return the exit code, stdout and stderr."""
        pipe = subprocess.PIPE
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        process = await asyncio.create_subprocess_exec(
            self.python, *arguments, cwd=self.folder, env=environ, stdout=pipe, stderr=pipe
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, out.decode(), err.decode()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as pip builds it from a checkout, but without the network."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    for name in ("chat4all", *SERVER_FOLDERS):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, "dist"], cwd=checkout, check=True, capture_output=True)
    [made] = (checkout / "dist").iterdir()
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("user")
    venv.create(folder / "env", with_pip=False, symlinks=True)
    [packages] = (folder / "env" / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    [own] = packages.glob("chat4all-*.dist-info")
    for name in required(metadata.PathDistribution(own)):
        link(name, packages)
    project = folder / "project"
    for name in SERVER_FOLDERS:
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text(f"raise SystemExit('the user\\'s own {name} was imported')\n")
    (project / "script.py").write_text(SCRIPT)
    (project / "snippet.py").write_text(SNIPPET)
    return Installed(folder / "env" / "bin" / "python", packages, project)


def required(distribution: metadata.Distribution) -> set[str]:
    """Return the names of the distributions that it requires without any extra, directly or not."""
    found: set[str] = set()
    waiting = [distribution]
    while waiting:
        for text in waiting.pop().requires or ():
            requirement = Requirement(text)
            is_needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            name = canonicalize_name(requirement.name)
            if is_needed and name not in found:
                found.add(name)
                waiting.append(metadata.distribution(name))
    return found


def link(name: str, packages: Path) -> None:
    """Put a distribution of this environment into ``packages``."""
    distribution = metadata.distribution(name)
    for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
        (packages / top).symlink_to(Path(str(distribution.locate_file(top))))


def test_the_wheel_has_one_importable_name_and_its_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"chat4all"}
    assert "chat4all/py.typed" in names


def test_what_is_installed_is_small(installed: Installed) -> None:
    distributions = list(installed.packages.glob("*.dist-info"))
    assert len(distributions) <= MOST_DISTRIBUTIONS
    files = [Path(at, name) for at, _, names in os.walk(installed.packages, followlinks=True) for name in names]
    assert sum(file.stat().st_size for file in files if file.suffix != ".pyc") <= MOST_BYTES


async def test_a_script_sends_a_message_beside_folders_with_the_servers_names(api: Api, installed: Installed) -> None:
    code, out, err = await installed.run("script.py", f"http://127.0.0.1:{api.port}")
    assert (code, err) == (0, "")
    assert out.startswith("ACCEPTED ")


async def test_the_command_has_the_commands_of_the_api_and_explains_those_of_the_server(installed: Installed) -> None:
    code, out, err = await installed.run("-P", "-m", "chat4all", "--help")
    assert (code, err) == (0, "")
    commands = out.partition("Commands:")[2].split()
    assert "send" in commands
    assert {"api", "run", "worker", "migrate", "stack"}.isdisjoint(commands)
    code, _, err = await installed.run("-P", "-m", "chat4all", "run")
    assert code == 2
    assert "a command of the server, which runs from a checkout" in err


async def test_a_system_without_posix_modules_can_import_everything(installed: Installed) -> None:
    code = (
        "import sys, pkgutil, importlib\n"
        "for name in ('fcntl', 'termios', 'tty', 'pty', 'pwd', 'grp', 'resource'): sys.modules[name] = None\n"
        "import os; [delattr(os, name) for name in ('pread', 'pwrite', 'getuid', 'O_NOFOLLOW', 'O_NONBLOCK')]\n"
        "import chat4all\n"
        "for module in pkgutil.walk_packages(chat4all.__path__, 'chat4all.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "print(chat4all.Client.__name__)"
    )
    assert await installed.run("-c", code) == (0, "Client\n", "")


async def test_mypy_sees_the_types(installed: Installed, tmp_path: Path) -> None:
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(installed.python)]
    found = await asyncio.to_thread(
        subprocess.run,
        [*mypy, "--cache-dir", str(tmp_path), "snippet.py"],
        cwd=installed.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in found.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 2, found.stdout
    assert 'Argument 2 to "send" of "MessageCalls" has incompatible type "int"; expected "str"' in errors[1]
    assert 'got "Accepted", expected "int"' in errors[0]
