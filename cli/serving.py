"""Serves an aiohttp application of a command until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal

import click
from aiohttp import web

from cli.errors import CannotProvide

STOP_SECONDS = 2.0
BACKLOG = 4_096  # a worker that comes back opens a connection for each call in flight


async def serve(app: web.Application, host: str, port: int, listening: str) -> None:
    """Print ``listening`` once the port is open; return at the signal. Raises ``CannotProvide`` without the port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        try:
            await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
        except OSError as error:
            raise CannotProvide(f"cannot listen on {host}:{port}: {error}") from None
        click.echo(listening)
        await stop.wait()
    finally:
        await runner.cleanup()
