"""`python -m loadtests.console`: figures of the console in a real Chromium, against a running system."""

from __future__ import annotations

import argparse
import asyncio

from loadtests.console import measures
from loadtests.console.guest import Guest, page_of_chromium


async def main(options: argparse.Namespace) -> None:
    """Print the measures that were asked for."""
    wanted = {
        "paint": lambda guest, page: measures.paint(guest, page, 10),
        "scroll": lambda guest, page: measures.scroll(guest, page, options.messages),
        "ticks": lambda guest, page: measures.ticks(guest, page, options.times, options.per_second, options.load_to),
        "memory": lambda guest, page: measures.memory(guest, page, options.minutes, options.events),
    }
    for name in options.only or wanted:
        async with Guest(options.url, options.simulator) as guest, page_of_chromium() as page:
            print(f"{name}: {await wanted[name](guest, page)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m loadtests.console", description=__doc__)
    parser.add_argument("only", nargs="*", help="paint, scroll, ticks, memory; by default all")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--simulator", default="http://127.0.0.1:8090")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=100.0)
    parser.add_argument("--load-to", default="whatsapp", choices=("whatsapp", "instagram", "telegram"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--events", type=float, default=50.0)
    asyncio.run(main(parser.parse_args()))
