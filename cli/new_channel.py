"""`chat4all new-channel NAME`: the folder of a new channel, its line, and its test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

import click

RECIPIENTS = Path("domain/recipients.py")
_TEMPLATES = Path(__file__).parent / "channel_template"
_NAME = re.compile(r"[a-z][a-z0-9]{1,19}")  # it begins topics, addresses and the names of modules
_TABLE = re.compile(r"(?ms)^_CHANNELS = \{\n.*?^(?=\}\n)")
_SHAPE = 're.compile(r"@[a-z0-9_]{1,30}")'


@click.command("new-channel")
@click.argument("name")
def new_channel(name: str) -> None:
    """Begin a channel: its folder in channels/, its line in domain/recipients.py, its test.

    Run it in the folder of the repository. docs/adding-a-channel.md says how to go on.
    """
    files, line = scaffold(name, Path())
    for path in files:
        click.echo(f"made    {path}")
    click.echo(f"changed {RECIPIENTS}: {line}")
    click.echo(f"Now: pytest {files[-1]}")


def scaffold(name: str, root: Path) -> tuple[tuple[Path, ...], str]:
    """Write the files of the channel ``name`` below ``root``; return them and the new line of ``RECIPIENTS``.

    Raises ``click.ClickException`` if the name cannot be one, or there is such a channel; then nothing is written.
    """
    if not _NAME.fullmatch(name):
        raise click.ClickException(f"{name!r} cannot name a channel: expected 2 to 20 of a-z and 0-9, a letter first")
    recipients = root / RECIPIENTS
    if not recipients.is_file():
        raise click.ClickException(f"there is no {RECIPIENTS} here: run it in the folder of the repository")
    text = recipients.read_text()
    table, folder = _TABLE.search(text), Path("channels") / name
    if table is None:
        raise click.ClickException(f"{RECIPIENTS} has no table _CHANNELS: add the line yourself")
    if (root / folder).exists() or f'"{name}":' in table[0]:
        raise click.ClickException(f"there is a channel {name} already, or a folder of that name")
    made: Mapping[Path, str] = {
        folder / "__init__.py": "folder.txt",
        folder / "connector.py": "connector.txt",
        Path("tests/functional") / f"test_{name}_connector.py": "test.txt",
    }
    words = {"name": name, "title": name.title(), "class_name": name.title()}
    for path, template in made.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(Template((_TEMPLATES / template).read_text()).substitute(words))
    line = f'    "{name}": {_SHAPE},\n'
    recipients.write_text(f"{text[: table.end()]}{line}{text[table.end() :]}")
    return tuple(made), line.strip()
