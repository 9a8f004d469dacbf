"""Which parts make a file."""

from __future__ import annotations

import pytest

from domain.errors import Conflict
from domain.file_parts import check_order, check_parts
from domain.files import PART_BYTES
from domain.ports.files import Part


def parts(*sizes: int) -> list[Part]:
    return [Part(number, size, f"sum-{number}") for number, size in enumerate(sizes, 1)]


@pytest.mark.parametrize("sizes", [(1,), (PART_BYTES,), (PART_BYTES, 1), (PART_BYTES, PART_BYTES)])
def test_all_parts_but_the_last_are_whole(sizes: tuple[int, ...]) -> None:
    check_order(parts(*sizes))


@pytest.mark.parametrize("sizes", [(), (1, 1), (PART_BYTES - 1, PART_BYTES), (PART_BYTES + 1, 1)])
def test_others_make_no_file(sizes: tuple[int, ...]) -> None:
    with pytest.raises(Conflict):
        check_order(parts(*sizes))


def test_parts_are_numbered_without_a_gap() -> None:
    with pytest.raises(Conflict):
        check_order(parts(PART_BYTES, 1)[1:])


def test_a_part_has_to_be_there_as_it_is_named() -> None:
    named = parts(PART_BYTES, 7)
    there = {part.number: part for part in named}
    check_parts(named, there)
    with pytest.raises(Conflict):
        check_parts(named, there | {2: Part(2, 7, "another sum")})
