"""Every setting with its variable, its unit, its default and what it does: for `chat4all config --describe` and
docs/settings.md. What is said of each stands beside its field in ``app/settings.py`` and ``devstack/config.py``.

python -m cli.settings_table > docs/settings.md        or        make settings
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from app.settings import PREFIX, Settings
from devstack.config import StackConfig, setting

# the first field of each section, in the order of the fields
SECTIONS: Mapping[str, str] = {
    "role": "Worker",
    "kafka": "Kafka",
    "store": "Tables of the workers",
    "accounts": "Delivery",
    "mirror_linger_seconds": "Mirror",
    "cassandra": "Cassandra",
    "host": "API",
    "live_connections": "Live notifications",
    "files": "Files",
    "metrics_host": "Metrics and logs",
}
STACK_SECTION, OTHER_SECTION = "Servers on this machine (`chat4all stack`, `chat4all run`)", "Command and tests"
HIDDEN = "***"
RULER = "|---|---|---|---|"
_UNITS = (
    ("per_second", "a second"),
    ("seconds", "seconds"),
    ("ms", "milliseconds"),
    ("hours", "hours"),
    ("days", "days"),
    ("bytes", "bytes"),
    ("kib", "KiB"),
    ("mb", "MiB"),
    ("port", "port"),
    ("hour", "an hour"),
    ("share", "0 to 1"),
)


@dataclass(frozen=True, slots=True)
class Described:
    """A setting as people see it. ``default``: as a variable would hold it. ``is_secret``: never show its value."""

    variable: str
    kind: str
    default: str
    about: str
    section: str
    is_secret: bool = False


OTHERS = (
    Described("CHAT4ALL_URL", "URL", "", "Where the API is, for the command; empty: HOST and PORT", OTHER_SECTION),
    Described("CHAT4ALL_PROVIDER_PORT", "port", "8090", "Of `chat4all provider`, which simulates one", OTHER_SECTION),
    Described("CHAT4ALL_PROVIDER_FAULTS", "file", "", "How `chat4all provider` misbehaves (TOML)", OTHER_SECTION),
    Described("CHAT4ALL_SIMULATOR", "yes or no", "no", "`chat4all run` starts the simulator, too", OTHER_SECTION),
    Described("CHAT4ALL_SIMULATOR_PORT", "port", "8090", "Of the simulator; for `chat4all phones`, too", OTHER_SECTION),
    Described("NO_COLOR", "text", "", "Anything: the command's output has no colours", OTHER_SECTION),
    Described(
        "CHAT4ALL_TEST_STACK",
        "host:port:port",
        "",
        "Kafka and Cassandra that tests borrow; empty: their own",
        OTHER_SECTION,
    ),
    Described("CHAT4ALL_FAULTS", "path", "", "Folder of the faults of a test; never in production", OTHER_SECTION),
    Described("CHAT4ALL_TEST_MINIO", "host:port", "", "MinIO that tests borrow; empty: they start one", OTHER_SECTION),
    Described("CHAT4ALL_PY_SPY", "file", "", "py-spy, which load tests ask where a hung worker stands", OTHER_SECTION),
    Described("CHAT4ALL_REQUIRE_MINIO", "text", "", "Anything: tests fail, not skip, without MinIO", OTHER_SECTION),
    Described(
        "CHAT4ALL_PROMETHEUS_PORT", "port", "9090", "Prometheus beside `make run OBSERVABILITY=1`", OTHER_SECTION
    ),
    Described(
        "CHAT4ALL_ALERTMANAGER_PORT", "port", "9093", "Alertmanager beside `make run OBSERVABILITY=1`", OTHER_SECTION
    ),
    Described("CHAT4ALL_GRAFANA_PORT", "port", "3000", "Grafana beside `make run OBSERVABILITY=1`", OTHER_SECTION),
    Described(
        "CHAT4ALL_JUDGES", "path", "", "Published descriptions of the protocols, for tests/judges", OTHER_SECTION
    ),
)


def described() -> list[Described]:
    """Return every setting, section by section."""
    return [*_of_the_system(), *_of_the_stack(), *OTHERS]


def markdown() -> str:
    """Return docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Each is an environment variable, or a line `NAME=value` in a file `.env` of the folder where one starts a",
        "command; the environment counts more. `chat4all config` shows what is in force, `chat4all config --describe`",
        "also what each is for. This page is made of the code: `make settings`.",
    ]
    section = ""
    for one in described():
        if one.section != section:
            section = one.section
            lines += ["", f"## {section}", "", "| variable | unit or type | default | what it does |", RULER]
        default = f"`{one.default}`" if one.default else ""
        lines.append(f"| `{one.variable}` | {one.kind} | {default} | {one.about} |")
    return "\n".join(lines) + "\n"


def env_file(in_force: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a `.env` with the settings in force and their descriptions. Secrets are commented out."""
    section = ""
    for one in described():
        if one.section != section:
            yield f"{'' if not section else chr(10)}# --- {one.section.replace('`', '')}"
            section = one.section
        default = f"default {one.default}" if one.default else "empty by default"
        yield f"# {one.about} ({one.kind.replace('`', '')}; {default})"
        value = in_force.get(one.variable, one.default)
        is_set = not one.is_secret and one.variable in in_force
        yield f"{'' if is_set else '#'}{one.variable}={HIDDEN if one.is_secret and value else value}"


def kind_of(field: Field[Any], type_name: str) -> str:
    """Return the unit of a field, else its type; or all its values, if it takes only some."""
    if choices := field.metadata.get("choices"):
        return ", ".join(f"`{choice}`" for choice in choices)
    unit = next((unit for end, unit in _UNITS if field.name == end or field.name.endswith(f"_{end}")), "")
    if type_name.startswith("tuple[float"):
        return f"{unit}, least and most"
    if unit:
        return unit
    plain = {"int": "number", "float": "number", "bool": "true or false", "Path": "folder"}
    return "texts" if type_name.startswith("tuple") else plain.get(type_name, "text")


def _of_the_system() -> Iterator[Described]:
    section, defaults = "", Settings().to_environ()
    for each in fields(Settings):
        section = SECTIONS.get(each.name, section)
        variable = PREFIX + each.name.upper()
        about = each.metadata.get("about", "")
        yield Described(variable, kind_of(each, str(each.type)), defaults[variable], about, section, not each.repr)


def _of_the_stack() -> Iterator[Described]:
    for each in fields(StackConfig):
        default = "" if each.default is MISSING else str(each.default)
        kind, about = kind_of(each, str(each.type)), each.metadata.get("about", "")
        yield Described(setting(each.name), kind, default, about, STACK_SECTION, not each.repr)


if __name__ == "__main__":
    print(markdown(), end="")
