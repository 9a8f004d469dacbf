"""`chat4all audit`: every view against the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.commands import read_settings, sentences

if TYPE_CHECKING:
    from app.audit import Report
    from app.settings import Settings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--most", default=100, show_default=True, type=click.IntRange(0, 100_000), help="Show so many of each.")
@click.option("--frames", type=_FILE, help="Also a follower's frames: the output of `chat4all tail --json`.")
@click.option("--provider", metavar="URL", help="Also what a simulator or `chat4all provider` took: its address.")
@click.option("--log", "log_file", type=_FILE, help="Only judge a log of produces and polls, one JSON object a line.")
@click.option("--folder", type=_FOLDER, help="For temporary files, of a log too long for the memory.")
@click.option("--watch", "every", type=click.FloatRange(1, 86_400), metavar="SECONDS", help="Again and again.")
@click.option("--metrics", type=click.Path(dir_okay=False, path_type=Path), help="Write the last result as metrics.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an audit.")
def audit(
    most: int,
    frames: Path | None,
    provider: str | None,
    log_file: Path | None,
    folder: Path | None,
    every: float | None,
    metrics: Path | None,
    as_json: bool,
) -> None:
    """Compare log, tables, Cassandra and dead letters, message by message; each difference with a likely cause.

    Reads the whole log in a bounded memory. Ends with 1 if they differ, or if messages are stuck: only ACCEPTED after
    CHAT4ALL_AUDIT_STUCK_HOURS. With --watch a difference counts while no record is left to process.
    """
    import time

    if log_file is not None:
        _judge(log_file, as_json)
        return
    settings = read_settings()
    while True:
        with sentences():
            report = _run(settings, most, frames, provider, folder)
        _show(report, as_json, every is not None)
        if metrics is not None:
            _write_metrics(metrics, report)
        if every is None:
            break
        time.sleep(every)
    if not report.is_clean:
        raise SystemExit(1)


def _run(settings: Settings, most: int, frames: Path | None, provider: str | None, folder: Path | None) -> Report:
    import asyncio

    from app.audit import Views
    from app.audit import audit as compare
    from app.audit_witnesses import LiveFrames, ProviderTruth
    from cli.audit_views import frames_in, taken_by
    from tables.loaders import LOADERS

    # the witnesses first: what they have seen is on the log by then
    followed = None if frames is None else LiveFrames.of(frames_in(frames))
    truth = None
    if provider is not None:
        rows = taken_by(provider)
        channels = {str(row["channel"]) for row in rows if row.get("token")} | {"whatsapp"}
        truth = ProviderTruth.of(rows, channels)
    return asyncio.run(compare(settings, LOADERS, most=most, views=Views(followed, truth, folder)))


def _show(report: Report, as_json: bool, is_watching: bool) -> None:
    if as_json:
        click.echo(json.dumps(document_of(report)))
    elif is_watching and (report.is_clean or report.behind):
        state = "agree" if report.is_clean else f"{report.count} differences, which may be only delays"
        click.echo(f"{report.messages} messages, {report.facts} facts, {report.behind} not yet processed: {state}")
    else:
        click.echo(str(report))


def document_of(report: Report) -> dict[str, Any]:
    """Return the report as JSON."""
    return {
        "is_clean": report.is_clean,
        "messages": report.messages,
        "facts": report.facts,
        "behind": report.behind,
        "unreadable": report.unreadable,
        "stuck": report.stuck,
        "stuck_ids": report.stuck_ids,
        "removed_unread": report.removed_unread,
        "count": report.count,
        "differences": [
            {
                "view": one.view,
                "message_id": one.message_id,
                "detail": one.detail,
                "records": one.where,
                "likely_cause": one.cause,
            }
            for one in report.differences
        ],
    }


def _write_metrics(file: Path, report: Report) -> None:
    """Write Prometheus' text format, whole or not at all: node_exporter's textfile collector reads it."""
    names = {
        "messages": report.messages,
        "facts": report.facts,
        "behind": report.behind,
        "differences": report.count,
        "stuck": report.stuck,
        "unreadable": report.unreadable,
    }
    lines = [
        line
        for name, value in names.items()
        for line in (f"# TYPE chat4all_audit_{name} gauge", f"chat4all_audit_{name} {value}")
    ]
    beside = file.with_suffix(".new")
    beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    beside.replace(file)


def _judge(file: Path, as_json: bool) -> None:
    from app.audit_anomalies import anomalies
    from cli.audit_views import lines_in
    from domain.errors import InvalidInput

    with sentences():
        try:
            found = anomalies(lines_in(file))
        except KeyError as error:
            raise InvalidInput(f"{file}: a line has no {error}", "log") from None
    if as_json:
        shown = {"counts": found.counts, "examples": found.examples, "worst_lag_ms": found.worst_lag_ms}
        click.echo(json.dumps({"is_clean": found.is_clean, **shown}))
    else:
        click.echo(str(found))
    if not found.is_clean:
        raise SystemExit(1)
