"""The real infrastructure (Kafka, Cassandra, and MinIO if it is wanted) on this machine; no container engine.

`chat4all stack up` from a shell, `Stack(StackConfig.from_environment()).up()` from Python.
"""

from devstack.config import StackConfig
from devstack.errors import (
    Cancelled,
    FolderNotOurs,
    JarsUnavailable,
    NotInstalled,
    PartBusy,
    PartDidNotStart,
    PartDidNotStop,
    PortTaken,
    ProgramUnavailable,
    RunsElsewhere,
    SettingInvalid,
    StackError,
    UnknownPart,
)
from devstack.part import Part, PartStatus
from devstack.progress import Progress
from devstack.stack import Stack

__all__ = [
    "Cancelled",
    "FolderNotOurs",
    "JarsUnavailable",
    "NotInstalled",
    "Part",
    "PartBusy",
    "PartDidNotStart",
    "PartDidNotStop",
    "PartStatus",
    "PortTaken",
    "ProgramUnavailable",
    "Progress",
    "RunsElsewhere",
    "SettingInvalid",
    "Stack",
    "StackConfig",
    "StackError",
    "UnknownPart",
]
