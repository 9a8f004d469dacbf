"""The text of `chat4all run` after the start: addresses, logs, and commands to try."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from app.settings import Settings
from chat4all.cli.api_address import local_url
from cli.simulated_accounts import DEMO_USER
from cli.supervisor import Supervised
from cli.workers import API_STAGE, LOOPBACK, SIMULATOR_STAGE, port_of
from devstack import Part

_TOKEN_OF_ANSWER = r"""sed -E 's/.*"access_token":"([^"]+)".*/\1/'"""


def summary(
    settings: Settings,
    processes: Iterable[Supervised],
    parts: Sequence[Part],
    logs: Path,
    missing: set[str],
    seconds: float,
) -> str:
    """Return the text. ``missing``: parts not ready in time; ``seconds``: duration of the start."""
    url = local_url(settings.host, settings.port)
    console = f"Console: {click.style(f'{url}/', bold=True)}"
    if settings.simulator_url:
        console += (
            f"   Telephones: {settings.simulator_url}/   Register as {DEMO_USER!r} to get what its people write first."
        )
    lines = ["", console, click.style(f"Chat4All is running, after {seconds:.1f} s.", bold=True, fg="green"), ""]
    if missing:
        words = f"Chat4All runs, but is not ready: {', '.join(sorted(missing))}. What follows from the logs says why."
        lines[2] = click.style(words, bold=True, fg="yellow")
    for process in processes:
        spec = process.spec
        what = f"{url}  /health/ready /metrics" if spec.stage == API_STAGE else f"{_url(port_of(spec))}/metrics"
        if spec.stage == SIMULATOR_STAGE:
            what = f"{_url(port_of(spec))}/  the people's telephones; chat4all phones"
        lines.append(_row(spec.name, process.pid, what))
    for part in parts:
        pid = part.process.pid if part.process else None
        lines.append(_row(part.name, pid, f"{LOOPBACK}:{part.port}  {_short(part.folder)}"))
    lines += ["", f"  logs in {_short(logs)}, the workers' state in {_short(Path(settings.data_dir))}", ""]
    lines += ["Try it, in another terminal:", "", *(f"  {line}" for line in curl_lines(url)), ""]
    lines += ["Watch it become READ, or see all of it at once:", "", f"  {watch_line(url)}"]
    lines += [
        f'  {_command(settings)} send whatsapp:+5511999999999 "hello"',
        "",
        "Ctrl-C stops it; the data stays.",
        "",
    ]
    return "\n".join(lines)


def curl_lines(url: str) -> list[str]:
    """Return three lines for a shell: register, log in, send. The user is a new one each time, so they always work."""
    name, password = f"maria_{secrets.token_hex(2)}", secrets.token_urlsafe(9)
    account = f"""-H 'Content-Type: application/json' -d '{{"username":"{name}","password":"{password}"}}'"""
    message = '{"recipient_id":"whatsapp:+5511999999999","content":"hello"}'
    return [
        f"curl -s {url}/auth/register {account}; echo",
        f"TOKEN=$(curl -s {url}/auth/login {account} | {_TOKEN_OF_ANSWER})",
        f"""ID=$(curl -s {url}/v1/messages -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' """
        f"""-d '{message}' | tee /dev/stderr | sed -E 's/.*"message_id":"([^"]+)".*/\\1/')""",
    ]


def watch_line(url: str) -> str:
    """Return a shell line to show the message sent by the third of ``curl_lines``."""
    return f"""curl -s {url}/v1/messages/$ID -H "Authorization: Bearer $TOKEN"; echo"""


def _row(name: str, pid: int | None, what: str) -> str:
    return f"  {click.style(f'{name:<12}', bold=True)} {f'pid {pid}' if pid else 'not running':<12}  {what}"


def _url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def _short(path: Path) -> str:
    """A path below the current folder is shown from there."""
    return os.path.relpath(path) if path.resolve().is_relative_to(Path.cwd()) else str(path)


def _command(settings: Settings) -> str:
    elsewhere = "" if settings.port == Settings().port else f"CHAT4ALL_PORT={settings.port} "
    return elsewhere + _short(Path(sys.prefix) / "bin" / "chat4all")
