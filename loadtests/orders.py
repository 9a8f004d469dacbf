"""Messages to people of their own, and the requests for them."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from loadtests.http_client import Answer, Client, request_bytes

# Latin, quotes, backslash, newline, tab, another script, an emoji of four bytes and one of several code points
SAMPLE = 'Olá "mundo" \\ \n\t Здравствуйте 👋 👩‍👩‍👧‍👦 '


@dataclass(frozen=True, slots=True)
class Order:
    """One message of a client."""

    conversation_id: str
    recipient_id: str
    content: str

    def request(self, token: str) -> bytes:
        """Return its request."""
        body = {
            "conversation_id": self.conversation_id,
            "recipient_id": self.recipient_id,
            "content": self.content,
        }
        return request_bytes("POST", "/v1/messages", orjson.dumps(body), token)


_ADDRESSES: dict[str, Callable[[int], str]] = {
    "whatsapp": lambda n: f"whatsapp:+55119{n:08d}",
    "instagram": lambda n: f"instagram:@person.{n}",
    "telegram": lambda n: f"telegram:{n}",
}


def address_on(number: int) -> str:
    """Return an address of its own for each number, on the channels in turn."""
    return list(_ADDRESSES.values())[number % len(_ADDRESSES)](number)


_TRIES = 10
_NUMBERS = itertools.count(1)


class Orders:
    """Makes orders. A conversation has one channel and one person: the order is kept from a conversation to an address.

    ``is_to_many``: each message goes to a person of its own, so none waits for another and no order is promised. No two
    conversations of a process share a person, so a channel's log tells how often each was sent.
    """

    def __init__(
        self, conversations: int, channels: Sequence[str], name: str = "", *, is_to_many: bool = False
    ) -> None:
        name = name or uuid.uuid4().hex[:8]
        self.conversations = [f"{name}-{n}" for n in range(conversations)]
        self._channels = [channels[n % len(channels)] for n in range(conversations)]
        self._people = None if is_to_many else [next(_NUMBERS) for _ in range(conversations)]

    def one_for_each_conversation(self) -> list[Order]:
        """Return one message for each conversation, to make it known."""
        return [self._order(n) for n in range(len(self.conversations))]

    def make(self, count: int) -> list[Order]:
        """Return ``count`` messages, the conversations taking turns."""
        return [self._order(n % len(self.conversations)) for n in range(count)]

    def _order(self, conversation: int) -> Order:
        number = next(_NUMBERS)
        person = number if self._people is None else self._people[conversation]
        recipient = _ADDRESSES[self._channels[conversation]](person)
        return Order(self.conversations[conversation], recipient, f"{SAMPLE}{number}")


async def signed_up(host: str, port: int) -> str:
    """Register a user through the API and return a token. Raises ``RuntimeError`` with the API's answer."""
    username, password = await signed_up_as(host, port)
    account = {"username": username, "password": password}
    return str((await _asked(Client(host, port), "/auth/login", account, (200,))).json()["access_token"])


async def signed_up_as(host: str, port: int, username: str = "", password: str = "") -> tuple[str, str]:
    """Register a user, by default a new one, and return name and password. Raises ``RuntimeError`` as ``signed_up``."""
    username, password = username or f"load_{uuid.uuid4().hex[:12]}", password or uuid.uuid4().hex
    document = {"username": username, "password": password}
    await _asked(
        Client(host, port), "/users", document, (201, 409)
    )  # 409: a 503 before it was true only for the answer
    return username, password


async def _asked(client: Client, path: str, document: dict[str, str], wanted: tuple[int, ...]) -> Answer:
    """Ask again while a dependency is away, as clients are told to."""
    for _ in range(_TRIES):
        answer = await client.ask("POST", path, document)
        if answer.status in wanted:
            return answer
        if answer.status not in (0, 503):
            break
        await asyncio.sleep(1)
    raise RuntimeError(f"{path}: {answer.status} {answer.body!r}")
