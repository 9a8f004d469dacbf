"""`chat4all stack up | down | status | logs | reset | fetch`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click

from devstack import logs
from devstack.config import StackConfig
from devstack.errors import StackError
from devstack.part import PartStatus
from devstack.progress_line import ProgressLine
from devstack.stack import PARTS, Stack

_PART_NAMES = click.Choice([part.name for part in PARTS])


@contextmanager
def _sentences() -> Iterator[None]:
    """Show an error of the stack as its message, with exit code 1."""
    try:
        yield
    except (StackError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _stack() -> Stack:
    return Stack(StackConfig.from_environment())


@click.group()
def stack() -> None:
    """Kafka and Cassandra (and MinIO) on this machine, without containers.

    Everything is kept in .devstack of the checkout (CHAT4ALL_STACK_FOLDER) and bound to 127.0.0.1.
    """


@stack.command()
@click.argument("parts", nargs=-1, type=_PART_NAMES)
def up(parts: tuple[str, ...]) -> None:
    """Start PARTS and wait until they answer: by default Kafka and Cassandra, and MinIO if CHAT4ALL_FILES=s3.

    The first time 115 MB are downloaded. MinIO's server is built, with Go, if there is none.
    """
    with _sentences():
        servers = _stack()
        began = time.monotonic()
        with ProgressLine(sys.stderr) as line:
            servers.up(list(parts) or None, on_progress=line.show)
        for status in servers.status():
            if status.name in (parts or servers.wanted):
                click.echo(_described(status))
        click.echo(f"Ready after {time.monotonic() - began:.1f} s. Data is in {servers.config.folder}.")


@stack.command()
@click.argument("parts", nargs=-1, required=True, type=_PART_NAMES)
def fetch(parts: tuple[str, ...]) -> None:
    """Download or build the programs of PARTS, and start nothing."""
    with _sentences(), ProgressLine(sys.stderr) as line:
        _stack().fetch(parts, on_progress=line.show)


@stack.command()
def down() -> None:
    """Stop all running parts; the data stays."""
    with _sentences():
        stopped = _stack().down()
    click.echo(f"Stopped {' and '.join(stopped)}." if stopped else "Nothing was running.")


@stack.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array, for programs.")
def status(as_json: bool) -> None:
    """Show each part and whether it answers. Exit code 0 only if all do (MinIO: if it is wanted, or was started)."""
    with _sentences():
        servers = _stack()
        found = servers.status()
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
    else:
        for one in found:
            click.echo(_described(one))
    if any(one.state != "up" and (one.name in servers.wanted or one.pid is not None) for one in found):
        sys.exit(1)


@stack.command("logs")
@click.argument("part", required=False, type=_PART_NAMES)
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is added, until Ctrl-C.")
@click.option("-n", "--lines", default=50, show_default=True, type=click.IntRange(0, 100_000))
def show_logs(part: str | None, follow: bool, lines: int) -> None:
    """Show the last lines of the log of PART, or of each part."""
    with _sentences():
        servers = _stack()
        shown = [servers.part(part)] if part else list(servers.parts.values())
    label: Callable[[str], str] = (lambda name: f"{name:9} | ") if len(shown) > 1 else (lambda name: "")
    for one in shown:
        for text in logs.tail(one.log_file, lines):
            click.echo(label(one.name) + text)
    if follow:
        for name, text in logs.follow({one.name: one.log_file for one in shown}):
            click.echo(label(name) + text)


@stack.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Stop everything and delete its data and logs. Downloaded jars and built programs stay."""
    with _sentences():
        servers = _stack()
        if not yes:
            click.confirm(f"Delete all topics, tables, buckets and logs in {servers.config.folder}?", abort=True)
        servers.reset()
    click.echo("Deleted. `up` starts anew.")


def _described(status: PartStatus) -> str:
    words = f"{status.name:10} {status.state:14} 127.0.0.1:{status.port}"
    if status.pid is not None:
        words += f"  pid {status.pid}"
    if status.latency_ms is not None:
        words += f"  answers in {status.latency_ms} ms"
    return words + (f"  ({status.detail})" if status.detail else "")


if __name__ == "__main__":
    stack()
