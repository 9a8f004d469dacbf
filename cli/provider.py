"""`chat4all provider`: the command of the simulated provider that misbehaves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.commands import read_settings, sentences, start_logging
from cli.errors import CannotProvide

if TYPE_CHECKING:
    from channels.simulated.chaos.faults import Faults

DEFAULT_PORT = 8090
LOOPBACK = "127.0.0.1"


@click.command()
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=DEFAULT_PORT,
    show_default=True,
    envvar="CHAT4ALL_PROVIDER_PORT",
    type=click.IntRange(1, 65_535),
    help="Port to listen on.",
)
@click.option("--preset", default="friendly", show_default=True, help="Faults to begin with: friendly, bad, worst.")
@click.option("--seed", default=1, show_default=True, type=int, help="Same seed: same decisions for a message.")
@click.option(
    "--faults",
    "file",
    envvar="CHAT4ALL_PROVIDER_FAULTS",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file that changes some of them.",
)
def provider(host: str, port: int, preset: str, seed: int, file: Path | None) -> None:
    """Run a simulated provider that misbehaves; accounts with the driver "provider" send to it.

    GET /faults shows its faults, POST /faults changes them. GET /taken and GET /receipts list what it really did.
    """
    import asyncio

    from cli.provider_process import run

    settings = read_settings()
    start_logging(settings, "provider")
    with sentences():
        asyncio.run(run(settings, _faults(preset, seed, file), host, port))


def _faults(name: str, seed: int, file: Path | None) -> Faults:
    from channels.simulated.chaos.faults import InvalidFaults, from_toml, preset

    try:
        faults = preset(name, seed)
        return from_toml(file.read_text(encoding="utf-8"), faults) if file else faults
    except InvalidFaults as error:
        raise CannotProvide(f"{file}: {error}" if file else str(error)) from None
