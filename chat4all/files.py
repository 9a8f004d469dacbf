"""Files between this machine and the API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from chat4all import source
from chat4all.downloads import Downloading
from chat4all.part_file import part_file, stream
from chat4all.transfers import OnProgress
from chat4all.transport import Transport
from chat4all.uploads import Uploading, UploadMemory


async def upload(
    transport: Transport,
    path: Path,
    conversation_id: str,
    memory: UploadMemory | None,
    on_progress: OnProgress,
    seconds: float,
) -> dict[str, Any]:
    """As ``Client.upload_file``."""
    async with source.opened(path) as file:
        return await Uploading(transport, file, conversation_id, memory, on_progress, seconds).run()


async def download(
    transport: Transport,
    file: Mapping[str, Any],
    target: Path | BinaryIO,
    overwrite: bool,
    on_progress: OnProgress,
    seconds: float,
) -> None:
    """As ``Client.download_file``."""
    if isinstance(target, Path):
        opened = part_file(target, int(file["size_bytes"]), overwrite=overwrite, on_progress=on_progress)
    else:
        opened = stream(target)
    async with opened as sink:
        await Downloading(transport, file, sink, on_progress, seconds).run()
