"""`python -m loadtests.console.pictures`: the README's screenshot and animation, made from a running system.

It plays a conversation with Ana of the telephones beside the console, and writes ``docs/pictures/console.png`` and
``docs/pictures/console.webp``.
"""

from __future__ import annotations

import argparse
import asyncio
import io
from pathlib import Path

from PIL import Image
from playwright.async_api import Page

from loadtests.console.guest import Guest, page_of_chromium

FOLDER = Path(__file__).parents[2] / "docs/pictures"
FRAME_MS, LAST_MS, WIDTH = 350, 2_500, 900
QUALITY = 55


class Film:
    """Frames of a page; the same picture twice is one that stays longer."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._frames: list[Image.Image] = []
        self._durations: list[int] = []

    async def take(self, stays_ms: int = FRAME_MS) -> None:
        """Take a frame."""
        picture = Image.open(io.BytesIO(await self._page.screenshot())).convert("RGB")
        height = round(picture.height * WIDTH / picture.width)
        self._frames.append(picture.resize((WIDTH, height), Image.Resampling.LANCZOS))
        self._durations.append(stays_ms)

    async def type(self, field: str, text: str) -> None:
        """Type into a field, a frame for each word."""
        for word in text.split(" "):
            await self._page.locator(field).press_sequentially(f"{word} ")
            await self.take(200)

    def save(self, path: Path) -> None:
        """Write the animation."""
        first, *rest = self._frames
        first.save(path, save_all=True, append_images=rest, duration=self._durations, loop=0, quality=QUALITY, method=6)


async def main(url: str, simulator: str) -> None:
    """Play, and write the pictures."""
    async with Guest(url, simulator) as guest, page_of_chromium() as page:
        await guest.enter(page)
        film = Film(page)
        ana = page.frame_locator(".phones iframe").locator(".phone.whatsapp")
        await ana.get_by_role("button", name="Write to them").click()
        await page.wait_for_selector("#first")
        await film.take()
        await film.type("#first", "Hello Ana! When shall we deliver your order?")
        await page.click("form.new button[type=submit]")
        await page.wait_for_selector("article.mine .ticks")
        await film.take()
        for status in ("SENT, .ticks.DELIVERED, .ticks.READ", "DELIVERED, .ticks.READ", "READ"):
            await page.wait_for_selector(f".ticks.{status}")
            await film.take()
        words = ana.get_by_label("Write as Ana")
        for word in ["Tomorrow", "morning,", "please"]:
            await words.press_sequentially(f"{word} ")
            await film.take(200)
        await words.press("Enter")
        await page.wait_for_selector("article.theirs")
        await film.take(800)
        await ana.locator("article", has_text="Hello Ana").last.hover()
        await ana.locator("article", has_text="Hello Ana").last.get_by_role("button", name="❤️").click()
        await page.wait_for_selector(".reactions")
        await page.wait_for_selector(".window")
        await film.take(1_200)
        await page.screenshot(path=FOLDER / "console.png")
        await page.locator("article.mine").last.hover()
        await page.locator("article.mine").last.get_by_role("button", name="Life of the message").click()
        await page.wait_for_selector(".hops li")
        await film.take(LAST_MS)
        film.save(FOLDER / "console.webp")
        print(f"{(FOLDER / 'console.webp').stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m loadtests.console.pictures", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--simulator", default="http://127.0.0.1:8090")
    options = parser.parse_args()
    asyncio.run(main(options.url, options.simulator))
