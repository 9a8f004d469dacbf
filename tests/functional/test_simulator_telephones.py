"""The telephones' page in a real Chromium, on the simulator alone."""

from __future__ import annotations

from support.browser import chromium, needs_chromium, tab
from support.simulated import simulated

pytestmark = [needs_chromium()]


async def test_the_three_phones_come_also_if_somebody_was_written_to_before_under_another_id() -> None:
    """README's lines of curl write to Ana's number before the page is opened: under another id, and without a name.

    The console tells newcomers to look for Ana.
    """
    async with simulated() as world, chromium() as browser, tab(browser) as one:
        before = await world.post("/phones", 201, number="+5511999990001")
        assert before["id"] != "ana"
        await one.page.goto(f"{world.url}/?beside")
        for channel in ("whatsapp", "instagram", "telegram"):
            await one.page.locator(f".phone.{channel}").wait_for()
        assert await one.page.locator(".phone.whatsapp h2").inner_text() == "Ana"
        assert one.unexpected == [], one.unexpected
        assert (await world.get(f"/phones/{before['id']}"))["name"] == "Ana"


async def test_a_person_who_has_a_name_keeps_it() -> None:
    async with simulated() as world, chromium() as browser, tab(browser) as one:
        await world.post("/phones", 201, number="+5511999990001", name="Mother")
        await one.page.goto(f"{world.url}/?beside")
        await one.page.locator(".phone.telegram").wait_for()
        assert await one.page.locator(".phone.whatsapp h2").inner_text() == "Mother"


async def test_a_person_without_any_name_is_refused() -> None:
    async with simulated() as world:
        person = await world.post("/phones", 201, number="+5511999990001")
        for name in ("", None, ["Ana"]):
            refused = await world.call("PATCH", f"/phones/{person['id']}", 400, json={"name": name, "online": False})
            assert "name: expected a text" in str(refused)
        assert await world.get(f"/phones/{person['id']}") == person
