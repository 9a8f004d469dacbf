"""Live notifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from web.description.operations.operation import LIVE, Operation


class FollowQuery(BaseModel):
    since: Annotated[
        str | None,
        Field(
            description="The `cursor` of the last frame received. Later events are sent first, so none is lost. "
            "Without it, only new events are sent."
        ),
    ] = None


OPERATIONS: Mapping[str, Operation] = {
    "GET /notifications": Operation(
        LIVE,
        "Receive notifications (WebSocket)",
        {101: None},
        (401, 426),
        query=FollowQuery,
        description="Pass the token as `?token=`, as `Authorization`, or as one of the values of "
        '`Sec-WebSocket-Protocol`. Frames are JSON: `{"type":"connected",…}`, '
        '`{"type":"new_message", message_id, conversation_id, sender_id, content, timestamp, cursor}`, '
        '`{"type":"status", message_id, conversation_id, status, timestamp, cursor}`; '
        '`{"type":"ping"}` is answered by `{"type":"pong"}`. Close codes: 1008 bad token, 1001 '
        "server stopping, 1013 try again, 4401 token expired, 4408 too slow, 4429 too many connections. "
        "426 without an upgrade to WebSocket.",
    ),
}
