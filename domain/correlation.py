"""The token that a channel echoes in its receipts: the conversation and the ``delivery_key`` of a request.

A later part of a message that takes several calls has its number behind them.
"""

from __future__ import annotations

import re

from domain.records import DeliveryRequested, delivery_key

SEPARATOR = "\x1f"
_PART = re.compile("[0-9]{1,6}")
MOST_TOKEN = 512  # characters: WhatsApp's limit of ``biz_opaque_callback_data``


def token_of(request: DeliveryRequested, part: int = 1) -> str:
    """Return the token of ``request``, or of a later part of it: at most ``MOST_TOKEN`` characters if it is usable."""
    token = f"{request.conversation_id}{SEPARATOR}{delivery_key(request)}"
    return token if part == 1 else f"{token}{SEPARATOR}{part}"


def split_token(token: str) -> tuple[str, str] | None:
    """Return the conversation and the ``delivery_key`` in ``token``; ``None`` if it is no token of ours."""
    conversation_id, _, rest = token.partition(SEPARATOR)
    key, is_part, part = rest.partition(SEPARATOR)
    if not (conversation_id and key) or len(token) > MOST_TOKEN or (is_part and not _PART.fullmatch(part)):
        return None
    return conversation_id, key
