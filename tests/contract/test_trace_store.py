"""``TraceStore``, on the fake and on Cassandra."""

from __future__ import annotations

import pytest

from domain.errors import StoreUnavailable
from domain.ports.traces import MAX_TRACES
from domain.traces import TraceRecorded
from tests.contract.conftest import Stores

pytestmark = pytest.mark.asyncio(loop_scope="module")


def hop(at_ms: int, event: str = "attempt", message: str = "m-traced", **more: object) -> TraceRecorded:
    return TraceRecorded(message, "c-1", event, at_ms, "whatsapp", "whatsapp:+55", **more)  # type: ignore[arg-type]


async def test_the_hops_of_a_message_come_in_the_order_of_their_times(stores: Stores) -> None:
    first = hop(1_000, attempt=1, outcome="not-now", answer='{"error":"slow down"}', provider_status=429)
    second, third = hop(2_000, "waiting", reason="retry", duration_ms=500), hop(3_000, attempt=2, outcome="sent")
    for traces in ([third, first], [second, first]):
        await stores.traces.write(traces)
    assert await stores.traces.of("m-traced") == [first, second, third]


async def test_of_many_hops_the_newest_are_read(stores: Stores) -> None:
    hops = [hop(n, message="m-busy", attempt=n, outcome="not-now") for n in range(10_000, 10_000 + MAX_TRACES + 20)]
    await stores.traces.write(hops)
    assert await stores.traces.of("m-busy") == hops[-MAX_TRACES:]


async def test_a_message_without_hops_has_none(stores: Stores) -> None:
    assert list(await stores.traces.of("m-nobody")) == []
    assert list(await stores.traces.of("")) == []
    assert list(await stores.traces.of("\ud800")) == []


async def test_an_outage_is_told(stores: Stores) -> None:
    await stores.off()
    try:
        with pytest.raises(StoreUnavailable):
            await stores.traces.of("m-traced")
        with pytest.raises(StoreUnavailable):
            await stores.traces.write([hop(1_000)])
    finally:
        await stores.on()
