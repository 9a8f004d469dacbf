"""docs/adding-a-channel.md, followed word for word in a copy of the code; a driver of another distribution."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import ClickException

from app.accounts import InvalidAccounts, parse_accounts
from channels import make_connector
from channels.manifest import CONNECTORS, driver_names, drivers
from channels.simulated import Simulation
from cli.new_channel import RECIPIENTS, scaffold

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-channel.md").read_text()
SECONDS = 120
COPIED = ("agents", "app", "channels", "chat4all", "cli", "devstack", "docs", "domain", "simulator", "storage")
COPIED_TOO = ("tables", "web", "tests/fakes", "tests/support", "pyproject.toml", "setup.cfg", "tests/conftest.py")


def blocks(language: str) -> list[str]:
    """Return the blocks of code of the page."""
    found = re.findall(rf"(?ms)^ *```{language}\n(.*?)^ *```", PAGE)
    return ["\n".join(line.strip() for line in block.splitlines()) for block in found]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in (*COPIED, *COPIED_TOO):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)  # compiled modules too: they spare each command seconds
        else:
            shutil.copy(source, target)
    (tmp_path / "tests" / "functional").mkdir()
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    kept = (path for path in found if not {"__pycache__", ".pytest_cache", ".hypothesis"} & set(path.parts))
    return {str(path.relative_to(folder)): path.read_text(errors="replace") for path in kept}


def run(commands: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_the_page_leads_to_a_channel_that_sends_and_costs_one_folder_and_one_line(copy: Path) -> None:
    before = contents(copy)
    begin, test, describe = blocks("sh")
    run(begin, copy)
    assert re.search(r"\b1[0-9] passed", run(test, copy)), "the kit, and a message of the queue"
    after = contents(copy)
    added = sorted(after.keys() - before.keys())
    assert added == [
        "channels/pigeon/__init__.py",
        "channels/pigeon/connector.py",
        "tests/functional/test_pigeon_connector.py",
    ]
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {str(RECIPIENTS)}
    name = str(RECIPIENTS)
    diff = [*difflib.unified_diff(before[name].splitlines(), after[name].splitlines(), n=0, lineterm="")][3:]
    assert diff == ['+    "pigeon": re.compile(r"@[a-z0-9_]{1,30}"),']
    run(describe, copy)
    assert '"pigeon"' in (copy / "docs" / "openapi.json").read_text()
    [account, _] = blocks("toml")
    (copy / "accounts.toml").write_text(account)
    assert "pigeon" in run("chat4all config", copy)
    run("ruff check --quiet channels/pigeon tests/functional && ruff format --check --quiet channels/pigeon", copy)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Pigeon", "cannot name"),
        ("p", "cannot name"),
        ("whatsapp", "already"),
        ("http", "already"),
        ("a" * 21, "cannot"),
    ],
)
def test_a_name_that_cannot_be_a_channels_changes_nothing(tmp_path: Path, name: str, sentence: str) -> None:
    shutil.copytree(ROOT / "channels", tmp_path / "channels", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / RECIPIENTS).parent.mkdir()
    shutil.copy(ROOT / RECIPIENTS, tmp_path / RECIPIENTS)
    before = contents(tmp_path)
    with pytest.raises(ClickException, match=sentence):
        scaffold(name, tmp_path)
    assert contents(tmp_path) == before


def test_elsewhere_than_in_the_repository_it_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ClickException, match="folder of the repository"):
        scaffold("pigeon", tmp_path)


COURIER = """
from channels.driver import Driver
from channels.provider.connector import ProviderConnector

def connect(account, secret):
    return ProviderConnector(account.channel, account.name, {"url": account.options["route"]})

DRIVER = Driver(NAME, connect, frozenset({"route"}), channels=frozenset({"telegram"}))
"""


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed distribution with the entry point of the page."""
    [_, text] = blocks("toml")
    points = tomllib.loads(text)["project"]["entry-points"][CONNECTORS]
    (tmp_path / "our_courier").mkdir()
    (tmp_path / "our_courier" / "__init__.py").write_text("")
    (tmp_path / "our_courier" / "connector.py").write_text(COURIER.replace("NAME", '"courier"'))
    (tmp_path / "our_courier-1.0.dist-info").mkdir()
    (tmp_path / "our_courier-1.0.dist-info" / "METADATA").write_text("Name: our-courier\nVersion: 1.0\n")
    lines = [f"[{CONNECTORS}]", *(f"{name} = {value}" for name, value in points.items())]
    (tmp_path / "our_courier-1.0.dist-info" / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    drivers.cache_clear()
    yield tmp_path
    drivers.cache_clear()
    for name in [name for name in sys.modules if name.startswith("our_courier")]:
        del sys.modules[name]


@pytest.mark.usefixtures("distribution")
def test_a_driver_of_another_distribution_is_used_by_its_name_on_its_channel() -> None:
    assert "courier" in driver_names("telegram")
    assert "courier" not in driver_names("whatsapp")
    content = b'[[telegram]]\ndriver = "courier"\nroute = "http://127.0.0.1:9"\n'
    [account] = parse_accounts(content, Path("accounts.toml"))["telegram"]
    assert make_connector(account, Simulation(), lambda name: "").channel == "telegram"
    with pytest.raises(InvalidAccounts, match="unknown driver"):
        parse_accounts(content.replace(b"telegram", b"whatsapp"), Path("accounts.toml"))


def test_a_driver_of_another_distribution_cannot_take_a_name_of_ours(distribution: Path) -> None:
    (distribution / "our_courier" / "connector.py").write_text(COURIER.replace("NAME", '"whatsapp"'))
    with pytest.raises(ValueError, match="has a driver's name: 'whatsapp'"):
        drivers()
