"""Servers of a benchmark's own."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from devstack import Stack, StackConfig

START_SECONDS = 240.0  # a machine that other load tests keep busy


@contextmanager
def own_servers(name: str, parts: Sequence[str]) -> Iterator[tuple[Stack, Path]]:
    """The named parts on free ports with empty data, and a folder for the rest; gone at the end, also after SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    usual = StackConfig.from_environment()
    usual.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=usual.folder))
    config = StackConfig.on_free_ports(folder, usual.jars_folder)
    stack = Stack(replace(config, start_timeout_seconds=START_SECONDS))
    try:
        stack.up(parts)
        yield stack, folder
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)
