"""What stops a command, in sentences that say what to do next.

CliError
├── CannotKeepSessions   a file of who is logged in, or of uploads, is damaged, or another command holds on to it
├── NothingToSend        what is to go with a message is neither a file here nor the id of one
└── InTheWay             a file would be replaced that is there already

The commands of the server add theirs (``cli/errors.py``).
"""

from __future__ import annotations


class CliError(Exception):
    """Base of the tree: shown as its sentence, with exit code 1."""


class CannotKeepSessions(CliError):
    """The file of the sessions, or of the uploads, is damaged, or another command does not let go of it."""


class InTheWay(CliError):
    """A file would be replaced that is there already."""


class NothingToSend(CliError):
    """What is to go with a message is neither a file here nor the id of one."""
