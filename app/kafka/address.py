"""Where Kafka is and how to talk to it: the options that every client of aiokafka takes."""

from __future__ import annotations

from typing import Any

from app.settings import Settings


def kafka_options(settings: Settings) -> dict[str, Any]:
    """Return the arguments of a producer, a consumer or an admin client that say where Kafka is."""
    return {"bootstrap_servers": settings.kafka}
