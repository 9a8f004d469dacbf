"""The simulator's chaos over HTTP: what was taken is counted, and the same seed does the same."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from support.simulated import MARIA, WHATSAPP, SimulatedWorld, simulated
from support.waiting import until

PATH = f"/graph/v26.0/{WHATSAPP.number_id}/messages"


async def tried(world: SimulatedWorld, token: str) -> tuple[int, Any]:
    """Call once; return the status (0: the connection was cut) and the error's code."""
    document = {
        "messaging_product": "whatsapp",
        "to": MARIA,
        "type": "text",
        "text": {"body": token},
        "biz_opaque_callback_data": token,
    }
    headers = {"Authorization": f"Bearer {WHATSAPP.token}"}
    try:
        async with world.client.post(PATH, json=document, headers=headers) as answer:
            if answer.content_type != "application/json":
                return answer.status, None
            text = await answer.text()
            return answer.status, (await answer.json())["error"]["code"] if '"error"' in text else None
    except aiohttp.ClientError:
        return 0, None


@pytest.mark.parametrize(
    ("chaos", "status", "code", "is_taken"),
    [
        ({"cut_before_share": 1}, 0, None, False),
        ({"cut_after_share": 1}, 0, None, True),
        ({"timeout_before_share": 1, "hang_seconds": 0.01}, 0, None, False),
        ({"timeout_after_share": 1, "hang_seconds": 0.01}, 0, None, True),
        ({"unavailable_share": 1}, 503, 131016, False),
        ({"unauthorized_share": 1}, 401, 190, False),
        ({"new_code_share": 1}, 400, 131977, False),
        ({"windows": [{"kind": "unavailable", "channel": "whatsapp"}]}, 503, 131016, False),
        ({"windows": [{"kind": "cut", "account": "default"}]}, 0, None, False),
        ({"windows": [{"kind": "unavailable", "channel": "telegram"}]}, 200, None, True),
    ],
)
async def test_each_fault_of_a_call(chaos: dict[str, Any], status: int, code: int | None, is_taken: bool) -> None:
    async with simulated() as world:
        await world.post("/chaos", **chaos)
        assert await tried(world, "m-1") == (status, code)
        taken = (await world.get("/taken"))["taken"]
        assert [row["token"] for row in taken] == (["m-1"] if is_taken else [])


@pytest.mark.parametrize(("scope_codes", "share"), [({130429, 131056}, "throttle_share")])
async def test_throttles_are_of_the_account_or_of_the_pair(scope_codes: set[int], share: str) -> None:
    async with simulated(**{share: 1}) as world:
        answers = [await tried(world, f"m-{n}") for n in range(20)]
    assert {status for status, _ in answers} == {429}
    assert {code for _, code in answers} == scope_codes


async def test_errors_and_pages_may_hide_a_message_that_was_taken() -> None:
    async with simulated(error_share=0.5, html_share=0.5, html_bytes=100) as world:
        answers = {(await tried(world, f"m-{n}"))[0] for n in range(40)}
        taken = (await world.get("/counts"))["taken"]
    assert answers == {500, 502}
    assert 0 < taken < 40


async def test_the_same_seed_does_the_same_to_the_same_messages() -> None:
    async def run(seed: int) -> tuple[list[tuple[int, Any]], list[str]]:
        async with simulated() as world:
            quick = {"latency_seconds": [0, 0], "slow_share": 0, "hang_seconds": 0.01, "html_bytes": 100}
            await world.post("/chaos", preset="worst", seed=seed, **quick)
            answers = [await tried(world, f"m-{n}") for n in range(60)]
            return answers, [row["token"] for row in (await world.get("/taken"))["taken"]]

    first, again, other = await run(1), await run(1), await run(2)
    assert first == again
    assert first != other


async def test_a_phone_shows_messages_in_the_order_in_which_they_were_taken_whatever_the_webhooks_do() -> None:
    chaos: dict[str, Any] = {"disorder_share": 0.5, "late_share": 0.5, "late_seconds": 0.05, "twice_share": 0.5}
    async with simulated(**chaos) as world:
        for n in range(20):
            assert (await tried(world, f"m-{n}"))[0] == 200
        assert [shown["text"] for shown in await world.screen()] == [f"m-{n}" for n in range(20)]

        async def is_quiet() -> bool:
            counts = await world.get("/counts")
            return not counts["due_later"] and not counts["webhooks_waiting"]

        await until(is_quiet)
        seen = world.receiver.statuses_seen()
        assert seen.count("sent") == 20
        assert seen.count("delivered") > 20


async def test_dropped_messages_are_written_but_never_posted() -> None:
    async with simulated(drop_messages_share=1) as world:
        await world.post("/phones", 201, number=MARIA)
        await world.post(f"/phones/{MARIA}/send", text="oi")
        assert [row["text"] for row in (await world.get("/written"))["written"]] == ["oi"]
        counts = (await world.get("/counts"))["accounts"]["whatsapp/default"]
        assert counts["webhooks"] == {"message dropped": 1}
        assert world.receiver.webhooks == []


async def test_a_webhook_may_come_twice() -> None:
    async with simulated(webhook_twice_share=1) as world:
        await world.post("/phones", 201, number=MARIA)
        await world.post(f"/phones/{MARIA}/send", text="oi")
        await until(lambda: len(world.receiver.messages()) == 2)
        first, second = world.receiver.messages()
        assert first == second


async def test_chaos_is_shown_and_a_wrong_one_is_refused() -> None:
    async with simulated() as world:
        assert (await world.get("/chaos"))["seed"] == 1
        assert "unknown fault" in (await world.post("/chaos", 400, nonsense=1))["error"]
        assert (await world.post("/chaos", preset="worst", seed=5))["seed"] == 5


@pytest.mark.parametrize(
    ("path", "document", "status"),
    [
        ("/phones", {"number": "12"}, 400),
        ("/phones", {"reads": "sometimes"}, 400),
        ("/phones", {"nonsense": 1}, 400),
        ("/phones", {"number": "+12025550101"}, 409),
        ("/phones/nobody/read", {}, 404),
        ("/phones/+12025550101/send", {"text": ""}, 400),
        ("/phones/+12025550101/send", {"text": "oi", "channel": "pigeon"}, 404),
        ("/phones/+12025550101/send", {"kind": "image", "file": {"content": "no base64"}}, 400),
        ("/phones/+12025550101/reply", {"text": "oi"}, 409),
        ("/phones/+12025550101/react", {"message_id": "wamid.none"}, 404),
        ("/phones/+12025550101/change-number", {"number": "+12025550102"}, 409),
        ("/phones/+12025550101/change-number", {}, 400),
    ],
)
async def test_a_wrong_wish_is_one_sentence(path: str, document: dict[str, Any], status: int) -> None:
    async with simulated() as world:
        answer = await world.post(path, status, **document)
        assert set(answer) == {"error"}
