"""Operations on messages."""

from __future__ import annotations

from collections.abc import Mapping

from web.contract import message_responses as message
from web.contract.message_requests import CreateBatch, CreateMessage, ListMessages, ReadMessage, ShowMessage
from web.description.operations.operation import MESSAGES, Operation

MESSAGE = {"recipient_id": "whatsapp:+5511999990000", "content": "See you at eight"}
LIST_MESSAGES = Operation(
    MESSAGES,
    "List a conversation's messages",
    {200: message.Messages},
    (403, 404),
    query=ListMessages,
    description="Page with `cursor`, which is stable while messages arrive; `offset` is for older clients. "
    "All messages acknowledged before this request are included.",
)

OPERATIONS: Mapping[str, Operation] = {
    "POST /v1/messages": Operation(
        MESSAGES,
        "Send a message",
        {202: message.Accepted},
        (403, 409, 422),
        CreateMessage,
        example=MESSAGE,
        headers=("Idempotency-Key",),
        description="202 once the message is durable. The first message creates the conversation, with the caller in "
        "it. With an `Idempotency-Key` a repeated request gets the same response; 422 if its body "
        "differs.",
    ),
    "POST /v1/messages/batch": Operation(
        MESSAGES,
        "Send several messages",
        {207: message.Batch},
        body=CreateBatch,
        example={"messages": [MESSAGE, {**MESSAGE, "content": "Bring cake"}]},
        headers=("Idempotency-Key",),
        description="Each message is accepted or refused separately. A bare list is accepted, too. A message's key is "
        "its `idempotency_key`, or the header's key combined with its index.",
    ),
    "GET /v1/messages": LIST_MESSAGES,
    "GET /v1/conversations/{conversation_id}/messages": LIST_MESSAGES,
    "GET /v1/messages/{message_id}": Operation(
        MESSAGES,
        "Show a message",
        {200: message.MessageWithDeliveries},
        (404,),
        query=ShowMessage,
        description="Available from every process right after its 202. 404 for a caller outside the conversation. "
        "With `as_of` or `known_at` the state at that moment: a receipt that came late had happened before the log "
        "knew of it, and the two tell the one from the other. 404 if the message was not accepted by then. A reaction "
        "that was changed since is not shown.",
    ),
    "GET /v1/messages/{message_id}/trace": Operation(
        MESSAGES,
        "Trace a message",
        {200: message.Trace},
        (404,),
        description="Every hop of the message that is on record, also waits and calls to the channel.",
    ),
    "POST /v1/messages/{message_id}/read": Operation(
        MESSAGES,
        "Mark a message as read",
        {200: message.Read},
        (403, 404, 409),
        ReadMessage,
        is_body_required=False,
        example={"typing": True},
        description="For its recipients; may be repeated, also to show again that an answer is being written. 403 for "
        "other participants; 409 if the message failed.",
    ),
}
