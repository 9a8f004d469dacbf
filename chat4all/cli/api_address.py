"""Where the API is: ``CHAT4ALL_URL``, else the ``CHAT4ALL_HOST`` and ``CHAT4ALL_PORT`` of an API on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import click

from chat4all.env_file import read_env_file

URL_VARIABLE = "CHAT4ALL_URL"
_HOST_VARIABLE, _PORT_VARIABLE = "CHAT4ALL_HOST", "CHAT4ALL_PORT"
_DEFAULT_PORT = 8080


def with_scheme(url: str) -> str:
    """Return ``url`` as it is saved with sessions: localhost:8080 is http://localhost:8080, as for curl."""
    return (url if "://" in url else f"http://{url}").rstrip("/")


def default_url() -> str:
    """Return the URL that the environment, or the file ``.env``, names. Raises ``click.ClickException``."""
    variables = {**read_env_file(Path(".env")), **os.environ}
    if url := variables.get(URL_VARIABLE):
        return with_scheme(url)
    port = variables.get(_PORT_VARIABLE, str(_DEFAULT_PORT))
    try:
        return local_url(variables.get(_HOST_VARIABLE, ""), int(port))
    except ValueError:
        raise click.ClickException(f"{_PORT_VARIABLE}={port!r}: expected something like {_DEFAULT_PORT}") from None


def local_url(host: str, port: int) -> str:
    """Return the URL, from this machine, of an API listening on ``host`` (possibly all interfaces)."""
    name = "127.0.0.1" if host in ("0.0.0.0", "", "::") else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"
