"""Errors of the commands. Each message says how to go on.

CliError
├── CannotKeepSessions   the file of sessions or of uploads is damaged, or locked by another command
├── NothingToSend        the attachment is neither a local file nor the id of one
└── InTheWay             an existing file would be replaced

The commands of the server add theirs (``cli/errors.py``).
"""

from __future__ import annotations


class CliError(Exception):
    """Base of the tree: shown as its sentence, with exit code 1."""


class CannotKeepSessions(CliError):
    """The file of the sessions, or of the uploads, is damaged, or another command does not let go of it."""


class InTheWay(CliError):
    """An existing file would be replaced."""


class NothingToSend(CliError):
    """The attachment is neither a local file nor the id of one."""
