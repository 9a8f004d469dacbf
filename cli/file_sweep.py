"""`chat4all files sweep`: delete remains of uploads in the database and the store, without the API."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from chat4all.cli.command_line import Seconds
from chat4all.cli.output import Exit, counted
from cli.commands import read_settings, sentences

if TYPE_CHECKING:
    from app.file_sweep import Sweep, SweepReport
    from app.settings import Settings

_HOUR_MS = 3_600_000
_TOLD_FAILURES = 5


@click.command()
@click.option(
    "--grace",
    type=click.FloatRange(0, 1_000_000),
    metavar="HOURS",
    help="What the store has for a shorter time is not looked at; default: CHAT4ALL_FILES_GRACE_HOURS.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be swept.")
@click.option("--check", is_flag=True, help="Also look whether every file has its object, of the right size.")
@click.option(
    "--force",
    is_flag=True,
    help="Delete orphans even if they are the majority or the store belongs to another database"
    " (it is then claimed by this one).",
)
@click.option("--wait", default=60.0, show_default=True, type=Seconds(), help="How long to wait for Cassandra.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def sweep(grace: float | None, dry_run: bool, check: bool, force: bool, wait: float, as_json: bool) -> None:
    """Delete expired uploads, and objects in the store without a file.

    The API does the same by itself. Safe to interrupt, to run again, and while everything runs. Exit codes: 0 done,
    1 something could not be swept, or --check found a damaged file.
    """
    import asyncio
    import logging

    settings = read_settings()
    hours = settings.files_grace_hours if grace is None else grace
    logging.disable()  # what is wrong is told once, below
    try:
        with sentences():
            report = asyncio.run(_sweep(settings, hours, wait, dry_run=dry_run, check=check, force=force))
    finally:
        logging.disable(logging.NOTSET)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, **asdict(report)}))
    else:
        _tell(report, dry_run=dry_run, check=check)
    sys.exit(Exit.FAILED if report.failures or report.files_damaged else Exit.DONE)


async def _sweep(
    settings: Settings, grace_hours: float, wait_seconds: float, *, dry_run: bool, check: bool, force: bool
) -> SweepReport:
    from app.cassandra import cassandra_config
    from app.clock import now_ms
    from app.file_sweep import Sweep
    from app.files import open_file_store
    from storage.cassandra.files import CassandraFileRecords
    from storage.cassandra.session import CassandraSession

    store = open_file_store(settings)
    try:
        async with CassandraSession(cassandra_config(settings)) as session:
            await session.connected(wait_seconds)
            grace_ms = int(grace_hours * _HOUR_MS)
            records = CassandraFileRecords(session)
            found = Sweep(records, store, now_ms, grace_ms=grace_ms, dry_run=dry_run, believing=force)
            await _passes(found, check=check)
            return found.report
    finally:
        await store.close()


async def _passes(found: Sweep, *, check: bool) -> None:
    await found.uploads()
    await found.orphans()
    if check:
        await found.check()


def _tell(report: SweepReport, *, dry_run: bool, check: bool) -> None:
    swept = "Would sweep" if dry_run else "Swept"
    uploads = counted(report.uploads_swept, "expired upload")
    objects = counted(report.objects_swept, "object")
    seen = f"of {report.objects_seen} in the store"
    click.echo(f"{swept} {uploads} and {objects} without a file ({seen}).")
    if report.uploads_busy:
        click.echo(f"{counted(report.uploads_busy, 'upload')} had been taken up by somebody.")
    if report.objects_foreign:
        click.echo(f"{counted(report.objects_foreign, 'object')} in the store are not ours and were left alone.")
    if check:
        damaged = "all are whole" if not report.files_damaged else f"{report.files_damaged} are not whole"
        click.echo(f"Checked {counted(report.files_checked, 'file')}: {damaged}.")
        for file_id in report.damaged:
            click.echo(f"  {file_id}")
    for failure in report.failures[:_TOLD_FAILURES]:
        click.echo(f"Error: {failure}", err=True)
    if len(report.failures) > _TOLD_FAILURES:
        click.echo(f"Error: and {len(report.failures) - _TOLD_FAILURES} more", err=True)
