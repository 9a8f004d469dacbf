"""`chat4all audit` with files: a log of produces and polls, and lines that are no JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.audit import Report
from app.audit_rules import Difference
from cli.audit import audit, document_of
from cli.audit_views import frames_in, taken_by
from domain.errors import InvalidInput, Unavailable

OK = {"op": "ok", "partition": "p", "offset": 0, "value": "v", "at": 1}
POLL = {**OK, "op": "poll", "consumer": "w", "at": 2}


def written(folder: Path, *lines: object) -> Path:
    file = folder / "log.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return file


def test_a_log_is_judged_and_the_exit_code_tells(tmp_path: Path) -> None:
    good = CliRunner().invoke(audit, ["--log", str(written(tmp_path, OK, POLL))])
    assert (good.exit_code, good.output) == (0, "no anomaly: 1 acknowledged, 1 polled, worst lag 1 ms\n")
    bad = CliRunner().invoke(audit, ["--json", "--log", str(written(tmp_path, OK))])
    assert bad.exit_code == 1
    assert json.loads(bad.output)["counts"] == {"unseen": 1}


@pytest.mark.parametrize("line", ["{", "[1]", {"op": "ok", "partition": "p"}])
def test_a_line_that_cannot_be_read_is_a_sentence(tmp_path: Path, line: object) -> None:
    result = CliRunner().invoke(audit, ["--log", str(written(tmp_path, OK, line))])
    assert result.exit_code == 1
    assert "log.jsonl" in result.output
    assert "Traceback" not in result.output


def test_frames_are_the_lines_of_a_file(tmp_path: Path) -> None:
    file = written(tmp_path, {"type": "ping"}, "", {"type": "status"})
    assert [frame["type"] for frame in frames_in(file)] == ["ping", "status"]


def test_a_provider_that_does_not_answer_is_told() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        taken_by("http://127.0.0.1:9")
    with pytest.raises(InvalidInput, match="expected http"):
        taken_by("file:///etc/passwd")


def test_the_document_has_records_and_causes() -> None:
    report = Report()
    report.add(Difference("table", "m-1", "has no row; the log says READ"), None, 10)
    (found,) = document_of(report)["differences"]
    assert found["message_id"] == "m-1"
    assert "changelog" in found["likely_cause"]
