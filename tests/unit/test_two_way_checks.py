"""The verdicts of a two-way run: a clean one is good, and each planted fault is found by its check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadtests.two_way.checks import Evidence, right_share
from loadtests.two_way.plan import Outbound, Plan
from loadtests.two_way.secrets import in_logs, secrets_of
from simulator.accounts import DEFAULTS

OURS = [Outbound("w", 1, "one"), Outbound("w", 2, "two")]


def taken(text: str, **changes: object) -> dict[str, Any]:
    row = {"text": text, "person": "w", "channel": "whatsapp", "is_shown": True, "is_read": True, "statuses": ["read"]}
    return {**row, **changes}


def shown(text: str, direction: str = "outbound", status: str = "READ", code: str = "") -> dict[str, Any]:
    sender = {"address": "whatsapp:+5511999990000"} if direction == "inbound" else {"user_id": "ana"}
    return {"content": text, "sender": sender, "status": status, "failure": {"code": code} if code else None}


def wrote(text: str) -> dict[str, Any]:
    return {"person": "w", "kind": "text", "text": text}


GOOD = Evidence(
    accepted=OURS,
    taken=[taken("one"), taken("two")],
    written=[wrote("a"), wrote("b")],
    shown={"w": [shown("a", "inbound"), shown("one"), shown("b", "inbound"), shown("two")]},
    receipts={"w": True},
)


def bad_titles(evidence: Evidence) -> list[str]:
    return [check.title for check in evidence.checks() if check.faults]


def test_a_clean_run_is_good() -> None:
    assert bad_titles(GOOD) == []
    assert right_share(GOOD, "whatsapp") == (1.0, 2)


def page(*rows: Mapping[str, Any]) -> dict[str, Sequence[Mapping[str, Any]]]:
    return {"w": list(rows)}


@pytest.mark.parametrize(
    ("evidence", "title"),
    [
        (replace(GOOD, taken=[*GOOD.taken, taken("one")]), "out: nobody got a message twice"),
        (replace(GOOD, taken=[taken("two"), taken("one")]), "out: nothing was out of order"),
        (replace(GOOD, taken=[taken("one")]), "out: words are true"),
        (replace(GOOD, taken=[taken("one", is_read=False), taken("two")]), "out: words are true"),
        (replace(GOOD, written=[wrote("a"), wrote("b"), wrote("c")]), "in: what people wrote is there, once"),
        (replace(GOOD, written=[wrote("a")]), "in: what people wrote is there, once"),
        (replace(GOOD, written=[wrote("b"), wrote("a")]), "in: nothing is out of order"),
        (replace(GOOD, accepted=[*OURS, Outbound("w", 3, "three")]), "out: the ledger balances"),
    ],
)
def test_a_planted_fault_is_found(evidence: Evidence, title: str) -> None:
    assert title in bad_titles(evidence)


@pytest.mark.parametrize("status", ["ACCEPTED", "FAILED"])
def test_a_message_without_a_final_word_or_reason_is_a_fault(status: str) -> None:
    rows = [shown("a", "inbound"), shown("one"), shown("b", "inbound"), shown("two", status=status)]
    assert "out: the ledger balances" in bad_titles(replace(GOOD, shown=page(*rows)))


def test_a_lost_receipt_is_a_fault_unless_none_is_given() -> None:
    rows = [shown("a", "inbound"), shown("one", status="SENT"), shown("b", "inbound"), shown("two")]
    evidence = replace(GOOD, shown=page(*rows))
    assert bad_titles(evidence) == ["out: words are true"]
    assert bad_titles(replace(evidence, receipts={"w": False})) == []
    assert right_share(evidence, "whatsapp")[0] == 0.5


def test_a_plan_is_its_seed() -> None:
    one, same, other = Plan(seed=3), Plan(seed=3), Plan(seed=4)
    assert one.outbound() == same.outbound() != other.outbound()
    assert one.kill_times() == same.kill_times()
    assert len(one.inbound()) == one.written
    texts = [order.text for order in one.outbound()]
    assert len(set(texts)) == len(texts)


def test_a_secret_in_a_log_is_found(tmp_path: Path) -> None:
    secrets = secrets_of(DEFAULTS)
    (tmp_path / "api-1.log").write_text("nothing to see")
    assert in_logs(tmp_path, secrets) == (1, [])
    (tmp_path / "whatsapp-1.log").write_text("Authorization: Bearer simulated-whatsapp-token")
    assert in_logs(tmp_path, secrets) == (2, ["whatsapp token is in whatsapp-1.log"])
    assert len(secrets) == 8
