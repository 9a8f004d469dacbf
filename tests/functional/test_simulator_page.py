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
    assert {"page/phones.css", "page/phones.js", "page/chaos.html"} <= set(names)
    for name in names:
        async with world.client.get(f"/{name}") as answer:
            assert answer.status == 200, name


@pytest.mark.parametrize("script", sorted(path.name for path in FOLDER.glob("*.js")))
def test_no_script_makes_markup_of_text(script: str) -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", (FOLDER / script).read_text())


async def test_a_phone_with_a_handle_alone_is_made_without_naming_its_number(world: SimulatedWorld) -> None:
    made = await world.post("/phones", 201, handle="carla")
    assert made["handle"] == "carla"


async def test_a_page_is_told_at_once_whose_telephone_changed(world: SimulatedWorld) -> None:
    await world.post("/phones", 201, id="ana", number="+5511999990001")
    async with world.client.get("/events") as stream:
        await stream.content.readuntil(b"\n\n")  # it is listening
        await world.post("/phones/ana/send", text="oi")
        told = await stream.content.readuntil(b"\n\n")
    assert told == b'data: {"changed": ["ana"]}\n\n'
