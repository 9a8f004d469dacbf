"""Where the stack lives, its ports and its limits."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from devstack.errors import SettingInvalid
from devstack.ports import is_free

PREFIX = "CHAT4ALL_STACK_"
LOOPBACK = "127.0.0.1"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """Everything a stack needs to know. Each field can be set as CHAT4ALL_STACK_<FIELD>.

    folder: data, logs, configuration and process records; made when missing, and ignored by git.
    jars_folder: downloaded Java archives (about 115 MB); several stacks may share it.
    *_port: TCP ports, bound on 127.0.0.1 only.
    *_heap_mb: Java heap of each process, in MiB; resident size is that plus about 300 MiB at most.
    start_timeout_seconds: from the launch of a process (jars present) until it must answer.
    stop_timeout_seconds: from SIGTERM until SIGKILL.
    jars_timeout_seconds: for the whole download of a part's jars.
    maven_url: a mirror to download from; Maven Central when empty.
    log_file_mb: size in MiB at which a log file is rolled; two older ones are kept.
    minio_bin: MinIO's server (also MINIO_BIN); when empty it is looked for, and built if need be: devstack/minio.py.
    minio_user, minio_password: its keys (also CHAT4ALL_S3_ACCESS_KEY and CHAT4ALL_S3_SECRET_KEY).
    files: "s3" (also CHAT4ALL_FILES) makes MinIO one of the parts that `up` starts without being told.
    """

    folder: Path
    jars_folder: Path
    kafka_port: int = 9092
    kafka_controller_port: int = 9093
    cassandra_port: int = 9042
    cassandra_storage_port: int = 7000
    minio_port: int = 9000
    kafka_heap_mb: int = 512
    cassandra_heap_mb: int = 512
    start_timeout_seconds: float = 90.0
    stop_timeout_seconds: float = 5.0
    jars_timeout_seconds: float = 900.0
    log_file_mb: int = 10
    maven_url: str = ""
    minio_bin: str = ""
    minio_user: str = "minioadmin"
    minio_password: str = field(default="minioadmin", repr=False)
    files: str = "local"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StackConfig:
        """Read CHAT4ALL_STACK_* variables; what is absent keeps its default.

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
        """A configuration for tests: ports that nobody uses now; `changes` override any field."""
        names = [each.name for each in fields(cls) if each.name.endswith("_port")]
        candidates = random.sample(_TEST_PORTS, k=len(_TEST_PORTS) // 10)
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
