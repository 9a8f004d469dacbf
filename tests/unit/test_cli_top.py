"""`chat4all top`: what a screen shows of lag, queues, breakers and the ledger."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from chat4all.cli.commands.top import frame, ledger_line

LEDGER: dict[str, Any] = {
    "difference": 0.0,
    "age_seconds": 2.0,
    "deliveries": {"accepted": 1500.0, "sent": 1490.0, "failed": 3.0, "dead": 0.0, "queued": 7.0},
}
FLOW: dict[str, Any] = {
    "as_of": "2026-11-28T16:00:00.000Z",
    "seconds": [{"at": n, "accepted": 50, "sent": 40, "delivered": 0, "read": 0, "failed": 1} for n in range(100, 120)],
    "percentiles": {"SENT": {"p50": 40, "p95": 120, "p99": 900}},
    "lag": [
        {"role": "core", "topic": "messages", "records": 12_345},
        {"role": "mirror", "topic": "messages", "records": 0},
    ],
    "ledger": LEDGER,
}
ACCOUNT: dict[str, Any] = {
    "channel": "whatsapp",
    "account": "main",
    "breaker": "open",
    "paused": False,
    "waiting": 4_321,
    "in_flight": 7,
    "per_second": 80.0,
    "waiting_by": {"retry": 2, "breaker": 4_319},
}


def shown(flow: dict[str, Any] | None = None, *accounts: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=140, color_system=None)
    console.print(frame({**FLOW, **(flow or {})}, {"accounts": accounts or (ACCOUNT,)}))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def row(text: str, word: str) -> list[str]:
    """The cells of the first line with ``word``."""
    line = next(line for line in text.splitlines() if word in line)
    return [cell.strip() for cell in line.replace("┃", "│").split("│")]


def test_a_screen_has_rates_delays_lag_and_the_ledger() -> None:
    text = shown()
    assert "50.0" in row(text, "ACCEPTED")
    assert row(text, "SENT ")[2:6] == ["40.0", "40", "120", "900"] or {"40.0", "120", "900"} <= set(row(text, "SENT"))
    assert "12,345" in text
    assert "mirror" not in text, "a role without lag takes no line"
    assert "ledger: balanced (1,500 accepted, 1,490 sent, 3 failed, 0 dead, 7 waiting)" in text


def test_an_account_has_its_breaker_queue_and_reasons() -> None:
    cells = row(shown(), "whatsapp")
    assert {"main", "breaker open", "4,321", "7", "80", "breaker 4319, retry 2"} <= set(cells)
    assert "paused" in row(shown(None, {**ACCOUNT, "paused": True}), "whatsapp")
    unknown = {**ACCOUNT, "breaker": None, "waiting": None, "in_flight": None, "per_second": None, "waiting_by": {}}
    assert {"no report", "no limit"} <= set(row(shown(None, unknown), "whatsapp"))


@pytest.mark.parametrize(
    ("ledger", "words", "style"),
    [
        (None, "nobody keeps it", "yellow"),
        ({**LEDGER, "difference": 3.0}, "3 MISSING", "bold red"),
        ({**LEDGER, "age_seconds": 300.0}, "300 s old", "yellow"),
        ({**LEDGER, "age_seconds": None}, "balanced", "green"),
    ],
)
def test_the_ledger_says_whether_something_is_missing(ledger: object, words: str, style: str) -> None:
    text, found = ledger_line(ledger)
    assert words in text
    assert found == style


def test_what_kafka_does_not_tell_is_said() -> None:
    assert "Kafka does not tell" in shown({"lag": None})
    assert "none" in shown({"lag": []})


def test_a_name_with_control_characters_or_markup_does_no_harm() -> None:
    text = shown(None, {**ACCOUNT, "account": "[red]x\x1b[2J"})
    assert "\x1b" not in text
    assert "[red]x" in text
