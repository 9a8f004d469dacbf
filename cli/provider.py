"""`chat4all provider`: the simulated provider that misbehaves, as a process.

It writes receipts to ``<channel>-events``.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.commands import read_settings, sentences, start_logging
from domain.errors import Chat4AllError

if TYPE_CHECKING:
    from app.kafka.batch_producer import BatchProducer
    from app.settings import Settings
    from channels.simulated.provider.faults import Faults
    from channels.simulated.provider.receipt_sender import Report
    from domain.records import ReceiptReported

DEFAULT_PORT = 8090
LOOPBACK = "127.0.0.1"
STOP_SECONDS = 2.0


class CannotProvide(Chat4AllError):
    """The provider's options or port are of no use."""


@click.command()
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, envvar="CHAT4ALL_PROVIDER_PORT", type=int)
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

    GET /faults shows what it does, POST /faults changes it; GET /taken and GET /receipts tell the truth. See
    docs/simulated-channels.md.
    """
    settings = read_settings()
    start_logging(settings, "provider")
    with sentences():
        asyncio.run(_run(settings, _faults(preset, seed, file), host, port))


def _faults(name: str, seed: int, file: Path | None) -> Faults:
    from channels.simulated.provider.faults import InvalidFaults, from_toml, preset

    try:
        faults = preset(name, seed)
        return from_toml(file.read_text(encoding="utf-8"), faults) if file else faults
    except InvalidFaults as error:
        raise CannotProvide(f"{file}: {error}" if file else str(error)) from None


async def _run(settings: Settings, faults: Faults, host: str, port: int) -> None:
    from aiohttp import web

    from app.kafka.batch_producer import BatchProducer
    from channels.simulated.provider.server import Provider

    batch_producer = BatchProducer(settings.kafka, client_id="provider", timeout_seconds=5.0)
    await batch_producer.start()
    made = Provider(faults, reporter(settings, batch_producer))
    runner = web.AppRunner(made.app(), access_log=None, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise CannotProvide(f"cannot listen on {host}:{port}: {error}") from None
        click.echo(f"the provider listens on http://{host}:{port}")
        await stop.wait()
    finally:
        await runner.cleanup()
        await batch_producer.stop()


def reporter(settings: Settings, batch_producer: BatchProducer) -> Report:
    """Return a function that writes a receipt to its channel's events, on its conversation's partition."""
    from app.kafka.codec import encode
    from app.kafka.partitions import partition_for
    from app.kafka.topics import Topics

    names = Topics(settings.topic_prefix)

    async def report(channel: str, conversation: str, receipt: ReceiptReported) -> None:
        key = conversation.encode()
        partition = partition_for(key, settings.partitions)
        await batch_producer.send_and_wait(names.events(channel), partition, key, encode(receipt))

    return report
