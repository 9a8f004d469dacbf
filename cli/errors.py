"""Errors of the server's commands. Each message says how to go on.

CliError (``chat4all/cli/errors.py``)
├── CannotSupervise      the processes cannot be started as asked
├── CannotMigrate        topics or tables exist in a form this release cannot use
└── CannotProvide        the simulated provider cannot run with these options
"""

from __future__ import annotations

from chat4all.cli.errors import CliError


class CannotSupervise(CliError):
    """A port or a folder is somebody else's, or more workers were asked for than can be of use."""


class CannotMigrate(CliError):
    """A topic has another number of partitions, or the text of an applied migration has changed."""


class CannotProvide(CliError):
    """The simulated provider's faults are wrong, or its port is another process's."""
