"""YAML as people read it: keys in their order, no references between values."""

from __future__ import annotations

from typing import Any

import yaml


class _Plain(yaml.SafeDumper):  # type: ignore[misc]
    def ignore_aliases(self, data: object) -> bool:
        return True


def yaml_text(value: Any, width: int = 120) -> str:
    """Return ``value`` as YAML."""
    return str(yaml.dump(value, Dumper=_Plain, sort_keys=False, width=width, allow_unicode=True))
