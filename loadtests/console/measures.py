"""First paint and size, scrolling through 10,000 messages, delay of ticks, memory."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import CDPSession, Page, Response

from loadtests.console.guest import Guest

BATCH = 500
MOST_SECONDS = 300.0
MINUTE_SECONDS = 60.0
SCREEN_PX = 2_500  # of one turn of the wheel
_FRAMES = """() => {
  window.frames_ms = [];
  let last = performance.now();
  const next = (now) => {
    window.frames_ms.push(now - last);
    last = now;
    window.frames_run && requestAnimationFrame(next);
  };
  window.frames_run = true;
  requestAnimationFrame(next);
}"""
# Before the page: when a frame arrives, and how many there were. Called for each new document.
_FRAMES_OF_SOCKET = """
window.frames = 0; window.arrived = {};
const Native = WebSocket;
window.WebSocket = class extends Native {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      window.frames += 1;
      if (!data.includes('"READ"')) return;
      const frame = JSON.parse(data);
      window.arrived[frame.message_id] ??= Date.now();
    });
  }
};
"""
# A task that was posted in the callback of a frame runs after the frame is painted.
_TICKS = """() => {
  window.ticked = {};
  new MutationObserver(() => {
    for (const one of document.querySelectorAll("article.mine")) {
      const { id } = one.dataset;
      if (window.ticked[id] || !one.querySelector(".ticks.READ")) continue;
      window.ticked[id] = 1;
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => { window.ticked[id] = Date.now(); };
        port2.postMessage(0);
      });
    }
  }).observe(document.querySelector(".log"), { childList: true, subtree: true });
}"""


def spread(values: Sequence[float], unit: str = "ms") -> str:
    """Return p50, p95, p99 and the maximum in words."""
    ordered = sorted(values)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99)]
    words = ", ".join(f"{name} {value:.1f}" for name, value in zip(("p50", "p95", "p99"), at, strict=True))
    return f"{words}, max {ordered[-1]:.1f} {unit} (n={len(ordered)})"


async def paint(guest: Guest, page: Page, times: int) -> str:
    """Return how long the first paint takes, with nothing cached, and the size of everything that is fetched."""
    client = await page.context.new_cdp_session(page)
    await client.send("Network.setCacheDisabled", {"cacheDisabled": True})
    found, answers = [], dict[str, Response]()

    def keep(answer: Response) -> None:
        answers.setdefault(answer.url, answer)  # later ones are 304

    page.on("response", keep)
    for _ in range(times):
        await page.goto(f"{guest.url}/", wait_until="networkidle")
        await page.wait_for_selector("form.sign-in")
        found.append(await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    size = sum(int(answer.headers.get("content-length", 0)) for answer in answers.values())
    return f"first contentful paint {spread(found)}; all files {size / 1000:.1f} kB"


async def scroll(guest: Guest, page: Page, messages: int) -> str:
    """Return the times of frames while a conversation of so many messages is scrolled to its beginning and back."""
    talk = f"long-{secrets.token_hex(4)}"
    for first in range(0, messages, BATCH):
        texts = [f"{n}: " + "words of a message " * (1 + n % 9) for n in range(first, min(messages, first + BATCH))]
        await guest.ask(
            "POST", "/v1/messages/batch", {"messages": [{"conversation_id": talk, "content": t} for t in texts]}
        )
    await guest.enter(page)
    await guest.open(page, talk)
    await page.hover(".log")
    began = time.monotonic()
    await page.evaluate(_FRAMES)
    while not (await page.locator("article.bubble .text").first.inner_text()).startswith("0: "):
        await page.mouse.wheel(0, -SCREEN_PX)
        if time.monotonic() - began > MOST_SECONDS:
            raise RuntimeError("the first message is not in sight")
    up = await page.evaluate("(window.frames_run = false, window.frames_ms)")
    seconds = time.monotonic() - began
    rows = await page.locator(".log .row").count()
    await page.evaluate(_FRAMES)
    for _ in range(100):
        await page.mouse.wheel(0, SCREEN_PX)
    down = await page.evaluate("(window.frames_run = false, window.frames_ms)")
    slow = sum(one > 50 for one in (*up, *down)) / len((*up, *down))
    return (
        f"{messages} messages, to the first one in {seconds:.1f} s ({rows} rows drawn): frames upwards, pages loading, "
        f"{spread(up)}; downwards {spread(down)}; {slow:.2%} over 50 ms"
    )


async def ticks(guest: Guest, page: Page, times: int, per_second: float, load_to: str) -> str:
    """Return the delay from the person's reading to the blue ticks on the page, beside a load of other messages.

    ``load_to`` is the channel that the load goes to, by the simulator if that is WhatsApp; another user sends it.
    Two parts are told apart: until the API's frame arrives at the page, and from there until the ticks are painted.
    """
    number = await guest.person()
    await page.add_init_script(_FRAMES_OF_SOCKET)
    await guest.enter(page)
    talk = (await guest.ask("POST", "/v1/messages", {"recipient_id": f"whatsapp:{number}", "content": "begin"}))[
        "conversation_id"
    ]
    await guest.open(page, talk)
    await page.evaluate(_TICKS)
    whole, pipeline, drawing = [], [], []
    async with _beside(guest, per_second, load_to):
        for n in range(times):
            sent = await guest.ask("POST", "/v1/messages", {"conversation_id": talk, "content": f"tick {n}"})
            message_id = sent["message_id"]
            await page.locator(f"#m-{message_id} .ticks.DELIVERED").wait_for()
            read_ms = time.time() * 1000
            await guest.act(f"/phones/{number[1:]}/read", {})
            await page.wait_for_function("(id) => window.ticked[id] > 1", arg=message_id, polling=20)
            arrived, painted = await page.evaluate(
                "(id) => [window.arrived[id], window.ticked[id]]", sent["message_id"]
            )
            whole.append(painted - read_ms)
            pipeline.append(arrived - read_ms)
            drawing.append(painted - arrived)
    return (
        f"from the telephone's reading to blue ticks, beside {per_second:g} messages/s to {load_to}: {spread(whole)}\n"
        f"  of it until the frame arrives: {spread(pipeline)}\n  from the frame to the painted ticks: {spread(drawing)}"
    )


@asynccontextmanager
async def _beside(guest: Guest, per_second: float, channel: str) -> AsyncIterator[None]:
    """Let another user send meanwhile. Raises what ended the load before its time."""
    async with Guest(guest.url, guest.simulator) as stranger:
        load = asyncio.create_task(_load(stranger, per_second, channel))
        try:
            yield
        finally:
            load.cancel()
            await asyncio.wait({load})
        if not load.cancelled():
            load.result()


async def _load(guest: Guest, per_second: float, channel: str) -> None:
    if channel == "whatsapp":
        people = [f"whatsapp:{await guest.person()}" for _ in range(20)]
    else:
        people = [f"{channel}:@load{secrets.token_hex(4)}" for _ in range(20)]
    began, number = time.monotonic(), 0
    while per_second:
        due = int((time.monotonic() - began) * per_second)
        if due > number:
            bodies = [{"recipient_id": people[n % 20], "content": f"load {n}"} for n in range(number, due)]
            number = due
            await guest.ask("POST", "/v1/messages/batch", {"messages": bodies})
        await asyncio.sleep(0.05)


async def memory(guest: Guest, page: Page, minutes: float, per_second: float) -> str:
    """Return the heap and the nodes of the page, each minute, while about so many frames a second come in.

    Each message is two frames: the message, and that it was delivered to the other user.
    """
    talk = f"busy-{secrets.token_hex(4)}"
    other = f"other_{secrets.token_hex(4)}"
    await guest.ask("POST", "/users", {"username": other, "password": secrets.token_hex(12)})
    await page.add_init_script(_FRAMES_OF_SOCKET)
    await guest.enter(page)
    group = {"name": talk, "initial_members": [f"user:{other}"]}
    talk = (await guest.ask("POST", "/v1/groups", group))["group_id"]
    await guest.open(page, talk)
    client = await page.context.new_cdp_session(page)
    began, number, looks = time.monotonic(), 0, [await _heap(client)]
    while (passed := time.monotonic() - began) < minutes * 60:
        due = min(number + BATCH, int(passed * per_second / 2))
        bodies = [{"conversation_id": talk, "content": f"event {n} {'words ' * 10}"} for n in range(number, due)]
        number = due
        if bodies:
            await guest.ask("POST", "/v1/messages/batch", {"messages": bodies})
        if passed > len(looks) * MINUTE_SECONDS:
            looks.append(await _heap(client))
            print(f"  {passed:.0f} s, {await page.evaluate('window.frames')} frames: {looks[-1]}", flush=True)
        await asyncio.sleep(0.1)
    looks.append(await _heap(client))
    frames = await page.evaluate("window.frames")
    return f"{number} messages, {frames} frames in {minutes:g} min: heap and nodes " + "; ".join(looks)


async def _heap(client: CDPSession) -> str:
    await client.send("HeapProfiler.collectGarbage")
    await client.send("Performance.enable")
    metrics: dict[str, Any] = {
        one["name"]: one["value"] for one in (await client.send("Performance.getMetrics"))["metrics"]
    }
    return f"{metrics['JSHeapUsedSize'] / 1e6:.1f} MB {metrics['Nodes']:.0f}"
