"""Where a single copy is a risk."""

from __future__ import annotations

from typing import Any

import pytest

from app.kafka.topic_admin import _is_cluster


class Admin:
    def __init__(self, brokers: int) -> None:
        self.brokers = brokers

    async def describe_cluster(self) -> dict[str, Any]:
        return {"brokers": [object()] * self.brokers}


@pytest.mark.parametrize(
    ("bootstrap", "brokers", "expected"),
    [
        ("127.0.0.1:9092", 1, False),
        ("localhost:9092", 1, False),
        ("[::1]:9092", 1, False),
        ("127.0.0.1:9092,127.0.0.1:9093", 3, True),
        ("kafka-1.example.org:9092", 1, True),
        ("10.0.0.7:9092", 1, True),
    ],
)
async def test_a_broker_elsewhere_or_beside_others_is_a_cluster(bootstrap: str, brokers: int, expected: bool) -> None:
    assert await _is_cluster(Admin(brokers), bootstrap) is expected
