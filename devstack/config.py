"""Where the stack lives, its ports and its limits."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from devstack.errors import SettingInvalid
from devstack.ports import is_free, share

PREFIX = "CHAT4ALL_STACK_"
LOOPBACK = "127.0.0.1"
Value = TypeVar("Value")
# what else may say the same: a variable of MinIO's own users, and the settings of the system
_OTHER_NAMES = {
    "minio_bin": "MINIO_BIN",
    "minio_user": "CHAT4ALL_S3_ACCESS_KEY",
    "minio_password": "CHAT4ALL_S3_SECRET_KEY",
    "files": "CHAT4ALL_FILES",
}

# Below the range from which Linux and macOS hand out client ports (32768 and 49152 upwards), so that
# no outgoing connection can take a test stack's port while one of its parts is stopped.
_TEST_PORTS = range(20_000, 32_000)


def _setting(default: Value, about: str, *, secret: bool = False) -> Value:
    made: Value = field(default=default, metadata={"about": about}, repr=not secret)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """Everything a stack needs to know. Each field can be set as CHAT4ALL_STACK_<FIELD>.

    `chat4all config --describe` and docs/settings.md show the line about each field.
    """

    folder: Path = field(metadata={"about": "Data, logs and process records; empty: .devstack in the checkout"})
    jars_folder: Path = field(metadata={"about": "Java archives, about 115 MB; empty: jars in the folder above"})
    kafka_port: int = _setting(9092, "Kafka, on 127.0.0.1 only")
    kafka_controller_port: int = _setting(9193, "Kafka's controller, on 127.0.0.1 only")
    cassandra_port: int = _setting(9042, "Cassandra, on 127.0.0.1 only")
    cassandra_storage_port: int = _setting(7000, "Cassandra's gossip, on 127.0.0.1 only")
    minio_port: int = _setting(9000, "MinIO, on 127.0.0.1 only")
    kafka_heap_mb: int = _setting(512, "Kafka's Java heap; the process takes about 300 MiB more")
    cassandra_heap_mb: int = _setting(512, "Cassandra's Java heap; the process takes about 300 MiB more")
    start_timeout_seconds: float = _setting(90.0, "From the start of a process until it must answer, downloads apart")
    stop_timeout_seconds: float = _setting(5.0, "From SIGTERM until SIGKILL")
    jars_timeout_seconds: float = _setting(900.0, "For the whole download of a part's Java archives")
    log_file_mb: int = _setting(10, "Size at which a log file is rolled; two older ones are kept")
    maven_url: str = _setting("", "Mirror that Java archives come from; empty: Maven Central")
    minio_bin: str = _setting("", "MinIO's server (also MINIO_BIN); empty: looked for, and built if need be")
    minio_user: str = _setting("minioadmin", "MinIO's access key (also CHAT4ALL_S3_ACCESS_KEY)")
    minio_password: str = _setting("minioadmin", "MinIO's secret key (also CHAT4ALL_S3_SECRET_KEY)", secret=True)
    files: str = _setting("local", '"s3" (also CHAT4ALL_FILES): MinIO starts with the others')

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StackConfig:
        """Read CHAT4ALL_STACK_* variables; absent ones keep their defaults.

        The default folder is `.devstack` in the current checkout (the nearest folder upwards with a
        `.git`), the default jars folder is `jars` inside it.

        Raises SettingInvalid when a value is not a number where one is expected, or out of range.
        """
        values: dict[str, Any] = {}
        for each in fields(cls):
            names = (setting(each.name), _OTHER_NAMES.get(each.name, ""))
            text = next((text for name in names if (text := environment.get(name, "").strip())), "")
            if text:
                values[each.name] = _parsed(each.name, str(each.type), text)
        folder = values.setdefault("folder", checkout_folder() / ".devstack")
        values.setdefault("jars_folder", folder / "jars")
        return cls(**values)

    @classmethod
    def on_free_ports(cls, folder: Path, jars_folder: Path, **changes: Any) -> StackConfig:
        """A configuration for tests, with free ports; `changes` override any field."""
        names = [each.name for each in fields(cls) if each.name.endswith("_port")]
        ports_of_ours = share(_TEST_PORTS)
        candidates = random.sample(ports_of_ours, k=len(ports_of_ours) // 10)
        free = (port for port in candidates if is_free(LOOPBACK, port))
        ports = {name: next(free) for name in names}
        return cls(**{"folder": folder.resolve(), "jars_folder": jars_folder.resolve(), **ports, **changes})


def setting(field_name: str) -> str:
    """The environment variable of a field: `kafka_port` is CHAT4ALL_STACK_KAFKA_PORT."""
    return PREFIX + field_name.upper()


def checkout_folder() -> Path:
    """The nearest folder upwards from the current one that holds a `.git`, else the current one."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)


def _parsed(name: str, type_name: str, text: str) -> Path | int | float | str:
    if type_name == "str":
        return text
    if type_name == "Path":
        return Path(text).expanduser().resolve()
    expected = "a port between 1 and 65535" if name.endswith("_port") else "a positive number"
    if type_name == "int":
        expected = expected.replace("number", "whole number")
    try:
        number = int(text) if type_name == "int" else float(text)
    except ValueError:
        raise SettingInvalid(setting(name), text, expected) from None
    if not 0 < number < (65_536 if name.endswith("_port") else float("inf")):
        raise SettingInvalid(setting(name), text, expected)
    return number
