"""The telephones beside the page, in a real Chromium on the whole system."""

from __future__ import annotations

import pytest

from support.browser import needs_chromium, tab
from support.console_stage import PASSWORD, Stage, somebody, telephones

pytestmark = [
    pytest.mark.real,
    needs_chromium(),
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(300),
]


async def test_a_person_turns_receipts_off_goes_offline_blocks_and_hides_the_number(stage: Stage) -> None:
    async with tab(stage.browser) as one:
        page = one.page
        await one.sign_in(stage.url, somebody(), PASSWORD)
        ana = telephones(one).locator(".phone.whatsapp")

        async def turn(name: str, *, on: bool) -> None:
            switch = ana.get_by_role("button", name=name)
            await switch.click()
            await ana.locator(f"button[aria-pressed={str(on).lower()}]", has_text=name).wait_for()

        await ana.get_by_role("button", name="Write to them").click()
        await page.fill("#first", "hello")
        await page.click("form.new button[type=submit]")
        await one.until_ticks("hello", "READ")

        await turn("Receipts", on=False)
        await one.write("do you read this?")
        await ana.locator("article", has_text="do you read this?").locator(".soft", has_text="read").wait_for()
        await one.until_ticks("do you read this?", "DELIVERED")
        await turn("Receipts", on=True)

        await turn("Online", on=False)
        await one.write("are you there?")
        await one.until_ticks("are you there?", "SENT")
        await ana.get_by_text("1 waiting").wait_for()
        await turn("Online", on=True)
        await one.until_ticks("are you there?", "READ")

        await turn("Blocks you", on=True)
        await one.write("never seen")
        await one.until_ticks("never seen", "SENT")
        await turn("Blocks you", on=False)
        await one.write("seen again")
        await one.until_ticks("seen again", "READ")
        await one.until_ticks("never seen", "SENT")
        assert await ana.locator("article", has_text="never seen").count() == 0
        await one.until_ticks("do you read this?", "DELIVERED")

        assert (found := await one.violations("?beside")) == [], found
        await turn("Hides number", on=True)
        await ana.get_by_role("button", name="Write to them").click()
        await page.fill("#first", "to somebody without a number")
        assert (await page.input_value("#to")).startswith("BR.")
        await page.click("form.new button[type=submit]")
        await one.until_ticks("to somebody without a number", "READ")
        await turn("Hides number", on=False)
        assert one.unexpected == [], one.unexpected
