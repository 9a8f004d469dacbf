"""Values that many tests need, and values with changes for helpers that pass on names of fields."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# for ``Settings.accounts``: an empty file, so each channel has one simulated account
NO_ACCOUNTS = os.devnull

D = TypeVar("D", bound="DataclassInstance")


def changed(known: D, changes: Mapping[str, object]) -> D:
    """Return a copy of ``known`` with ``changes`` by field. Raises ``TypeError`` if there is no such field."""
    return replace(known, **changes)
