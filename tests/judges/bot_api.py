"""The Bot API's machine-readable description as a judge of calls, answers and updates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_PLAIN: dict[str, type | tuple[type, ...]] = {
    "Integer": int,
    "String": str,
    "Boolean": bool,
    "True": bool,
    "Float": (int, float),
}


class BotApi:
    """The description. ``faults`` returns what is wrong with a value of one of the types."""

    def __init__(self, folder: Path) -> None:
        document = json.loads((folder / "telegram-bot-api.json").read_text())
        self.methods: dict[str, Any] = document["methods"]
        self.types: dict[str, Any] = document["types"]

    def faults(self, types: list[str], value: object, where: str = "") -> list[str]:
        """Return the faults against the first of ``types`` that fits, or against the best one."""
        found = [self._faults(name, value, where) for name in types]
        return min(found, key=len)

    def _faults(self, name: str, value: object, where: str) -> list[str]:
        if name in _PLAIN:
            is_right = isinstance(value, _PLAIN[name]) and (name in ("Boolean", "True") or not isinstance(value, bool))
            return [] if is_right else [f"{where}: {value!r} is no {name}"]
        if name.startswith("Array of "):
            if not isinstance(value, list):
                return [f"{where}: {value!r} is no {name}"]
            inner = name.removeprefix("Array of ")
            return [fault for n, each in enumerate(value) for fault in self._faults(inner, each, f"{where}[{n}]")]
        described = self.types[name]
        if described.get("subtypes"):
            return self.faults(described["subtypes"], value, where)
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is no {name}"]
        fields = {field["name"]: field for field in described.get("fields", [])}
        faults = [f"{where}: {name} has no field {key}" for key in value if key not in fields]
        faults += [f"{where}: {key} is missing" for key, f in fields.items() if f["required"] and key not in value]
        for key, each in value.items():
            if key in fields:
                faults += self.faults(fields[key]["types"], each, f"{where}.{key}")
        return faults

    def call_faults(self, method: str, parameters: dict[str, Any], files: set[str]) -> list[str]:
        """Return what is wrong with a call; ``files``: the parameters that are sent as files of a form."""
        if method not in self.methods:
            return [f"there is no method {method}"]
        fields = {field["name"]: field for field in self.methods[method].get("fields", [])}
        faults = [f"{method} has no parameter {name}" for name in {*parameters, *files} if name not in fields]
        faults += [
            f"{method}: {name} is missing"
            for name, field in fields.items()
            if field["required"] and name not in parameters and name not in files
        ]
        faults += [f"{method}: {name} is no file" for name in files if "InputFile" not in fields[name]["types"]]
        for name, value in parameters.items():
            if name in fields:
                types = [each for each in fields[name]["types"] if each != "InputFile"]
                faults += self.faults(types, value, f"{method}.{name}")
        return faults
