"""`chat4all upload` and `download`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chat4all.cli.output import file_facts, printable, size_text
from chat4all.cli.session import Session, api_command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

TRANSFER_SECONDS = 60.0


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--conversation", metavar="ID", help="Whose participants may have it. Default: a new one of your own.")
@api_command(retry_seconds=TRANSFER_SECONDS)
async def upload(session: Session, path: Path, conversation: str | None) -> None:
    """Upload a file of up to 2 GiB, to send it later or several times.

    A file can be sent in its own conversation only: for users of the system name one that they take part in.

    Interrupted (Ctrl-C, no network, API away for longer than --retry), it goes on from where it stopped when the same
    command is run again, for about a day. The server keeps it only if its SHA-256 is that of FILE.
    """
    from chat4all.cli.files import forget, own_conversation
    from chat4all.cli.files import upload as upload_file

    conversation_id = conversation or await own_conversation(session, path)
    file = await upload_file(session, path, conversation_id)
    await forget(session, path, conversation_id)
    lines = [
        f"file {file['file_id']} ({file_facts(file)}) is in conversation {printable(file['conversation_id'])}",
        f"to send it:  chat4all send RECIPIENT --file {file['file_id']}",
        f"to have it:  chat4all download {file['file_id']}",
    ]
    session.out.document(file, "\n".join(lines))


@click.command()
@click.argument("file_id")
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    type=click.Path(allow_dash=True),
    help="A file, a folder, or - for stdout. Default: its own name, here.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@api_command(retry_seconds=TRANSFER_SECONDS)
async def download(session: Session, file_id: str, output: str | None, force: bool) -> None:
    """Fetch a file, and check that its SHA-256 is right.

    Until all of it is there it is called PATH.part; interrupted, it goes on from there when the same command is run
    again.
    """
    from chat4all.cli.safe_text import safe_filename

    if output == "-":
        if session.out.as_json:
            raise click.UsageError("-o - puts the file's bytes on stdout, where --json puts its facts: choose one")
        await _pass_on(session, file_id)
        return
    file = await session.client.file(file_id)
    target = _target(output, safe_filename(file["filename"]))
    await _fetch(session, file, target, force=force)
    words = f"{printable(target)}  {size_text(file['size_bytes'])}, checksum verified"
    session.out.document({**file, "path": str(target)}, words)


def _target(output: str | None, name: str) -> Path:
    target = Path(output or ".")
    return target / name if target.is_dir() else target


async def _fetch(session: Session, file: Mapping[str, Any], target: Path, *, force: bool) -> None:
    import asyncio

    from chat4all import ClientError, TargetExists
    from chat4all.cli.errors import InTheWay
    from chat4all.cli.files import tell_how_to_go_on
    from chat4all.cli.progress import Progress, shown
    from chat4all.part_file import part_path

    try:
        with shown(session.out, target.name, Progress()) as on_progress:
            await session.client.download_file(file["file_id"], target, overwrite=force, on_progress=on_progress)
    except TargetExists as error:
        raise InTheWay(f"{error}; --force replaces it, -o PATH puts it elsewhere") from None
    except (asyncio.CancelledError, ClientError) as error:
        part = part_path(target)
        if have := _size_of(part):
            tell_how_to_go_on(session, error, f"{min(100, 100 * have // max(file['size_bytes'], 1))} % are in {part}")
        raise


def _size_of(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


async def _pass_on(session: Session, file_id: str) -> None:
    import errno

    from chat4all import OutputClosed
    from chat4all.cli.progress import Progress, shown

    # without a buffer, which would complain a second time, when Python ends, about what could not be written
    output = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
    try:
        with shown(session.out, file_id, Progress()) as on_progress:
            await session.client.download_file(file_id, output, on_progress=on_progress)
    except OutputClosed as error:  # as `head` does; click ends with 1, and says nothing
        raise BrokenPipeError(errno.EPIPE, "") from error
