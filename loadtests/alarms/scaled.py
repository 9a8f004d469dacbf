"""The alerting rules with shorter durations, to see an alert of an hour in a few minutes. Pure.

Thresholds stay as they are: only the windows of rates and the time that an expression must hold are divided.
"""

from __future__ import annotations

import re
from typing import Any

_SECONDS = {"s": 1, "m": 60, "h": 3_600}
_WINDOW = re.compile(r"(?P<before>\[|offset )(?P<number>\d+)(?P<unit>[smh])")
_LASTS = re.compile(r"^(\d+)([smh])$")


def scaled(rules: dict[str, Any], factor: float, least_window_seconds: float) -> dict[str, Any]:
    """Return the content of ``rules.yml`` with durations divided by ``factor``.

    No window becomes shorter than ``least_window_seconds``, for a rate needs two scrapes.
    """

    def window(found: re.Match[str]) -> str:
        seconds = max(least_window_seconds, _seconds(found["number"], found["unit"]) / factor)
        return f"{found['before']}{round(seconds * 1000)}ms"

    def rule(each: dict[str, Any]) -> dict[str, Any]:
        made = {**each, "expr": _WINDOW.sub(window, each["expr"])}
        if found := _LASTS.match(each.get("for", "")):
            made["for"] = f"{round(_seconds(found[1], found[2]) / factor * 1000)}ms"
        return made

    groups = [{**group, "rules": [rule(each) for each in group["rules"]]} for group in rules["groups"]]
    return {**rules, "groups": groups}


def _seconds(number: str, unit: str) -> float:
    return float(number) * _SECONDS[unit]
