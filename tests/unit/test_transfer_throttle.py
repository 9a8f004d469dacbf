"""Files give way to messages, and to nothing else."""

from __future__ import annotations

import asyncio

import pytest

from web.files.transfer_throttle import LEAST_BYTES_PER_SECOND, MIB, Throttle

BUSY_SHARE = 0.5
CHUNK = 128 * 1024


class Loop:
    """A clock that moves as transfers do: each MiB keeps the thread busy for so many seconds, others do for a share."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, busy_seconds_a_mib: float, others_share: float = 0.0) -> None:
        self.now = self.busy = 100.0
        self._cost = busy_seconds_a_mib
        self._others = others_share
        self.throttle = Throttle(lambda: self.now, BUSY_SHARE, lambda: self.busy)
        monkeypatch.setattr(asyncio, "sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.busy += seconds * self._others

    async def transfer(self, seconds: float, messages: bool) -> float:
        """Send as fast as may be for so long; return MiB a second of the second half."""
        began, sent, half = self.now, 0, None
        while self.now < began + seconds:
            if messages:
                self.throttle.message_accepted()
            spent = self._cost * CHUNK / MIB
            self.now += spent / (1 - self._others)
            self.busy += spent / (1 - self._others)
            await self.throttle.acquire(CHUNK)
            sent += CHUNK
            if half is None and self.now >= began + seconds / 2:
                half = (self.now, sent)
        assert half is not None
        return (sent - half[1]) / MIB / (self.now - half[0])


async def test_without_messages_nothing_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch, 1 / 200)
    assert await loop.transfer(5, messages=False) == pytest.approx(200, rel=0.02)
    assert loop.throttle.bytes_per_second is None


async def test_while_messages_come_the_thread_is_free_for_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch, 1 / 200)
    assert await loop.transfer(10, messages=True) == pytest.approx(200 * BUSY_SHARE, rel=0.1)


async def test_once_messages_have_stopped_transfers_go_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch, 1 / 200)
    await loop.transfer(3, messages=True)
    assert await loop.transfer(10, messages=False) == pytest.approx(200, rel=0.02)


async def test_a_thread_busy_with_other_things_still_lets_files_through(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch, 1 / 200, others_share=0.9)
    assert await loop.transfer(10, messages=True) >= LEAST_BYTES_PER_SECOND / MIB * 0.9


async def test_after_a_pause_the_old_measure_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch, 1 / 200)
    await loop.transfer(3, messages=True)
    loop.now += 60
    assert await loop.transfer(10, messages=True) == pytest.approx(200 * BUSY_SHARE, rel=0.1)
