"""Shared by the commands for files: resumable uploads, and how a file is shown."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from chat4all import ClientError, Conflict, Fingerprint
from chat4all.cli.errors import NothingToSend
from chat4all.cli.output import Exit, printable
from chat4all.cli.progress import Progress, shown
from chat4all.cli.saved_uploads import SavedUploads
from chat4all.cli.session import Session
from chat4all.contract import is_address, is_uuid, names_user

PATIENCE_SECONDS = 60.0  # of the upload before a send: without a further byte


async def upload(
    session: Session, path: Path, conversation_id: str, patience_seconds: float | None = None
) -> dict[str, Any]:
    """Start or resume the upload, and return the file. An interruption is reported with the way to resume."""
    saved, progress = SavedUploads(session.client.url, session.username), Progress()
    try:
        with shown(session.out, path.name, progress) as on_progress:
            return await session.client.upload_file(
                path, conversation_id, on_progress=on_progress, upload_store=saved, patience_seconds=patience_seconds
            )
    except (asyncio.CancelledError, ClientError) as error:
        if await saved.recall(path, conversation_id) is not None:
            tell_how_to_go_on(session, error, f"{progress.at_percent} % are uploaded")
        raise


async def forget(session: Session, path: Path, conversation_id: str) -> None:
    """The upload is of no further use: another one of the same file is another file."""
    saved = SavedUploads(session.client.url, session.username)
    await saved.forget(path, conversation_id)
    await saved.forget_own_conversation(path)


def tell_how_to_go_on(session: Session, error: BaseException, how_far: str) -> None:
    """Print how to resume, after Ctrl-C or before an error."""
    sentence = f"{how_far}; the same command again goes on from there"
    if isinstance(error, asyncio.CancelledError):
        session.out.fail(f"interrupted: {sentence}", Exit.INTERRUPTED)
    elif not session.out.as_json:
        click.echo(printable(sentence), err=True)


async def own_conversation(session: Session, path: Path) -> str:
    """Return the id of a conversation for this file alone: new, or from an interrupted upload of the same file.

    Access to this file gives no access to others, and the API's id cannot be guessed.
    """
    fingerprint = _fingerprint(path)
    if fingerprint is None:
        return ""  # the upload will say what is wrong, and needs no conversation for that
    saved = SavedUploads(session.client.url, session.username)
    known = await saved.own_conversation(path, fingerprint)
    if known is None:
        made = await session.client.create_conversation([session.client.user_id])
        known = str(made["conversation_id"])
        await saved.remember_own_conversation(path, fingerprint, known)
    return known


def _fingerprint(path: Path) -> Fingerprint | None:
    if not path.is_file():
        return None
    found = path.stat()
    return Fingerprint(found.st_size, found.st_mtime_ns, found.st_ino)


async def attached(session: Session, given: str, recipient: str | None, conversation_id: str | None) -> dict[str, Any]:
    """Return the attachment of a message to ``recipient`` (``None``: everyone).

    ``given``: the id of a stored file, or the path of a local one, which is then uploaded into the conversation.
    Without ``conversation_id`` that is the direct conversation with ``recipient``. Raises ``NothingToSend``.
    """
    if not _is_here(given):
        if not is_uuid(given.lower()):
            raise NothingToSend(f"{given}: there is no such file here, and it is not the id of one either")
        return await session.client.file(given)
    if conversation_id is None:
        conversation_id = str((await session.client.direct_conversation(recipient or ""))["conversation_id"])
    elif recipient is not None and (names_user(recipient) or not is_address(recipient)):
        await _begin_with(session, recipient, conversation_id)
    return await upload(session, Path(given), conversation_id, PATIENCE_SECONDS)


def _is_here(path: str) -> bool:
    return os.path.lexists(path)


async def _begin_with(session: Session, recipient: str, conversation_id: str) -> None:
    """Begin the conversation of a message to a user before the file is there. A file would begin it without them."""
    with suppress(Conflict):  # it is there
        await session.client.create_conversation([recipient], conversation_id)
