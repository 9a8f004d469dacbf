"""The commands of the server. Only a checkout of the repository has them.

The client installs without the server. So the server's modules are named here as text and imported when one of their
commands is asked for.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

import chat4all

# Only a checkout has all of these folders beside the package; a user's own folder may have one of the names.
_FOLDERS = ("agents", "app", "channels", "cli", "devstack", "domain", "simulator", "storage", "tables", "web")
_MODULES = {
    "": {
        "admin": "cli.admin",
        "api": "cli.commands",
        "audit": "cli.audit",
        "config": "cli.commands",
        "doctor": "cli.doctor",
        "ledger": "cli.ledger",
        "migrate": "cli.commands",
        "new-channel": "cli.new_channel",
        "phones": "cli.phones",
        "provider": "cli.provider",
        "replay": "cli.replay",
        "run": "cli.commands",
        "simulator": "cli.simulator",
        "stack": "cli.commands",
        "worker": "cli.commands",
    },
    "files": {"sweep": "cli.file_sweep"},
}


def names(group: str = "") -> list[str]:
    """Return the names of the server's commands in ``group`` (empty: the outermost); none without a checkout."""
    return sorted(_MODULES[group]) if _is_checkout() else []


def command_named(name: str, group: str = "") -> click.Command | None:
    """Return a command of the server. Return ``None`` if it has no such command, or there is no checkout."""
    module = _MODULES[group].get(name)
    if module is None or not _is_checkout():
        return None
    found: click.Command = getattr(import_module(module), name.replace("-", "_"))
    return found


def hint(name: str) -> str:
    """Return advice if ``name`` is a command of the server and only the client is installed, else an empty text."""
    if name not in _MODULES[""] or _is_checkout():
        return ""
    return " It is a command of the server, which runs from a checkout of the repository; only the client is installed."


def _is_checkout() -> bool:
    root = Path(chat4all.__file__).resolve().parents[1]
    return all((root / folder).is_dir() for folder in _FOLDERS)
