"""Readers of the tables' rows, for ``app/audit.py``, which stands below the tables."""

from __future__ import annotations

from app.audit import RowLoaders
from tables import attempts, message_state, queue


def _name(value: bytes) -> str:
    return queue.load(value)[0].name


def _is_delivery(key: bytes) -> bool:
    return key.startswith(queue.DELIVERY)


LOADERS = RowLoaders(message_state.load, _name, _is_delivery, attempts.load)
