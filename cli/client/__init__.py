"""The Python client of the HTTP API: what the `chat4all` commands use, and whoever writes a program against it.

    async with Client("http://127.0.0.1:8080") as client:
        await client.login("ana", password)
        accepted = await client.send("whatsapp:+5511999999999", "hello", "conversation-1")
        async for change in client.follow(accepted.message_id, timeout_seconds=30):
            print(change.status, change.at)
        async for frame in client.notifications():
            print(frame["type"], frame.get("content"))
        file = await client.upload_file(Path("photo.jpg"), "conversation-1")
        await client.download_file(file["file_id"], Path("copy.jpg"))

A token that has expired is refreshed. What is safe to repeat is repeated for ``retry_seconds`` while the API is away,
answers 503 or asks for patience: reads, changes that come to the same when made twice, and sends, because each has an
``Idempotency-Key``. When the time is over and nobody knows whether a message was accepted, ``send`` raises
``Unconfirmed``, which has its id and its key.
"""

from cli.client.answers import Accepted, Change, changes_of, has_reached
from cli.client.client import Client
from cli.client.errors import (
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
from cli.client.source import Fingerprint
from cli.client.tokens import Keeper, MemoryKeeper, Tokens
from cli.client.transfers import OnProgress, Step
from cli.client.uploads import Begun, UploadMemory

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
