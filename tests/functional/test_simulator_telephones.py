"""The telephones' page in a real Chromium, on the simulator alone."""

from __future__ import annotations

from support.browser import chromium, needs_chromium, tab
from support.simulated import simulated

pytestmark = [needs_chromium()]


async def test_the_three_phones_come_also_if_somebody_was_written_to_before_under_another_id() -> None:
    """README's lines of curl write to Ana's number before the page is opened: she has it under an id of its own."""
    async with simulated() as world, chromium() as browser, tab(browser) as one:
        before = await world.post("/phones", 201, number="+5511999990001")
        assert before["id"] != "ana"
        await one.page.goto(f"{world.url}/?beside")
        for channel in ("whatsapp", "instagram", "telegram"):
            await one.page.locator(f".phone.{channel}").wait_for()
        assert await one.page.locator(".phone.whatsapp h2").inner_text() == before["name"]
        assert one.unexpected == [], one.unexpected
