"""Measures large files on this machine: through MinIO and through a folder, beside the plain client of MinIO.

    python -m loadtests.files                    # 2 GiB each way, about four minutes
    python -m loadtests.files --mib 256
    python -m loadtests.files --markdown figures.md

Exit code 1 if a byte was lost. Kafka, Cassandra and MinIO are started for it and gone afterwards.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from app.roles import ROLES
from app.settings import Settings
from devstack import Stack
from loadtests.command_line import parser_of
from loadtests.files.figures import FileFigures
from loadtests.files.measure import Files, WentWrong, child
from loadtests.meter import Machine
from loadtests.run import Run
from loadtests.servers import own_servers
from loadtests.system import LOOPBACK, System, free_ports, system_settings

ALONE_SECONDS = 10.0
MINIO_USER = "minioadmin"


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.files", __doc__)
    parser.add_argument("--mib", type=int, default=2_048, help="size of the one large file")
    parser.add_argument("--at-once", type=int, default=16, help="how many smaller ones go up together")
    parser.add_argument("--at-once-mib", type=int, default=128, help="size of each of those")
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second meanwhile; 0: none")
    parser.add_argument("--workers", type=int, default=0, help="workers of each role; to accept, none are needed")
    parser.add_argument(
        "--busy-share",
        type=float,
        default=Settings().files_busy_share,
        help="CHAT4ALL_FILES_BUSY_SHARE: how busy files may keep the API",
    )
    parser.add_argument("--stores", default="s3,local", help="which of s3 and local")
    parser.add_argument("--markdown", type=Path, help="write the figures to this file as well")
    return parser.parse_args(arguments)


async def measure(wanted: argparse.Namespace, stack: Stack, folder: Path, figures: FileFigures) -> None:
    """Fill ``figures``. Raises ``WentWrong``."""
    large = wanted.mib << 20
    workers = dict.fromkeys(ROLES, wanted.workers) if wanted.workers else {}
    _say("the plain client of MinIO, alone")
    figures.plain = await child("plain", stack.minio_url, MINIO_USER, MINIO_USER, str(large))
    for kind in wanted.stores.split(","):
        changes = store_settings(kind, folder, stack)
        settings = system_settings(stack, folder / kind, files_busy_share=wanted.busy_share, **changes)
        _say(f"{kind}: an API and {wanted.workers} workers of each role")
        async with System(settings, folder / kind, workers) as system, Run(system) as run:
            files = Files(system, run, wanted.rate)
            await files.warm_up()
            if wanted.rate:
                figures.alone = figures.alone or await files.nothing(ALONE_SECONDS)
            _say(f"{kind}: {wanted.mib} MiB up")
            up, sent = await files.up(large, 1)
            figures.add(kind, "up", up)
            _say(f"{kind}: {wanted.mib} MiB up by tus")
            by_tus, _ = await files.up(large, 1, by_tus=True)
            figures.add(kind, "up by tus", by_tus)
            _say(f"{kind}: {wanted.mib} MiB down")
            figures.add(kind, "down", await files.down(sent))
            _say(f"{kind}: down by its link")
            figures.add(kind, "down by link", await files.down(sent, by_link=True))
            _say(f"{kind}: {wanted.at_once} x {wanted.at_once_mib} MiB up at once")
            together, _ = await files.up(wanted.at_once_mib << 20, wanted.at_once)
            figures.add(kind, f"{wanted.at_once} up at once", together)


def store_settings(kind: str, folder: Path, stack: Stack) -> dict[str, Any]:
    """Return the settings of a store: "local" in ``folder``, or "s3" on the MinIO of ``stack``."""
    port = free_ports(1)
    more: dict[str, Any] = {"port": port, "public_url": f"http://{LOOPBACK}:{port}"}
    if kind == "local":
        return more | {"files": "local", "files_dir": str(folder / "files")}
    return more | {"files": "s3", "s3_url": stack.minio_url, "s3_bucket": folder.name.replace("_", "-").lower()}


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    wanted = options(given)
    figures = FileFigures(
        command=" ".join(["python -m loadtests.files", *given]),
        when=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=str(Machine.here()),
        mib=wanted.mib,
        rate=wanted.rate,
    )
    _say("starting Kafka, Cassandra and MinIO")
    with own_servers("files", ["kafka", "cassandra", "minio"]) as (stack, folder):
        try:
            uvloop.run(measure(wanted, stack, folder, figures))
        except WentWrong as error:
            print(f"{error}", file=sys.stderr)
            return 1
    text = figures.markdown()
    print(text)
    if wanted.markdown is not None:
        wanted.markdown.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
