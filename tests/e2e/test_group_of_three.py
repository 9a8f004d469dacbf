"""One message to a group: on WhatsApp, on Instagram, and inside the system; two API processes, real workers."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from app.audit import audit
from loadtests.system import Servers, System, system_settings
from support.waiting import until
from tables.loaders import LOADERS

pytestmark = pytest.mark.real

SECONDS = 20.0
ADDRESSES = {"whats": ("whatsapp", "+5511999990000"), "insta": ("instagram", "@maria.silva")}


class People:
    """Users with their tokens and ids, by a name that only the test knows."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self.ids: dict[str, str] = {}
        self.tokens: dict[str, str] = {}

    async def come(self, name: str) -> None:
        account = {"username": f"{name}_{uuid.uuid4().hex[:8]}", "password": "correct horse battery"}
        await self.ask("POST", "/users", account, status=201)
        answer = await self.ask("POST", "/auth/login", account)
        self.ids[name], self.tokens[name] = answer["user_id"], answer["token"]

    async def ask(self, method: str, path: str, body: object = None, name: str = "", status: int = 200) -> Any:
        """Return the document of an answer that has the expected status."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}
        async with self._session.request(method, path, json=body, headers=headers) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def until(self, message_id: str, is_right: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the message as its sender sees it, once ``is_right``."""
        shown: dict[str, Any] = {}

        async def looks_right() -> bool:
            nonlocal shown
            shown = await self.ask("GET", f"/v1/messages/{message_id}", name="sender")
            return is_right(shown)

        try:
            await until(looks_right, SECONDS, look_seconds=0.05)
        except TimeoutError:
            pytest.fail(f"not in time: {shown}")
        return shown

    def words(self, shown: dict[str, Any]) -> dict[str, str]:
        """Return the status word of each recipient's delivery, by name."""
        by_id = {one["recipient_id"]: one["status"] for one in shown["deliveries"]}
        return {name: by_id[user_id] for name, user_id in self.ids.items() if user_id in by_id}


@pytest.fixture(scope="module")
async def system(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    folder: Path = tmp_path_factory.mktemp("group")
    workers = {"core": 1, "mirror": 1, "whatsapp": 1, "instagram": 1}
    async with System(system_settings(stack, folder), folder, workers, api_processes=2) as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
async def test_everyone_in_a_group_is_reached_where_they_are_and_each_tells_back(system: System) -> None:
    settings = system.settings
    async with ClientSession(f"http://{settings.host}:{settings.port}") as session:
        people = People(session)
        for name in ("sender", "whats", "insta", "inside"):
            await people.come(name)
        for name, (platform, value) in ADDRESSES.items():
            body = {"platform": platform, "value": value}
            await people.ask("POST", "/v1/users/identities", body, name, status=201)
        members = [people.ids[name] for name in ("whats", "insta", "inside")]
        group = await people.ask("POST", "/v1/groups", {"name": "us", "initial_members": members}, "sender", status=201)
        group_id = group["group_id"]

        body = {"conversation_id": group_id, "content": "Olá a todos"}
        first = (await people.ask("POST", "/v1/messages", body, "sender", status=202))["message_id"]
        sent = {"whats": "READ", "insta": "READ", "inside": "SENT"}
        shown = await people.until(first, lambda shown: people.words(shown) == sent)
        assert (shown["status"], shown["recipient_id"], shown["read_at"]) == ("SENT", None, None)

        # reading: at once for whoever read it, whichever of the two processes answers
        read = await people.ask("POST", f"/v1/messages/{first}/read", name="inside")
        for _ in range(20):
            async with ClientSession(f"http://{settings.host}:{settings.port}") as another:
                mine = People(another)
                mine.ids, mine.tokens = people.ids, people.tokens
                shown = await mine.ask("GET", f"/v1/messages/{first}", name="inside")
                assert people.words(shown)["inside"] == "READ"
                assert await mine.ask("POST", f"/v1/messages/{first}/read", name="inside") == read
        shown = await people.until(first, lambda shown: shown["status"] == "READ")
        assert {one["recipient_id"]: one["read_at"] for one in shown["deliveries"]}[people.ids["inside"]] == (
            read["read_at"]
        )

        # a connection that gets it makes it DELIVERED
        async with session.ws_connect(f"/notifications?token={people.tokens['inside']}") as socket:
            assert (await socket.receive_json(timeout=SECONDS))["type"] == "connected"
            body = {"conversation_id": group_id, "recipient_id": people.ids["inside"], "content": "e a ti"}
            second = (await people.ask("POST", "/v1/messages", body, "sender", status=202))["message_id"]
            shown = await people.until(second, lambda shown: shown["status"] == "DELIVERED")
            assert "deliveries" not in shown

        trace = await people.ask("GET", f"/v1/messages/{first}/trace", name="sender")
        assert [event["event"] for event in trace["events"]].count("READ") == 3

    sends = system.sends()
    assert {value: sends.get(value) for _, value in ADDRESSES.values()} == {"+5511999990000": 1, "@maria.silva": 1}

    async def is_mirrored() -> bool:
        return (await audit(settings, LOADERS)).behind == 0

    await until(is_mirrored, SECONDS, look_seconds=0.2)
    report = await audit(settings, LOADERS)
    assert report.is_clean, str(report)
