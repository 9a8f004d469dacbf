"""Conversations in the console, in a real Chromium on the whole system."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Route

from support.browser import PHONE, Tab, needs_chromium, tab
from support.console_stage import PASSWORD, SECONDS, Stage, somebody, telephones
from support.waiting import until

pytestmark = [
    pytest.mark.real,
    needs_chromium(),
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(300),
]


async def test_a_newcomer_sends_and_is_the_person_who_reads_answers_and_reacts(stage: Stage) -> None:
    async with tab(stage.browser) as one:
        page = one.page
        await one.sign_in(stage.url, somebody(), PASSWORD)
        assert (found := await one.violations()) == [], found
        ana = telephones(one).locator(".phone.whatsapp")
        await ana.get_by_role("button", name="Write to them").click()
        await page.fill("#first", "When shall we deliver?")
        assert (found := await one.violations()) == [], found
        await page.click("form.new button[type=submit]")
        await one.until_ticks("When shall we deliver?", "READ")
        await ana.locator("article", has_text="When shall we deliver?").last.hover()
        await ana.locator("article", has_text="When shall").last.get_by_role("button", name="👍").click()
        await page.locator(".reactions", has_text="👍").wait_for()
        await ana.get_by_label("Write as Ana").fill("Tomorrow morning")
        await ana.get_by_label("Write as Ana").press("Enter")
        await page.locator("article.theirs", has_text="Tomorrow morning").wait_for()
        await page.locator("h1", has_text="Ana").wait_for()
        await page.locator(".window", has_text="23 h").wait_for()
        assert (found := await one.violations()) == [], found

        async with page.expect_download() as download:
            await ana.get_by_role("link", name="Save as test").click()
        saved = stage.folder / (await download.value).suggested_filename
        await (await download.value).save_as(saved)
        assert one.unexpected == [], one.unexpected
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(saved)),
        cwd=Path(__file__).parents[3],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(run.communicate(), 4 * SECONDS)
    assert run.returncode == 0, said.decode()
    assert b"1 passed" in said


async def test_who_writes_first_is_seen_at_once_and_counted_until_read(stage: Stage) -> None:
    await stage.world.asked("POST", "/phones", {"id": "rosa", "handle": "rosa"})
    async with tab(stage.browser, PHONE) as one:
        page = one.page
        await one.sign_in(stage.url, "demo", PASSWORD)  # the account's inbox
        await page.get_by_text("No conversation yet").wait_for()
        await stage.world.asked("POST", "/phones/rosa/send", {"channel": "instagram", "text": "oi"})
        await page.locator(".conversations .item", has_text="rosa").locator(".unread", has_text="1").wait_for()
        assert "(1)" in await page.title()
        await page.locator(".conversations a", has_text="rosa").click()
        await page.locator("article.theirs", has_text="oi").wait_for()
        await page.locator("h1", has_text="rosa").wait_for()
        assert await page.locator(".unread").count() == 0
        assert (found := await one.violations()) == [], found
        await page.click(".back")
        await page.fill("input[type=search]", "ros")
        await page.locator(".conversations a").wait_for()
        await page.fill("input[type=search]", "nobody of this name")
        await page.get_by_text("No conversation of this name").wait_for()
        assert one.unexpected == [], one.unexpected


async def test_two_browsers_and_a_phone_lose_and_double_nothing_while_the_api_starts_again(stage: Stage) -> None:
    first_name, second_name, person = somebody(), somebody(), f"p{secrets.token_hex(4)}"
    number = f"+5511{secrets.randbelow(10**9):09}"
    await stage.world.asked("POST", "/phones", {"id": person, "number": number})
    async with tab(stage.browser) as first, tab(stage.browser, PHONE) as second:
        for one in (first, second):
            # while the API is away its connections are refused: that is the subject
            one.expected += ["ERR_CONNECTION_REFUSED", "WebSocket connection", "503", "ERR_CONNECTION_RESET"]
            one.expected += ["ERR_EMPTY_RESPONSE", "ERR_SOCKET_NOT_CONNECTED"]
        await second.sign_in(stage.url, second_name, PASSWORD)
        await first.sign_in(stage.url, first_name, PASSWORD)
        client = await stage.client(first_name)
        group = {"name": "Three of us", "initial_members": [f"user:{second_name}", f"whatsapp:{number}"]}
        talk = (await client.asked("POST", "/v1/groups", group))["group_id"]
        for one in (first, second):
            await one.page.goto(f"{stage.url}/#/c/{talk}")
            await one.page.wait_for_selector(".compose textarea")
        for n in range(3):
            await first.write(f"before {n}")
            await first.page.locator("article.mine", has_text=f"before {n}").wait_for()
        await second.page.locator("article.theirs", has_text="before 2").wait_for()

        api = stage.system.apis[0]
        api.kill()
        await first.write("while it is away")
        try:
            await first.page.get_by_text("The server does not answer").wait_for()
        finally:
            await stage.system.revive()
        await first.page.locator(".compose button[type=submit]").click()
        await second.write("and after")
        wanted = [*(f"before {n}" for n in range(3)), "while it is away", "and after"]

        async def is_whole(one: Tab) -> bool:
            return sorted(await one.texts()) == sorted(wanted)

        await until(lambda: is_whole(first), SECONDS, look_seconds=0.1)
        await until(lambda: is_whole(second), SECONDS, look_seconds=0.1)

        shown: list[str] = []

        async def is_shown() -> bool:
            screen = (await stage.world.asked("GET", f"/phones/{person}/messages"))["messages"]
            shown[:] = [one["text"] for one in screen]
            return sorted(shown) == sorted(wanted)

        await until(is_shown, SECONDS, look_seconds=0.1)
        assert await second.violations() == []
        assert [*first.unexpected, *second.unexpected] == []
        await client.close()


async def test_a_file_is_dropped_goes_on_after_a_break_and_is_shown(stage: Stage) -> None:
    async with tab(stage.browser) as one:
        page, breaks = one.page, 1
        one.expected += ["ERR_FAILED"]
        await one.sign_in(stage.url, somebody(), PASSWORD)
        await one.begin("+5511988887777", "a picture follows")

        async def cut(route: Route) -> None:
            nonlocal breaks
            if route.request.method == "PATCH" and breaks:
                breaks -= 1
                await route.abort()
            else:
                await route.continue_()

        await page.route("**/v1/uploads/**", cut)
        picture = list((Path(__file__).parents[3] / "docs/pictures/console.png").read_bytes())
        await page.evaluate(
            """(bytes) => {
              const data = new DataTransfer();
              data.items.add(new File([new Uint8Array(bytes)], "look.png", { type: "image/png" }));
              for (const kind of ["dragover", "drop"])
                document.body.dispatchEvent(new DragEvent(kind, { bubbles: true, dataTransfer: data }));
            }""",
            picture,
        )
        await page.locator(".attached", has_text="look.png").wait_for()
        await one.write("look at this")
        await one.until_ticks("look at this", "READ")
        await page.wait_for_function("() => document.querySelector('img.preview')?.naturalWidth > 100")
        assert breaks == 0
        assert (found := await one.violations()) == [], found
        assert one.unexpected == [], one.unexpected


async def test_a_long_conversation_is_scrolled_to_its_first_message_and_a_link_leads_into_it(stage: Stage) -> None:
    name, talk, count = somebody(), f"long-{secrets.token_hex(4)}", 450
    async with tab(stage.browser) as one:
        page = one.page
        await one.sign_in(stage.url, name, PASSWORD)
        client = await stage.client(name)
        bodies = [{"conversation_id": talk, "content": f"{n}: {'words ' * (1 + n % 40)}"} for n in range(count)]
        made = await client.asked("POST", "/v1/messages/batch", {"messages": bodies})
        await client.close()
        await page.goto(f"{stage.url}/#/c/{talk}")
        await page.locator("article", has_text=f"{count - 1}: ").wait_for()
        await page.hover(".log")

        async def is_at_the_first() -> bool:
            await page.mouse.wheel(0, -3_000)
            return bool((await one.texts())[:1] and (await one.texts())[0].startswith("0: "))

        await until(is_at_the_first, SECONDS, look_seconds=0.02)
        assert await page.locator("article").count() < 100  # only what is in sight is drawn
        await page.goto(f"{stage.url}/#/")
        linked = made["results"][20]["message"]["message_id"]
        await page.goto(f"{stage.url}/#/c/{talk}/m/{linked}")
        await page.locator(f"#m-{linked}.wanted").wait_for()
        assert one.unexpected == []


async def test_a_session_that_is_over_asks_to_sign_in_again(stage: Stage) -> None:
    async with tab(stage.browser) as one:
        one.expected += ["401"]
        await one.sign_in(stage.url, somebody(), PASSWORD)
        await one.page.evaluate(
            """() => {
              const kept = JSON.parse(sessionStorage.getItem("chat4all.session"));
              Object.assign(kept, { access_token: "x", refresh_token: "y" });
              sessionStorage.setItem("chat4all.session", JSON.stringify(kept));
            }"""
        )
        await one.page.reload()
        await one.page.get_by_text("Your session is over").wait_for()
        assert await one.page.evaluate("Object.keys(sessionStorage)") == []
        assert one.unexpected == [], one.unexpected


async def test_every_answer_to_the_page_has_its_policy(stage: Stage) -> None:
    async with aiohttp.ClientSession() as session:
        for name in ("", "console/app.js", "console/style.css"):
            async with session.get(f"{stage.url}/{name}") as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
