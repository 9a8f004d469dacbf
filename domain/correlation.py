"""The token that a channel echoes in its receipts: the conversation and the ``delivery_key`` of a request."""

from __future__ import annotations

from domain.records import DeliveryRequested, delivery_key

SEPARATOR = "\x1f"
MOST_TOKEN = 512  # characters: WhatsApp's limit of ``biz_opaque_callback_data``


def token_of(request: DeliveryRequested) -> str:
    """Return the token of ``request``: at most ``MOST_TOKEN`` characters."""
    return f"{request.conversation_id}{SEPARATOR}{delivery_key(request)}"


def split_token(token: str) -> tuple[str, str] | None:
    """Return the conversation and the ``delivery_key`` in ``token``; ``None`` if it is no token of ours."""
    conversation_id, separator, key = token.partition(SEPARATOR)
    if not (conversation_id and separator and key) or SEPARATOR in key or len(token) > MOST_TOKEN:
        return None
    return conversation_id, key
