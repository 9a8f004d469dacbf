"""What stops a command of the server, in sentences that say what to do next.

CliError (``chat4all/cli/errors.py``)
├── CannotSupervise      the processes cannot be started as asked
└── CannotMigrate        topics or tables are there, and are not what this release can work with
"""

from __future__ import annotations

from chat4all.cli.errors import CliError


class CannotSupervise(CliError):
    """A port or a folder is somebody else's, or more workers were asked for than can be of use."""


class CannotMigrate(CliError):
    """A topic has another number of partitions, or a migration that was applied has another text."""
