"""A real Chromium, headless: pages whose faults are kept, and axe-core's judgement of what they show."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE, WIDE = (390, 844), (1360, 860)
SECONDS = 30.0


def needs_chromium() -> pytest.MarkDecorator:
    """Return the mark of tests that need it; without it they are skipped, and say so."""
    return pytest.mark.skipif(path() is None, reason="Chromium is not installed (Debian: apt-get install chromium)")


def path() -> str | None:
    """Return where Chromium is."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Yield a running browser."""
    async with async_playwright() as playwright:
        # as root, in containers, there is no sandbox for it
        browser = await playwright.chromium.launch(executable_path=path(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


class Tab:
    """A page in a profile of its own. ``faults``: errors on its console, and uncaught ones; ``expected``: texts of
    faults that a test causes on purpose."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        self.expected: list[str] = []
        page.set_default_timeout(SECONDS * 1_000)
        page.on("console", lambda message: self.faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    @property
    def unexpected(self) -> list[str]:
        """The faults that no test caused."""
        return [fault for fault in self.faults if not any(text in fault for text in self.expected)]

    async def violations(self, frame: str = "") -> list[str]:
        """Return what axe-core finds wrong with the page, or with the frame whose address has the text ``frame``."""
        script = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        # through the inspector: the page's own policy allows no such script, rightly
        judged = next(one for one in self.page.frames if frame in one.url)
        await judged.evaluate(script)
        found: dict[str, Any] = await judged.evaluate("() => axe.run(document, {iframes: false})")
        return [
            f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
            for one in found["violations"]
        ]

    async def sign_in(self, url: str, username: str, password: str, *, is_new: bool = True) -> None:
        """Open the console and sign in, as a new user by default."""
        await self.page.goto(f"{url}/")
        if is_new:
            await self.page.get_by_text("No account yet?").click()
        await self.page.fill("#username", username)
        await self.page.fill("#password", password)
        await self.page.click("form.sign-in button[type=submit]")
        await self.page.wait_for_selector(".shell")

    async def write(self, text: str) -> None:
        """Write into the open conversation."""
        await self.page.fill(".compose textarea", text)
        await self.page.press(".compose textarea", "Enter")

    async def begin(self, recipient: str, text: str) -> None:
        """Begin a conversation."""
        await self.page.goto(self.page.url.partition("#")[0] + "#/new")
        await self.page.fill("#to", recipient)
        await self.page.fill("#first", text)
        await self.page.click("form.new button[type=submit]")
        await self.page.wait_for_selector(".compose textarea")

    async def until_ticks(self, text: str, status: str) -> None:
        """Wait until the message with this text has the ticks of ``status``."""
        await self.page.locator("article.bubble", has_text=text).locator(f".ticks.{status}").first.wait_for()

    async def texts(self) -> list[str]:
        """Return the texts of the bubbles that are drawn, in their order."""
        return list(await self.page.locator("article.bubble .text").all_inner_texts())


@asynccontextmanager
async def tab(browser: Browser, size: tuple[int, int] = WIDE, **options: Any) -> AsyncIterator[Tab]:
    """Yield a page in a profile of its own."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]}, locale=options.pop("locale", "en-GB"), **options
    )
    try:
        yield Tab(await context.new_page())
    finally:
        await context.close()
