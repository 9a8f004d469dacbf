"""The console by a slow network, and by one that ends."""

from __future__ import annotations

import secrets

import pytest

from support.browser import Tab, needs_chromium, tab
from support.console_stage import PASSWORD, Stage, somebody

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="package"),
    needs_chromium(),
]

LATENCY_MS, BYTES_PER_SECOND = 400, 50_000  # of a telephone in the country


async def _slow_down(one: Tab) -> None:
    inspector = await one.page.context.new_cdp_session(one.page)
    await inspector.send("Network.enable")
    conditions = {
        "offline": False,
        "latency": LATENCY_MS,
        "downloadThroughput": BYTES_PER_SECOND,
        "uploadThroughput": BYTES_PER_SECOND,
    }
    await inspector.send("Network.emulateNetworkConditions", conditions)


async def test_by_a_slow_network_messages_keep_their_order_and_their_words(stage: Stage) -> None:
    texts = ["the first", "the second", "the third", "the fourth"]
    away = ["while away", "and again"]
    async with tab(stage.browser) as one:
        one.expected.append("ERR_FAILED")
        await _slow_down(one)
        await one.sign_in(stage.url, somebody(), PASSWORD)
        await one.begin(f"whatsapp:+55119{secrets.randbelow(10**8):08}", texts[0])
        for text in texts[1:]:
            await one.write(text)  # also while the one before is on its way
        await one.until_ticks(texts[-1], "READ")
        assert await one.texts() == texts

        await one.page.route("**/v1/messages", lambda route: route.abort())
        for text in away:
            await one.write(text)
        await one.page.locator(".compose .fault", has_text="does not answer").wait_for()
        assert await one.page.locator(".outgoing li > span:nth-child(2)").all_inner_texts() == away
        assert (found := await one.violations()) == [], found
        await one.page.unroute_all()
        await one.page.locator(".compose button[type=submit]").click()
        await one.until_ticks(away[-1], "READ")
        assert await one.texts() == [*texts, *away]
        assert await one.page.locator(".outgoing li").count() == 0
        assert one.unexpected == [], one.unexpected
