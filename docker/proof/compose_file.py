"""Reads a compose file: variables, profiles, overlays, and the services in the order in which they may start. Pure.

Only what the files in ``docker/`` use. An unknown key is an error, so that nothing is left out of the proof unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?(?P<error>[^}]*))?\}")
_KNOWN = {
    *("image", "build", "command", "entrypoint", "environment", "user", "hostname", "profiles", "depends_on"),
    *("volumes", "tmpfs", "ports", "networks", "healthcheck", "restart", "stop_grace_period"),
    *("init", "read_only", "cap_drop", "security_opt"),
}
HEALTHY, COMPLETED, STARTED = "service_healthy", "service_completed_successfully", "service_started"


class ComposeError(ValueError):
    """The file says something that this reader does not know."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service. ``depends_on``: condition by the name of another service. ``target``: of its build; "": no build."""

    name: str
    image: str
    target: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()
    entrypoint: Sequence[str] = ()
    volumes: Sequence[str] = ()
    ports: Sequence[str] = ()
    tmpfs: Sequence[str] = ()
    cap_drop: Sequence[str] = ()
    security_opt: Sequence[str] = ()
    depends_on: Mapping[str, str] = field(default_factory=dict)
    health_command: Sequence[str] = ()
    restart: str = "no"
    user: str = ""
    init: bool = False
    read_only: bool = False
    stop_seconds: int = 10
    profiles: frozenset[str] = frozenset()


def read(texts: Sequence[str], variables: Mapping[str, str], profiles: frozenset[str]) -> list[Service]:
    """Return the services that ``docker compose up`` would start, each after those it depends on.

    ``texts``: the file and its overlays. Raises ``ComposeError``.
    """
    merged: dict[str, Any] = {}
    for text in texts:
        merged = _merged(merged, yaml.safe_load(text))
    services = {name: _service(name, _filled(raw, variables)) for name, raw in merged["services"].items()}
    wanted = {name: each for name, each in services.items() if not each.profiles or each.profiles & profiles}
    graph = {name: [other for other in each.depends_on if other in wanted] for name, each in wanted.items()}
    return [wanted[name] for name in TopologicalSorter(graph).static_order()]


def _merged(below: Any, above: Any) -> Any:
    """Merge as compose does: maps by key, lists one after the other, except commands."""
    if isinstance(below, dict) and isinstance(above, dict):
        replaced = {key: above[key] for key in ("command", "entrypoint") if key in above}
        joined = {key: _merged(below.get(key), above[key]) for key in above}
        return {**below, **joined, **replaced}
    if isinstance(below, list) and isinstance(above, list):
        return below + [item for item in above if item not in below]
    return above


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    """Put the variables into every text of a value."""
    if isinstance(value, dict):
        return {key: _filled(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, variables) for each in value]
    return _VARIABLE.sub(lambda found: _value(found, variables), value) if isinstance(value, str) else value


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found.group() == "$$":
        return "$"
    text = variables.get(found["name"], "")
    if not text and found["error"] is not None:
        raise ComposeError(f"{found['name']}: {found['error']}")
    return text or found["default"] or ""


def _service(name: str, raw: Mapping[str, Any]) -> Service:
    if unknown := sorted(set(raw) - _KNOWN):
        raise ComposeError(f"{name}: {', '.join(unknown)} is not known here")
    health = raw.get("healthcheck", {})
    return Service(
        name,
        raw["image"],
        target=raw["build"]["target"] if "build" in raw else "",
        environment={key: str(value) for key, value in raw.get("environment", {}).items()},
        command=raw.get("command", []),
        entrypoint=raw.get("entrypoint", []),
        volumes=raw.get("volumes", []),
        ports=raw.get("ports", []),
        tmpfs=raw.get("tmpfs", []),
        cap_drop=raw.get("cap_drop", []),
        security_opt=raw.get("security_opt", []),
        depends_on={other: each["condition"] for other, each in raw.get("depends_on", {}).items()},
        health_command=health.get("test", [])[1:],
        restart=raw.get("restart", "no"),
        user=str(raw.get("user", "")),
        init=raw.get("init", False),
        read_only=raw.get("read_only", False),
        stop_seconds=int(raw.get("stop_grace_period", "10s").removesuffix("s")),
        profiles=frozenset(raw.get("profiles", [])),
    )
