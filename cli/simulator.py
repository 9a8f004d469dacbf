"""`chat4all simulator`: the command of the simulator of the providers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from cli.commands import read_settings, sentences, start_logging

DEFAULT_PORT = 8090
LOOPBACK = "127.0.0.1"


@click.command()
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=DEFAULT_PORT,
    show_default=True,
    envvar="CHAT4ALL_SIMULATOR_PORT",
    type=click.IntRange(1, 65_535),
    help="Port to listen on.",
)
@click.option("--seed", default=1, show_default=True, type=int, help="Same seed: same decisions for a message.")
@click.option("--preset", default="friendly", show_default=True, help="Chaos to begin with: friendly, bad, worst.")
@click.option(
    "--callback",
    default="",
    metavar="URL",
    help="Webhooks go to URL/<channel>/<account>; by default to /webhooks of the API on this machine.",
)
@click.option(
    "--accounts",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of accounts; by default CHAT4ALL_ACCOUNTS. Those that send to this port are served, or else own ones.",
)
def simulator(host: str, port: int, seed: int, preset: str, callback: str, file: Path | None) -> None:
    """Run a simulator of WhatsApp, Instagram and Telegram, with people who answer.

    Accounts with the drivers "whatsapp", "instagram" and "telegram" send to it; it posts webhooks. Open it in a
    browser to see the people's telephones, or use `chat4all phones`. POST /chaos makes it misbehave.
    """
    import asyncio

    from chat4all.cli.api_address import local_url
    from cli.simulator_process import run

    settings = read_settings()
    if file is not None:
        settings = replace(settings, accounts=str(file))
    start_logging(settings, "simulator")
    base = callback or f"{local_url(settings.host, settings.port)}/webhooks"
    with sentences():
        asyncio.run(run(settings, host, port, seed, preset, base))
