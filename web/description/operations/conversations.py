"""Operations on conversations and groups."""

from __future__ import annotations

from collections.abc import Mapping

from web.contract import conversation_responses as conversation
from web.contract.conversation_requests import AddMember, CreateConversation, CreateGroup, ListConversations
from web.description.operations.operation import CONVERSATIONS, GROUPS, Operation

OPERATIONS: Mapping[str, Operation] = {
    "POST /v1/conversations": Operation(
        CONVERSATIONS,
        "Create a conversation",
        {201: conversation.Conversation, 200: conversation.Conversation},
        (409,),
        CreateConversation,
        example={"participants": ["whatsapp:+5511999990000"], "name": "Plans"},
        description="200 if the caller has created the same conversation before; 409 if the id is taken.",
    ),
    "GET /v1/conversations": Operation(
        CONVERSATIONS,
        "List the caller's conversations",
        {200: conversation.Conversations},
        query=ListConversations,
        description="Most recently active first.",
    ),
    "GET /v1/conversations/{conversation_id}": Operation(
        CONVERSATIONS, "Show a conversation", {200: conversation.Conversation}, (403, 404)
    ),
    "POST /v1/groups": Operation(
        GROUPS,
        "Create a group",
        {201: conversation.CreatedGroup},
        body=CreateGroup,
        example={"name": "Family", "initial_members": ["whatsapp:+5511999990000"]},
        description="The caller is its first admin.",
    ),
    "GET /v1/groups/{group_id}": Operation(GROUPS, "Show a group", {200: conversation.Group}, (403, 404)),
    "POST /v1/groups/{group_id}/members": Operation(
        GROUPS,
        "Add a member",
        {200: conversation.Group},
        (403, 404, 409),
        AddMember,
        example={"user_id": "telegram:@joana"},
        description="For admins. 409 if already a member, or the group is full.",
    ),
    "DELETE /v1/groups/{group_id}/members/{user_id}": Operation(
        GROUPS,
        "Remove a member, or leave",
        {200: conversation.Group},
        (403, 404, 409),
        description="For admins, and for the member itself. 409 for the last admin.",
    ),
    "PUT /v1/groups/{group_id}/admins/{user_id}": Operation(
        GROUPS,
        "Make a member an admin",
        {200: conversation.Group},
        (403, 404, 409),
        description="For admins.",
    ),
}
