"""Our consumer overrides private methods of these libraries, so a new version is a change to be looked at."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from app.faust.consumer import PINNED


@pytest.mark.parametrize("library", sorted(PINNED))
def test_the_libraries_under_our_consumer_are_those_it_was_proven_with(library: str) -> None:
    installed = version(library)
    assert installed == PINNED[library], (
        f"{library} {installed} is installed, and app/faust/consumer.py and app/faust/poll_loop.py were proven with "
        f"{PINNED[library]}: compare the methods that they override, run `make rounds N=40`, then move the pin"
    )
