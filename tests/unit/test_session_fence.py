"""A worker that was away for a session writes nothing more."""

from __future__ import annotations

from typing import Any

import pytest

from app.batch_producer import BatchProducer
from app.session_fence import SessionExpired, SessionFence
from app.stream_app import _WorkerBatchProducer
from support.fakes import FakeApp
from support.waiting import until


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def app() -> Any:
    return FakeApp(session_timeout_seconds=6.0, heartbeat_seconds=2.0)


def test_a_worker_that_was_away_for_a_session_ends(app: Any) -> None:
    clock = Clock()
    fence = SessionFence(app, clock)
    fence.check()
    clock.now += 3.9
    fence.check()
    assert app.aborted == []
    clock.now += 4.1
    fence.check()
    what, error = app.aborted[0]
    assert what == "the session fence"
    assert isinstance(error, SessionExpired)
    assert "4.1 s" in str(error)


async def test_looks_by_itself(app: Any) -> None:
    fence = SessionFence(app, Clock())
    await fence.start()
    await until(lambda: fence._seen == 1000.0)
    await fence.stop()


async def test_nothing_is_sent_before_a_look_at_the_clock(app: Any) -> None:
    class Ended(BaseException):
        pass

    class LoudFence(SessionFence):
        def check(self) -> None:
            raise Ended

    batch_producer: BatchProducer = _WorkerBatchProducer(LoudFence(app), "127.0.0.1:1", client_id="t")
    with pytest.raises(Ended):
        await batch_producer._transmit(None, "topic", 0)  # type: ignore[arg-type]
