"""The lag of the workers, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import LogUnavailable


@dataclass
class FakeLag:
    """``lag``: ``None`` while Kafka is away."""

    lag: Mapping[tuple[str, str], int] | None = None
    reads: int = 0

    async def read(self) -> Mapping[tuple[str, str], int]:
        self.reads += 1
        if self.lag is None:
            raise LogUnavailable("no Kafka")
        return self.lag

    async def close(self) -> None:
        pass
