"""The connectors' connections as a resource of the worker: closed when the agents have stopped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mode import Service

if TYPE_CHECKING:
    from domain.ports import Connector


class Connections(Service):  # type: ignore[misc]
    """Closes ``connectors`` with the worker."""

    def __init__(self, connectors: Iterable[Connector], **kwargs: Any) -> None:
        self._connectors = tuple(connectors)
        super().__init__(**kwargs)

    async def on_stop(self) -> None:
        for connector in self._connectors:
            await connector.close()
