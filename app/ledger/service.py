"""The process that keeps the ledger: a round every few seconds, and ``GET /metrics``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from aiohttp import web

from app.audit import RowLoaders
from app.ledger.metrics import LedgerMetrics
from app.ledger.reader import LedgerReader, open_reader
from app.settings import Settings
from domain.errors import LogUnavailable
from domain.ledger import Balance

log = logging.getLogger(__name__)

ROUND_SECONDS = 5.0
SAVE_SECONDS = 30.0
_RETRY_SECONDS = 2.0


def books_file(settings: Settings) -> Path:
    """Return where the books are kept between two lives of the process."""
    return Path(settings.data_dir) / f"{settings.topic_prefix}ledger.json"


async def keep(settings: Settings, loaders: RowLoaders, port: int, on_balance: Callable[[Balance], None]) -> None:
    """Keep the ledger until cancelled. ``on_balance`` gets each balance.

    Kafka may be away: the metrics go on, and ``chat4all_ledger_age_seconds`` grows. Raises ``InvalidSetting`` if the
    topics are not as the settings say, ``OSError`` if the port is taken.
    """
    metrics = LedgerMetrics(monotonic)
    runner = web.AppRunner(_page(metrics), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.metrics_host, port).start()
        while True:
            try:
                async with open_reader(settings, loaders, books_file(settings)) as reader:
                    await _rounds(reader, metrics, on_balance)
            except LogUnavailable as error:
                log.warning("the ledger waits: %s", error)
            await asyncio.sleep(_RETRY_SECONDS)
    finally:
        await runner.cleanup()


async def _rounds(reader: LedgerReader, metrics: LedgerMetrics, on_balance: Callable[[Balance], None]) -> None:
    saved_at, before = monotonic(), 0
    try:
        while True:
            balance = await reader.round()
            metrics.show(balance)
            on_balance(balance)
            if balance.difference != before:
                before = balance.difference
                log.log(
                    logging.CRITICAL if before else logging.INFO,
                    "the ledger differs by %d: %s",
                    before,
                    ", ".join(balance.missing) or "balanced again",
                )
            if monotonic() - saved_at >= SAVE_SECONDS:
                reader.save()
                saved_at = monotonic()
            await asyncio.sleep(ROUND_SECONDS)
    finally:
        reader.save()


def _page(metrics: LedgerMetrics) -> web.Application:
    async def show(request: web.Request) -> web.Response:
        body, headers = metrics.render()
        return web.Response(body=body, headers=headers)

    app = web.Application()
    app.router.add_get("/metrics", show)
    return app
