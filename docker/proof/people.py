"""A person at the simulator writes to us and gets an answer: through webhooks, nginx, connectors and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docker.proof.podman import Podman
from docker.proof.up import until
from docker.simulator_accounts import INBOX
from loadtests.locust.api import Account, asked

SECONDS = 60.0
PASSWORD = "a passphrase for the proof"
TEXT, ANSWER = "Olá, tudo bem? 👋", "Tudo bem!"


def conversation(podman: Podman, url: str, simulator: str) -> tuple[bool, str]:
    """Return whether both texts come through on WhatsApp and Telegram, and a sentence."""
    asked("POST", f"{url}/users", {"username": INBOX, "password": PASSWORD}, wanted=(201, 409))
    account = Account(url, INBOX, PASSWORD).logged_in()
    for channel in ("whatsapp", "telegram"):
        phone = f"{simulator}/phones/{asked('POST', f'{simulator}/phones', {}, wanted=(201,))['id']}"
        text = f"{TEXT} {channel}"
        asked("POST", f"{phone}/send", {"channel": channel, "text": text}, wanted=(200, 201))
        conversation_id = _until_some(podman, lambda text=text: _conversation_with(account, text))  # type: ignore[misc]
        body = {"conversation_id": conversation_id, "content": ANSWER}
        asked("POST", f"{url}/v1/messages", body, account.token, wanted=(202,))
        _until_some(podman, lambda phone=phone: ANSWER if ANSWER in _screen(phone) else "")  # type: ignore[misc]
    return (
        True,
        "people wrote from phones on WhatsApp and Telegram, the inbox heard of it and answered on their screens",
    )


def _until_some(podman: Podman, find: Callable[[], str]) -> str:
    found: list[str] = []

    def holds() -> bool:
        if text := find():
            found.append(text)
        return bool(found)

    until(holds, "what was written comes through", podman, "simulator", SECONDS)
    return found[0]


def _conversation_with(account: Account, text: str) -> str:
    listed = asked("GET", f"{account.host}/v1/conversations?limit=50", token=account.token)["conversations"]
    for each in listed:
        page = f"{account.host}/v1/conversations/{each['conversation_id']}/messages?order=desc&limit=5"
        messages: list[dict[str, Any]] = asked("GET", page, token=account.token)["messages"]
        if any(message["content"] == text for message in messages):
            return str(each["conversation_id"])
    return ""


def _screen(phone: str) -> str:
    return str(asked("GET", f"{phone}/messages")["messages"])
