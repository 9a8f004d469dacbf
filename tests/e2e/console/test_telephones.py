"""The telephones beside the page, and a slow network, in a real Chromium on the whole system."""

from __future__ import annotations

import pytest

from support.browser import needs_chromium, tab
from support.console_stage import PASSWORD, SECONDS, Stage, somebody, telephones
from support.waiting import until

pytestmark = [
    pytest.mark.real,
    needs_chromium(),
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(300),
]


SLOW = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}


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
        await ana.locator("article", has_text="do you read this?").get_by_text("read", exact=False).last.wait_for()
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


async def test_on_a_slow_network_the_page_says_that_it_works_and_nothing_is_doubled(stage: Stage) -> None:
    person, number = "paciente", "+5511966665555"
    await stage.world.asked("POST", "/phones", {"id": person, "number": number})
    async with tab(stage.browser) as one:
        page = one.page
        await page.add_init_script("localStorage.setItem('chat4all.phones', 'no')")
        network = await page.context.new_cdp_session(page)
        await network.send("Network.enable")
        await network.send("Network.emulateNetworkConditions", SLOW)
        await one.sign_in(stage.url, somebody(), PASSWORD)
        await one.begin(number, "first")
        await page.fill(".compose textarea", "second")
        for _ in range(3):  # as somebody does who sees nothing happen
            await page.press(".compose textarea", "Enter")
        await page.locator(".compose button[aria-busy=true]").wait_for()
        await page.set_input_files(
            "input[type=file]", {"name": "n.txt", "mimeType": "text/plain", "buffer": b"x" * 60_000}
        )
        await page.locator(".attached progress").wait_for()
        await one.until_ticks("second", "READ")
        await page.locator(".attached", has_text="uploaded").wait_for()
        await one.write("third")
        await one.until_ticks("third", "READ")
        assert await one.texts() == ["first", "second", "third"]

        async def is_shown_once() -> bool:
            screen = (await stage.world.asked("GET", f"/phones/{person}/messages"))["messages"]
            return [each["text"] for each in screen if each["text"]] == ["first", "second", "third"]

        await until(is_shown_once, SECONDS, look_seconds=0.1)
        assert one.unexpected == [], one.unexpected
