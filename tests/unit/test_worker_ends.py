"""A worker that cannot work ends; one that works says so; one that is told to end does so in time."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from app.faust.poll_loop import ConsumerThread
from app.faust.stream_worker import StreamWorker
from app.settings import Settings
from support.waiting import until
from tests.unit.consumer_on_paper import PaperApp


class EndingApp(PaperApp):
    """An app that says what would have ended it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.aborted: list[tuple[str, BaseException]] = []

    def abort(self, what: str, error: BaseException) -> None:
        self.aborted.append((what, error))


@pytest.fixture
async def app(tmp_path: Path) -> EndingApp:
    made = EndingApp(Settings(role="core", store="memory", data_dir=str(tmp_path)))
    made._consumer = SimpleNamespace(assignment=lambda: {TP("messages", 1), TP("messages", 0)})
    return made


async def test_a_service_that_fails_ends_the_worker_at_once(app: EndingApp) -> None:
    error = RuntimeError("recovery failed")
    await app.tables.recovery.crash(error)
    assert ("a service", error) in app.aborted


async def test_a_service_that_fails_while_the_worker_stops_changes_nothing(app: EndingApp) -> None:
    app._stopped.set()
    await app.tables.recovery.crash(RuntimeError("closed"))
    assert app.aborted == []


@pytest.mark.parametrize("name", ["_coordination_task", "_sync_task"])
async def test_the_end_of_a_task_of_aiokafkas_is_the_workers_end(app: EndingApp, name: str) -> None:
    going_on = asyncio.create_task(asyncio.Event().wait())

    async def fails() -> None:
        raise AssertionError("metadata.url")

    tasks = {"_coordination_task": going_on, "_sync_task": going_on, name: asyncio.create_task(fails())}
    thread: Any = SimpleNamespace(app=app)
    consumer: Any = SimpleNamespace(
        _coordinator=SimpleNamespace(_coordination_task=tasks["_coordination_task"]),
        _client=SimpleNamespace(_sync_task=tasks["_sync_task"]),
    )
    thread._ended = ConsumerThread._ended.__get__(thread)
    ConsumerThread._watch_tasks(thread, consumer)
    await until(lambda: app.aborted)
    assert app.aborted[0][0] == "aiokafka's consumer"
    going_on.cancel()


async def ready(app: EndingApp) -> tuple[int, Any]:
    answer = await app._ready_page(None)
    return answer.status, json.loads(answer.body)


async def test_a_worker_is_ready_from_the_end_of_its_first_rebalance_and_never_during_one(app: EndingApp) -> None:
    assert await ready(app) == (503, {"status": "starting", "role": "core", "partitions": {}})
    app.on_rebalance_start()
    assert (await ready(app))[0] == 503
    app.on_rebalance_end()
    assert await ready(app) == (200, {"status": "ready", "role": "core", "partitions": {"messages": [0, 1]}})
    app.on_rebalance_start()
    assert (await ready(app))[0] == 503


async def test_a_worker_that_is_told_to_end_has_so_much_time_and_no_more(app: EndingApp) -> None:
    bounds: list[float] = []
    app.pulse._end_after = bounds.append
    worker = app.Worker(loop=asyncio.get_running_loop())
    stopped: list[int] = []

    async def stop(number: int) -> None:
        stopped.append(number)

    worker._stop_on_signal = stop
    worker._on_sigterm()
    await until(lambda: stopped == [signal.SIGTERM])
    assert bounds == [15.0]
    assert app.conf.Worker is type(worker) is StreamWorker, "`faust worker` takes the one of the settings"


def test_a_worker_that_has_stopped_is_gone_without_a_second_of_sleep(
    app: EndingApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its partitions wait for its end. Mode sleeps a second for tasks that go on, and one before it closes the loop."""

    async def slept(seconds: float) -> None:
        raise AssertionError(f"it sleeps {seconds} s")

    monkeypatch.setattr("mode.worker.asyncio.sleep", slept)
    loop = asyncio.new_event_loop()
    worker = app.Worker(loop=loop)
    left = loop.create_task(asyncio.Event().wait())
    worker._shutdown_loop()
    assert left.cancelled()
    assert loop.is_closed()


async def test_what_is_drained_twice_at_the_end_has_the_time_of_one(
    app: EndingApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.faust.stream_app.DRAIN_SECONDS", 0.2)
    app.on_drain(asyncio.Event().wait)  # type: ignore[arg-type]
    app._stopped.set()
    began = asyncio.get_running_loop().time()
    await app.drain()
    first = asyncio.get_running_loop().time()
    await app.drain()
    assert first - began >= 0.2
    assert asyncio.get_running_loop().time() - first < first - began
