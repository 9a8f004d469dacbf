"""What `chat4all run` shows of its processes' logs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cli.readable import Screen, columns, fresh, keep_short, readable


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        pytest.param("22:25:34.377 INFO     whatsapp  [W] Sent", "22:25:34.377  whatsapp-1  [W] Sent", id="text"),
        pytest.param("22:25:34.377 WARNING  core      slow", "22:25:34.377  whatsapp-1  WARNING slow", id="a level"),
        pytest.param(
            '{"at":"2026-01-01T10:00:00.123","level":"ERROR","role":"core","logger":"x","message":"no","error":"Trace"}',
            "10:00:00.123  whatsapp-1  ERROR no\nTrace",
            id="JSON",
        ),
        pytest.param('{"at": broken', '              whatsapp-1  {"at": broken', id="not quite JSON"),
        pytest.param("  File x, line 3", "              whatsapp-1    File x, line 3", id="a line of a traceback"),
        pytest.param("22:25:34.377 INFO     core      [^--Watchdog]: Starting...", None, id="Faust's services"),
        pytest.param("+ƒaµS† v0.15.3+----+", None, id="Faust's banner"),
        pytest.param("| web         | http://127.0.0.1:11082 |", None, id="the table in it"),
        pytest.param("", None, id="an empty line"),
    ],
)
def test_a_line_is_shown_as_people_read_it(line: str, shown: str | None) -> None:
    import click

    text = readable("whatsapp-1", line)
    assert (text and click.unstyle(text)) == shown


def test_the_workers_of_a_role_have_one_colour_and_different_roles_have_others() -> None:
    column_of = columns(["run", "api-1", "whatsapp-1", "whatsapp-2"])
    colours = [column.partition("m")[0] for column in column_of.values()]
    assert colours[2] == colours[3]
    assert len(set(colours)) == 3


def shown(screen: Screen, stream: io.StringIO, *, with_past: bool) -> list[str]:
    screen.start(with_past=with_past)
    screen.end()
    return [line.rpartition("  ")[2] for line in stream.getvalue().splitlines()]


def test_the_past_is_shown_if_it_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "core-1.log"
    file.write_text("one\ntwo\nhalf a li")
    for with_past, expected in ((True, ["one", "two"]), (False, [])):
        stream = io.StringIO()
        assert shown(Screen({"core-1": file}, stream), stream, with_past=with_past) == expected


def test_a_file_that_grows_too_long_is_moved_aside_under_its_writer(tmp_path: Path) -> None:
    file = fresh(tmp_path / "logs" / "core-1.log")
    with file.open("a") as writer:
        writer.write("x" * 100)
        writer.flush()
        keep_short(file, most_bytes=50)
        writer.write("after\n")
        writer.flush()
    assert file.read_text() == "after\n"
    assert (tmp_path / "logs" / "core-1.log.1").read_text() == "x" * 100


def test_each_start_has_a_fresh_file_and_the_last_one_beside_it(tmp_path: Path) -> None:
    file = fresh(tmp_path / "core-1.log")
    file.write_text("first life")
    assert fresh(file).read_text() == ""
    assert (tmp_path / "core-1.log.1").read_text() == "first life"
