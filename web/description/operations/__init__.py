"""Purpose, parameters and responses of each route in ``web/routes.py``: the source of the API's description."""

from __future__ import annotations

from collections.abc import Mapping

from web.description.operations import accounts, admin, conversations, files, live, messages, service, uploads, webhooks
from web.description.operations.operation import Operation

_ROOMS = (accounts, messages, live, conversations, files, uploads, webhooks, admin, service)

OPERATIONS: Mapping[str, Operation] = {title: one for room in _ROOMS for title, one in room.OPERATIONS.items()}
