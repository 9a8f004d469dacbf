"""Threads for bulk work give way to the one that started them."""

from __future__ import annotations

import os
import sys

import pytest

from storage.bulk_threads import bulk_threads


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no niceness of its own")
def test_only_the_bulk_threads_are_nice() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with bulk_threads(1, "bulk") as threads:
        assert threads.submit(os.getpriority, os.PRIO_PROCESS, 0).result() > before
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
