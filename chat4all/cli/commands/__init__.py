"""The commands of the API, by module. A module is imported when one of its commands is used."""

from __future__ import annotations

from importlib import import_module

import click

_MODULE_OF = {
    "channels": "channels",
    "completion": "completion",
    "conversations": "conversations",
    "dead-letters": "dead_letters",
    "download": "files",
    "files": "files_admin",
    "groups": "groups",
    "identities": "accounts",
    "login": "accounts",
    "logout": "accounts",
    "messages": "messages",
    "react": "sending",
    "read": "messages",
    "register": "accounts",
    "send": "sending",
    "status": "messages",
    "tail": "live",
    "top": "top",
    "trace": "messages",
    "upload": "files",
    "whoami": "accounts",
}
NAMES = tuple(_MODULE_OF)


def command_named(name: str) -> click.Command | None:
    """Return a command, ``None`` if it is none of these."""
    if name not in _MODULE_OF:
        return None
    found: click.Command = getattr(import_module(f"chat4all.cli.commands.{_MODULE_OF[name]}"), name.replace("-", "_"))
    return found
