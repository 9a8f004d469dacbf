"""The operator's page, in a real Chromium on the whole system."""

from __future__ import annotations

import pytest

from support.browser import needs_chromium, tab
from support.console_stage import PASSWORD, SECONDS, Stage, somebody
from support.waiting import until

pytestmark = [
    pytest.mark.real,
    needs_chromium(),
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(300),
]


async def test_an_operator_finds_out_why_a_message_failed_and_sends_it_again(stage: Stage) -> None:
    name = somebody()
    async with tab(stage.browser) as one:
        page = one.page
        await one.sign_in(stage.url, name, PASSWORD)
        await page.click("nav >> text=Operator")
        await page.locator("pre", has_text=f"admin grant {name}").wait_for()
        await stage.admin(name)
        stage.ledger.start()
        await stage.world.asked("POST", "/chaos", {"timeout_before_share": 1.0, "hang_seconds": 8.0})
        many = [{"recipient_id": f"whatsapp:+551197777555{n}", "content": "one of many"} for n in range(3)]
        client = await stage.client(name)
        others = (await client.asked("POST", "/v1/messages/batch", {"messages": many}))["results"]
        await one.begin("+5511977776666", "did it arrive?")
        await one.until_ticks("did it arrive?", "FAILED")
        await stage.world.asked("POST", "/chaos", {"preset": "friendly"})
        bubble = page.locator("article.bubble", has_text="did it arrive?")
        await bubble.hover()
        await bubble.get_by_role("button", name="Life of the message").click()
        life = page.locator(".life")
        await life.locator("li", has_text="Call to the provider").wait_for()
        await life.locator("output", has_text="Failed").wait_for()
        one.expected += ["404"]  # before its acceptance there was no such message
        await life.get_by_label("What did we know at").fill(
            await life.locator("input").nth(1).get_attribute("min") or ""
        )
        await life.locator("output", has_text="not accepted yet").wait_for()
        assert (found := await one.violations()) == [], found

        await page.goto(f"{stage.url}/#/operator")
        rows = page.locator("tr", has_text="outcome-unknown")
        await page.locator(".plot svg[aria-label*='accepted']").wait_for()
        assert (found := await one.violations()) == [], found

        async def all_are_there() -> bool:
            await page.get_by_role("button", name="Refresh").click()
            return await rows.count() == 1 + len(others)

        await until(all_are_there, SECONDS, look_seconds=0.3)
        link = f"a[href*='{others[0]['message']['message_id']}']"
        unwanted = page.locator("tr", has=page.locator(link))
        await unwanted.get_by_role("button", name="Discard").click()
        await unwanted.get_by_role("button", name="Really?").click()
        await page.get_by_text("1 discarded").wait_for()
        await page.get_by_label("Choose all").check()
        await page.get_by_role("button", name="Send again (3)").click()
        await page.get_by_role("button", name="twice").click()
        await page.get_by_text("3 sent again").wait_for()
        await page.get_by_text("No dead letters").wait_for()
        await page.get_by_role("button", name="Pause instagram default").click()
        await page.get_by_role("button", name="Resume instagram default").click()
        await page.get_by_role("button", name="Pause instagram default").wait_for()
        await page.locator(".conversations a").first.click()
        await one.until_ticks("did it arrive?", "READ")
        for other in others[1:]:
            await stage.until_status(client, other["message"]["message_id"], "READ")
        assert await stage.status(client, others[0]["message"]["message_id"]) == "FAILED"
        await client.close()

        await page.click("nav >> text=Operator")
        balance = page.locator(".ledger strong")
        await balance.get_by_text("0", exact=True).wait_for()
        await page.get_by_text("The ledger balances").wait_for()
        size = await balance.evaluate("(one) => parseFloat(getComputedStyle(one).fontSize)")
        assert size >= 40, "large"
        assert one.unexpected == [], one.unexpected


async def test_the_chaos_is_turned_at_the_operators_page(stage: Stage) -> None:
    name = somebody()
    async with tab(stage.browser) as one:
        await one.sign_in(stage.url, name, PASSWORD)
        await stage.admin(name)
        await one.page.goto(f"{stage.url}/#/operator")
        chaos = one.page.frame_locator("iframe.chaos")
        knob = chaos.get_by_label("Slow answers")
        await knob.focus()
        for _ in range(3):
            await knob.press("ArrowRight")

        async def slow_share() -> float:
            return float((await stage.world.asked("GET", "/chaos"))["slow_share"])

        async def is_turned() -> bool:
            return await slow_share() == 0.03

        await until(is_turned, SECONDS, look_seconds=0.05)
        assert (found := await one.violations("chaos.html")) == [], found
        await chaos.get_by_role("button", name="friendly").click()
        await chaos.get_by_text("Preset: friendly").wait_for()
        assert await slow_share() == 0.0
        assert one.unexpected == [], one.unexpected
