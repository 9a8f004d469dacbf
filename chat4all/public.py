"""All public names. ``import chat4all`` loads them with the first use of one: `chat4all --help` needs no aiohttp."""

from chat4all.answers import Accepted, Change, changes_of, has_reached
from chat4all.client import Client
from chat4all.contract import Status
from chat4all.errors import (
    ApiError,
    ApiUnavailable,
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
    TargetExists,
    TooManyRequests,
    Unconfirmed,
)
from chat4all.source import Fingerprint
from chat4all.tokens import MemoryTokenStore, Tokens, TokenStore
from chat4all.transfers import OnProgress, Step
from chat4all.uploads import Begun, UploadStore

ConnectionFailed = ApiUnavailable  # its former name, for programs that use it

__all__ = [
    "Accepted",
    "ApiError",
    "ApiUnavailable",
    "Begun",
    "Change",
    "Client",
    "ClientError",
    "Conflict",
    "ConnectionFailed",
    "Damaged",
    "Fingerprint",
    "Forbidden",
    "InvalidRequest",
    "LocalFault",
    "MemoryTokenStore",
    "NotChat4All",
    "NotFound",
    "NotLoggedIn",
    "OnProgress",
    "OutputClosed",
    "Status",
    "Step",
    "TargetExists",
    "TokenStore",
    "Tokens",
    "TooManyRequests",
    "Unconfirmed",
    "UploadStore",
    "changes_of",
    "has_reached",
]
