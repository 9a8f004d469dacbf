"""The response body about the flow."""

from __future__ import annotations

from typing import Any

from web.flow.ledger import AGE, DIFFERENCE, Balance
from web.flow.recorder import SHARES, WORDS
from web.flow.service import Flow
from web.http.responses import iso_utc

_WORDS = [word.lower() for word in WORDS]
_SHARES = [f"p{round(share * 100)}" for share in SHARES]


def flow_document(flow: Flow) -> dict[str, Any]:
    """Return the flow."""
    lag = None if flow.lag is None else sorted(flow.lag.items())
    return {
        "as_of": iso_utc(flow.at_ms),
        "seconds": [{"at": one.at_s, **dict(zip(_WORDS, one.counts, strict=True))} for one in flow.seconds],
        "percentiles": {str(word): dict(zip(_SHARES, found, strict=True)) for word, found in flow.percentiles.items()},
        "lag": lag and [{"role": role, "topic": topic, "records": n} for (role, topic), n in lag],
        "ledger": None if flow.balance is None else _balance_document(flow.balance),
    }


def _balance_document(balance: Balance) -> dict[str, Any]:
    deliveries = {name: value for name, value in balance.items() if name not in (DIFFERENCE, AGE)}
    return {DIFFERENCE: balance[DIFFERENCE], AGE: balance.get(AGE), "deliveries": deliveries}
