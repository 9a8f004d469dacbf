"""All public names. ``import chat4all`` loads them with the first use of one: `chat4all --help` needs no aiohttp."""

from chat4all.answers import Accepted, Change, changes_of, has_reached
from chat4all.client import Client
from chat4all.contract import Status
from chat4all.errors import (
    ClientError,
    Conflict,
    Damaged,
    Forbidden,
    InvalidRequest,
    LocalFault,
    NotChat4All,
    NotFound,
    NotLoggedIn,
    OutputClosed,
    Refused,
    TargetExists,
    TooManyRequests,
    Unconfirmed,
    Unreachable,
)
from chat4all.source import Fingerprint
from chat4all.tokens import Keeper, MemoryKeeper, Tokens
from chat4all.transfers import OnProgress, Step
from chat4all.uploads import Begun, UploadMemory

__all__ = [
    "Accepted",
    "Begun",
    "Change",
    "Client",
    "ClientError",
    "Conflict",
    "Damaged",
    "Fingerprint",
    "Forbidden",
    "InvalidRequest",
    "Keeper",
    "LocalFault",
    "MemoryKeeper",
    "NotChat4All",
    "NotFound",
    "NotLoggedIn",
    "OnProgress",
    "OutputClosed",
    "Refused",
    "Status",
    "Step",
    "TargetExists",
    "Tokens",
    "TooManyRequests",
    "Unconfirmed",
    "Unreachable",
    "UploadMemory",
    "changes_of",
    "has_reached",
]
