"""The Python client of the HTTP API: used by the command `chat4all` and by programs.

    async with Client("http://127.0.0.1:8080") as client:
        await client.login("ana", password)
        accepted = await client.send("whatsapp:+5511999999999", "hello", "conversation-1")
        async for change in client.follow(accepted.message_id, timeout_seconds=30):
            print(change.status, change.at)
        async for frame in client.notifications():
            print(frame["type"], frame.get("content"))
        file = await client.upload_file(Path("photo.jpg"), "conversation-1")
        await client.download_file(file["file_id"], Path("copy.jpg"))

An expired token is refreshed. Requests are repeated for ``retry_seconds`` while the API is away, answers 503 or asks to
wait, if repeating is safe: reads, idempotent changes, and sends, because each has an ``Idempotency-Key``. If it is then
unknown whether a message was accepted, ``send`` raises ``Unconfirmed`` with the message's id and key.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any
from warnings import warn

if TYPE_CHECKING:
    from chat4all.public import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """Return a public name. Raises ``AttributeError`` for any other."""
    if name == "ConnectionFailed":
        warn("chat4all.ConnectionFailed is now called ApiUnavailable", DeprecationWarning, stacklevel=2)
    public = import_module("chat4all.public")  # not "from chat4all import", which would ask this function again
    if name not in public.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(public, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *import_module("chat4all.public").__all__])
