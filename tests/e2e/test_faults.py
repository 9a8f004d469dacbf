"""The short form of the fault matrix; `make faults` runs the whole and writes docs/reliability.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.faults.__main__ import chosen, options
from loadtests.faults.measure import Measurement
from loadtests.faults.world import world
from loadtests.system import Servers

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


async def test_each_fault_of_the_short_form_loses_and_repeats_nothing(stack: Servers, tmp_path: Path) -> None:
    found = []
    async with world(stack, None, tmp_path, seed=1) as here:
        for row in chosen(options(["--short"])):
            found.append(await Measurement(row, here).run())
            print(found[-1])
            await here.system.ready()
    assert [str(each) for each in found if not each.is_good] == []
