"""What others wrote about the protocols: the folder that ``CHAT4ALL_JUDGES`` names. Without it these tests skip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "CHAT4ALL_JUDGES"


@pytest.fixture(scope="session")
def judges() -> Path:
    """Return the folder of the published descriptions and payloads."""
    folder = os.environ.get(VARIABLE, "")
    if not folder:
        pytest.skip(f"{VARIABLE} names no folder with the published descriptions of the protocols")
    path = Path(folder)
    assert path.is_dir(), f"{VARIABLE}={folder}: there is no such folder"
    return path
