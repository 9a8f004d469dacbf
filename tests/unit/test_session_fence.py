"""A worker that was suspended for as long as a session lasts writes nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.faust.session_fence import SessionExpired, SessionFence
from app.faust.stream_app import StreamApp
from app.faust.worker_producer import WorkerBatchProducer
from app.kafka.batch_producer import BatchProducer
from app.settings import Settings
from support.waiting import until


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_that_was_suspended_for_a_session_ends() -> None:
    clock, errors = Clock(), list[SessionExpired]()
    fence = SessionFence(4.0, errors.append, clock)
    fence.check()
    clock.now += 3.9
    fence.check()
    assert errors == []
    clock.now += 4.1
    fence.check()
    assert [str(error) for error in errors] == ["this process was suspended for 4.1 s"]


def test_a_worker_allows_a_session_less_one_heartbeat(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path), store="memory", session_timeout_seconds=6.0, heartbeat_seconds=2.0)
    assert StreamApp(settings).session_fence._limit_seconds == 4.0


async def test_looks_by_itself() -> None:
    fence = SessionFence(4.0, list[SessionExpired]().append, Clock())
    await fence.start()
    await until(lambda: fence._seen == 1000.0)
    await fence.stop()


async def test_nothing_is_sent_before_a_look_at_the_clock() -> None:
    class Ended(BaseException):
        pass

    class LoudFence(SessionFence):
        def check(self) -> None:
            raise Ended

    batch_producer: BatchProducer = WorkerBatchProducer(
        LoudFence(4.0, list[SessionExpired]().append), "127.0.0.1:1", client_id="t"
    )
    with pytest.raises(Ended):
        await batch_producer._transmit(None, "topic", 0)  # type: ignore[arg-type]
