"""The API's process: build the application, wire the adapters, serve, stop.

chat4all api        or        python -m web.server
"""

from __future__ import annotations

import asyncio
import logging
import logging.config
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import uvloop
from aiohttp import web

from app import fault_points
from app.file_sweep import SweepReport
from app.file_sweep_timer import FileSweeper
from app.garbage import freeze_objects
from app.log_level import toggle_on_signal
from app.logs import logging_config
from app.loop_delay import measure
from app.pulse import Pulse
from app.settings import Settings
from app.stacks import dump_on_signal
from web.bootstrap.connections import Connections
from web.bootstrap.gauges import watch_services
from web.bootstrap.install import install
from web.bootstrap.services import Services
from web.http.app_keys import SIBLINGS
from web.http.headers import add_headers
from web.http.in_flight import IN_FLIGHT, InFlightRequests
from web.http.middlewares import answer_every_request
from web.http.protocol import listen
from web.live.service import LIVE
from web.routes import add_routes

log = logging.getLogger(__name__)

# longer than an accept may take, shorter than a supervisor's patience
IN_FLIGHT_SECONDS = 8.0
JOIN_SECONDS = 2.0
STOP_SECONDS = 18.0  # shorter than the supervisor's patience, so that the stacks are in the log
# wait until the records not mirrored yet have been read, or messages accepted by other processes would be missing
SETTLE_SECONDS = 10.0
# Threads (for hashes, files, Cassandra) hand the interpreter back to the event loop after so long; by default it is
# 5 ms, which a message would wait several times on its way.
THREAD_SWITCH_SECONDS = 0.0005


def create_app(services: Services) -> web.Application:
    """Return the application over ``services``."""
    app = web.Application(middlewares=[answer_every_request], client_max_size=services.settings.max_body_bytes)
    install(app, services)
    watch_services(services)
    requests = app[IN_FLIGHT] = InFlightRequests()
    services.metrics.watch("chat4all_http_requests_in_flight", "Requests under way.", lambda: requests.count)
    add_routes(app)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(close_live)
    return app


async def close_live(app: web.Application) -> None:
    """Close every WebSocket: this process stops."""
    await app[LIVE].stop()


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set.

    Then: accept no more connections, finish the requests in flight (at most ``IN_FLIGHT_SECONDS``), flush Kafka.
    Kafka and Cassandra need not be available at the start. Raises the error of a failed background task, and
    ``OSError`` if the port is taken by a process not sharing it.
    """
    async with _wired(settings) as (services, background):
        app = create_app(services)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        server = await listen(runner, settings.host, settings.port)
        answering = app[SIBLINGS].answering()
        await answering.__aenter__()
        try:
            freeze_objects()
            log.info("listening on http://%s:%d", settings.host, settings.port)
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait([stopping, *background], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
        finally:
            server.close()
            await answering.__aexit__(None, None, None)
            log.info("stopping: finishing %d requests", app[IN_FLIGHT].count)
            services.uploads.resumable.stop()
            if not await app[IN_FLIGHT].wait_until_drained(IN_FLIGHT_SECONDS):
                log.warning("stopping with %d requests unfinished", app[IN_FLIGHT].count)
            await runner.cleanup()
            await services.conversation_opener.close(JOIN_SECONDS)
        for task in background:
            if task.done():
                task.result()


@asynccontextmanager
async def _wired(settings: Settings) -> AsyncIterator[tuple[Services, list[asyncio.Task[None]]]]:
    """Yield the services over the real adapters, and the background tasks; these must not end."""
    connections = Connections(settings)
    batch_producer, cassandra, tailer = connections.batch_producer, connections.cassandra, connections.tailer
    services = Services(connections.adapters())
    tailer.listener = services.flow.recorder
    services.metrics.watch(
        "chat4all_follower_records_removed_unread",
        "Records that retention removed unread.",
        lambda: tailer.removed_unread,
    )
    cassandra.start()
    background = [
        asyncio.create_task(batch_producer.keep_open(), name="batch_producer"),
        asyncio.create_task(_sweep_files(services), name="file-sweeper"),
        tailer.start(),
        asyncio.create_task(services.history.watch(), name="history"),
        asyncio.create_task(measure(services.metrics.loop_delay.count), name="loop-delay"),
    ]
    try:
        await tailer.wait_until_caught_up(SETTLE_SECONDS)
        yield services, background
    finally:
        for task in background:
            task.cancel()
        await tailer.stop()
        await batch_producer.stop()
        if connections.tracing is not None:
            await asyncio.to_thread(connections.tracing.close)
        await cassandra.close()
        await connections.file_store.close()
        await services.flow.close()
        services.passwords.close()
        services.upload_threads.shutdown(wait=False)


async def _sweep_files(services: Services) -> None:
    """Delete abandoned uploads and orphaned objects at the configured interval."""

    def count(report: SweepReport) -> None:
        metrics = services.metrics
        metrics.files_swept.count += report.uploads_swept
        metrics.file_orphans_swept.count += report.objects_swept
        metrics.file_sweep_failures.count += len(report.failures)

    adapters = services.adapters
    await FileSweeper(adapters.files, adapters.file_store, adapters.settings, adapters.clock_ms, count).run()


async def _run_watched(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. A hanging event loop, or a stop over its time limit, ends the process."""
    pulse, stop, loop = Pulse(), asyncio.Event(), asyncio.get_running_loop()

    def begin_to_stop() -> None:
        pulse.stop(STOP_SECONDS)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, begin_to_stop)
    dump_on_signal()
    toggle_on_signal(loop, settings.log_level)
    pulse.watch("the API", loop)
    await run(settings, stop)


def main(settings: Settings | None = None) -> None:
    """Run one API process on uvloop."""
    settings = settings or Settings.from_environ()
    fault_points.arm("api")
    sys.setswitchinterval(THREAD_SWITCH_SECONDS)
    logging.config.dictConfig(logging_config(replace(settings, role="api")))
    with suppress(KeyboardInterrupt):
        uvloop.run(_run_watched(settings))


if __name__ == "__main__":
    main()
