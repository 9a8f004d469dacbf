"""A new user of a running system, over HTTP and in a browser."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from playwright.async_api import Page, async_playwright

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PASSWORD = "a long passphrase"
WIDTH, HEIGHT = 1360, 860
_TRIES = 20


class Guest:
    """A user of the system at ``url`` with the simulator at ``simulator``."""

    def __init__(self, url: str, simulator: str) -> None:
        self.url = url.rstrip("/")
        self.simulator = simulator.rstrip("/")
        self.username = f"guest_{secrets.token_hex(4)}"
        self._login = {"username": self.username, "password": PASSWORD}
        self._headers: dict[str, str] = {}
        self._renew_at = 0.0

    async def __aenter__(self) -> Guest:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        await self._asked("POST", f"{self.url}/users", self._login, {})
        await self._log_in()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the answer of the API. Raises ``RuntimeError`` for a refusal."""
        if asyncio.get_running_loop().time() > self._renew_at:
            await self._log_in()
        return await self._asked(method, self.url + path, body, self._headers)

    async def _log_in(self) -> None:
        """A measurement may last longer than a token."""
        answer = await self._asked("POST", f"{self.url}/auth/login", self._login, {})
        self._headers = {"Authorization": f"Bearer {answer['access_token']}"}
        self._renew_at = asyncio.get_running_loop().time() + answer["expires_in"] / 2

    async def act(self, path: str, body: Mapping[str, Any] | None = None, method: str = "POST") -> Any:
        """Return the answer of the simulator. Raises ``RuntimeError`` for a refusal."""
        return await self._asked(method, self.simulator + path, body, {})

    async def _asked(self, method: str, url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]) -> Any:
        said = ""
        for _ in range(_TRIES):
            async with self._session.request(method, url, json=body, headers=headers) as answer:
                if answer.status < 400:
                    return await answer.json()
                said = f"{method} {url}: {answer.status} {await answer.text():.300}"
                if answer.status not in (429, 503):
                    break
            await asyncio.sleep(0.5)
        raise RuntimeError(said)

    async def person(self) -> str:
        """Make somebody on WhatsApp who reads only when told to; return their number."""
        number = f"+5511{secrets.randbelow(10**9):09}"
        await self.act("/phones", {"id": number[1:], "number": number, "reads": "never"})
        return number

    async def enter(self, page: Page) -> None:
        """Sign in at the console."""
        await page.goto(f"{self.url}/")
        await page.fill("#username", self.username)
        await page.fill("#password", PASSWORD)
        await page.click("form.sign-in button[type=submit]")
        await page.wait_for_selector(".shell")

    async def open(self, page: Page, conversation_id: str) -> None:
        """Open a conversation at the console."""
        await page.goto(f"{self.url}/#/c/{conversation_id}")
        await page.wait_for_selector(".compose textarea")


@asynccontextmanager
async def page_of_chromium() -> AsyncIterator[Page]:
    """Yield a page. Raises ``RuntimeError`` without a Chromium."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        raise RuntimeError("Chromium is not installed (Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield await browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, locale="en-GB")
        finally:
            await browser.close()
