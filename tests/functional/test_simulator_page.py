"""The page of telephones: its files, and people known by a handle alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from simulator.page import FOLDER
from support.simulated import SimulatedWorld, simulated


@pytest.fixture
async def world() -> AsyncIterator[SimulatedWorld]:
    async with simulated() as world:
        yield world


async def test_the_page_and_each_file_that_it_names_is_served(world: SimulatedWorld) -> None:
    async with world.client.get("/") as answer:
        page = await answer.text()
        assert answer.content_type == "text/html"
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    names = re.findall(r'"(page/[^"]+)"', page)
    assert len(names) == 2
    for name in names:
        async with world.client.get(f"/{name}") as answer:
            assert answer.status == 200, name


def test_its_script_makes_no_markup_of_text() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", (FOLDER / "phones.js").read_text())


async def test_a_phone_with_a_handle_alone_is_made_without_naming_its_number(world: SimulatedWorld) -> None:
    made = await world.post("/phones", 201, handle="carla")
    assert made["handle"] == "carla"
