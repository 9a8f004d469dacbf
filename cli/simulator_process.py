"""The process of `chat4all simulator`."""

from __future__ import annotations

import asyncio
import signal

import click
from aiohttp import web

from app.settings import Settings
from cli.errors import CannotProvide
from cli.simulated_accounts import business_accounts
from simulator.accounts import DEFAULTS
from simulator.chaos import InvalidFaults
from simulator.chaos import preset as chaos_preset
from simulator.server import Simulator

STOP_SECONDS = 2.0
BACKLOG = 4_096  # a worker that comes back opens a connection for each call in flight


async def run(settings: Settings, host: str, port: int, seed: int, preset: str, callback_base: str) -> None:
    """Serve until SIGTERM or SIGINT. Raises ``CannotProvide`` without the port, or for an unknown preset."""
    try:
        chaos = chaos_preset(preset, seed)
    except InvalidFaults as error:
        raise CannotProvide(str(error)) from None
    accounts = business_accounts(settings, port)
    named = host if host not in ("", "0.0.0.0", "::") else "127.0.0.1"
    url = f"http://[{named}]:{port}" if ":" in named else f"http://{named}:{port}"
    made = Simulator(chaos, accounts or DEFAULTS, callback_base, url)
    runner = web.AppRunner(made.app(), access_log=None, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        try:
            await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
        except OSError as error:
            raise CannotProvide(f"cannot listen on {host}:{port}: {error}") from None
        of = "accounts of " + settings.accounts if accounts else "its own accounts"
        names = ", ".join(f"{account.channel}/{account.name}" for account in made.accounts)
        click.echo(f"the simulator listens on {url} with {of}: {names}; webhooks go to {callback_base}")
        await stop.wait()
    finally:
        await runner.cleanup()
