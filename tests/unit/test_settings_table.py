"""Every setting is described, in one place, for the command and for docs/settings.md alike."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.settings import InvalidSetting, Settings
from chat4all.cli.main import main
from chat4all.env_file import read_env_file
from cli.settings_table import SECTIONS, described, env_file, markdown
from devstack.config import StackConfig

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "settings.md"
FOLDERS = ("agents", "app", "channels", "cli", "devstack", "domain", "storage", "tables", "web", "tests", "loadtests")
TELL_HOW = 'write it as name: type = setting(default, "what it does, in one line"), then: make settings'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.chdir(tmp_path)

    def config(*options: str, **environ: str) -> str:
        result = CliRunner().invoke(main, ["config", *options], env=environ)
        assert result.exit_code == 0, result.output
        return result.output

    return config


@pytest.mark.parametrize("kind", [Settings, StackConfig])
def test_every_setting_says_in_one_line_what_it_does(kind: type[Any]) -> None:
    for field in fields(kind):
        about = field.metadata.get("about", "")
        assert about, f"{kind.__name__}.{field.name} has no description: {TELL_HOW}"
        assert len(about) <= 90, f"{field.name}: {len(about)} characters are more than a line"
        assert "\n" not in about
        assert "|" not in about


def test_the_page_of_settings_is_what_the_code_says() -> None:
    assert PAGE.read_text() == markdown(), "the settings have changed: make settings, and look at docs/settings.md"


def test_every_section_begins_with_a_field_that_is_there() -> None:
    names = [field.name for field in fields(Settings)]
    assert [name for name in names if name in SECTIONS] == list(SECTIONS)
    assert names[0] in SECTIONS


def names_in_the_code() -> Iterator[str]:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            yield from re.findall(r"(?<![A-Z_])CHAT4ALL_[A-Z0-9_]*[A-Z0-9]\b(?!_)", path.read_text())


def test_no_variable_is_read_that_is_described_nowhere() -> None:
    known = {one.variable for one in described()}
    beginnings = {"CHAT4ALL_S3"}  # of several
    unknown = set(names_in_the_code()) - known - beginnings
    assert unknown == set(), "describe them: in app/settings.py, or in OTHERS of cli/settings_table.py; make settings"


def test_config_describes_every_setting_with_its_unit_and_default(config: Callable[..., str]) -> None:
    text = config("--describe", CHAT4ALL_PORT="9090", CHAT4ALL_JWT_SECRET="hush-hush")
    for one in described():
        assert one.about in text
        assert f"{one.variable}=" in text
    assert "# Port that the API listens on (port; default 8080)\nCHAT4ALL_PORT=9090\n" in text
    assert "#CHAT4ALL_JWT_SECRET=***" in text
    assert "hush-hush" not in text


def test_config_describes_for_programs_too(config: Callable[..., str]) -> None:
    document = json.loads(config("--describe", "--json", CHAT4ALL_JWT_SECRET="hush-hush"))
    by_name = {one["variable"]: one for one in document}
    assert set(by_name) == {one.variable for one in described()}
    assert by_name["CHAT4ALL_FETCH_WAIT_MS"] == {
        "variable": "CHAT4ALL_FETCH_WAIT_MS",
        "section": "Kafka",
        "kind": "milliseconds",
        "default": "50",
        "value": "50",
        "about": "How long they gather for a worker at most (ADR 136)",
    }
    assert by_name["CHAT4ALL_JWT_SECRET"]["value"] == "***"


def test_what_config_describes_is_an_env_file_that_changes_nothing(tmp_path: Path) -> None:
    settings = Settings(port=9090, jwt_secret="hush-hush")
    path = tmp_path / ".env"
    path.write_text("\n".join(env_file(settings.to_environ())))
    read = read_env_file(path)
    assert "CHAT4ALL_JWT_SECRET" not in read
    assert Settings.from_environ(read) == Settings(port=9090)


@pytest.mark.parametrize("name", ["store", "files", "log_format"])
def test_a_value_that_a_setting_does_not_take_is_refused_with_those_that_it_takes(name: str) -> None:
    with pytest.raises(InvalidSetting, match=f"CHAT4ALL_{name.upper()}='rocksdbb': expected one of "):
        Settings.from_environ({f"CHAT4ALL_{name.upper()}": "rocksdbb"})
