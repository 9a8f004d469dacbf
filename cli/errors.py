"""What stops a command, in sentences that say what to do next.

CliError
├── CannotSupervise      the processes cannot be started as asked
├── CannotKeepSessions   a file of who is logged in, or of uploads, is damaged, or another command holds on to it
├── NothingToSend        what is to go with a message is neither a file here nor the id of one
├── InTheWay             a file would be replaced that is there already
└── CannotMigrate        topics or tables are there, and are not what this release can work with
"""

from __future__ import annotations


class CliError(Exception):
    """Base of the tree: shown as its sentence, with exit code 1."""


class CannotSupervise(CliError):
    """A port or a folder is somebody else's, or more workers were asked for than can be of use."""


class CannotMigrate(CliError):
    """A topic has another number of partitions, or a migration that was applied has another text."""


class CannotKeepSessions(CliError):
    """The file of the sessions, or of the uploads, is damaged, or another command does not let go of it."""


class InTheWay(CliError):
    """A file would be replaced that is there already."""


class NothingToSend(CliError):
    """What is to go with a message is neither a file here nor the id of one."""
