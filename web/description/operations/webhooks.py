"""Operations of the providers: webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from web.description.operations.operation import TEXT, WEBHOOKS, Operation

_WITH_BODY = (408, 413, 415, 501)
_VERIFY: Final = Operation(
    WEBHOOKS,
    "Answer a provider's verification request",
    {200: TEXT},
    (403, 404),
    description="For Meta: `hub.mode`, `hub.verify_token`, `hub.challenge`.",
)
_RECEIVE: Final = Operation(
    WEBHOOKS,
    "Receive a provider's webhook",
    {200: None},
    (401, 404, *_WITH_BODY),
    description="The provider's own body, with its signature. 200 once the raw body is durable; it is parsed later.",
)

OPERATIONS: Mapping[str, Operation] = {
    "GET /webhooks/{channel}": _VERIFY,
    "POST /webhooks/{channel}": _RECEIVE,
    "GET /webhooks/{channel}/{account}": _VERIFY,
    "POST /webhooks/{channel}/{account}": _RECEIVE,
}
