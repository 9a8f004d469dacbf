"""What each route of ``web/routes.py`` is for, what it takes and what it answers: the source of the API's description.

Whatever a client may be answered stands here. Every answer of every functional test is checked against it, so a status
or a field that is missing here fails a test. Each problem has one meaning, told in ``web/description/openapi.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field, RootModel

from web.contract import response_schemas as response
from web.contract.conversation_requests import AddMember, CreateConversation, CreateGroup, ListConversations
from web.contract.file_requests import CopyFile, FileForm
from web.contract.requests import (
    CreateBatch,
    CreateMessage,
    CreateToken,
    CreateUser,
    EndSession,
    LinkIdentity,
    ListMessages,
    RefreshSession,
)
from web.uploads.tus import OFFSET_STREAM

ACCOUNTS, IDENTITIES, MESSAGES = "Accounts", "Identities", "Messages"
CONVERSATIONS, GROUPS, LIVE, OPERATIONS_TAG = "Conversations", "Groups", "Live", "Operation"
FILES = "Files"
TAGS: Mapping[str, str] = {
    ACCOUNTS: "Register, log in, stay logged in, log out.",
    IDENTITIES: "Which addresses on the channels are mine.",
    MESSAGES: "Send, follow and read messages.",
    CONVERSATIONS: "Conversations exist from their first message on, or are begun here.",
    FILES: "Up to 2 GiB, for those who take part in a conversation.",
    GROUPS: "Conversations whose members are chosen by their admins.",
    LIVE: "What happens, as it happens.",
    OPERATIONS_TAG: "For those who run it.",
}
HTML, TEXT, ANY_JSON, ANY_BYTES = "text/html", "text/plain", "application/json", "*/*"
FORM = "multipart/form-data"

MESSAGE = {"recipient_id": "whatsapp:+5511999990000", "content": "See you at eight"}
CREDENTIALS = {"username": "maria", "password": "correct horse battery"}


# a schema's JSON; a media type of something else; nothing
Answer = type[BaseModel] | str | None


@dataclass(frozen=True)
class Operation:
    """``answers``: by status, those that are no problems. ``problems``: those that are this operation's own, besides

    what any request may get (400, 417), with a body (408, 413, 415, 501), with a token (401), and, unless ``is_local``,
    from what the API depends on (503) and from its limits (429). ``headers`` of the request and ``answer_headers`` of
    its answers: those beside the general.
    ``example``: a body as the contract shows it.
    """

    tag: str
    summary: str
    answers: Mapping[int, Answer]
    problems: tuple[int, ...] = ()
    body: type[BaseModel] | None = None
    is_body_required: bool = True
    body_kind: str = "application/json"
    example: Any = None
    query: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    answer_headers: tuple[str, ...] = ()
    description: str = ""
    is_local: bool = False


class UploadForm(FileForm):
    """Fields in any order; with the conversation first, who takes no part in it is refused before the file is read."""

    file: Annotated[bytes, Field(json_schema_extra={"format": "binary"})]


class FileBytes(RootModel[bytes]):
    """Bytes of a file, from an offset on."""


class LinkQuery(BaseModel):
    expires: Annotated[str, Field(description="Epoch seconds.")]
    signature: str


class FollowQuery(BaseModel):
    since: Annotated[
        str | None,
        Field(
            description="The `cursor` of the last frame one has seen: what came after it is sent first, nothing is "
            "lost. Without it: from now on."
        ),
    ] = None


REGISTER = Operation(
    ACCOUNTS,
    "Register",
    {201: response.User},
    (409,),
    CreateUser,
    example={**CREDENTIALS, "email": "maria@example.org"},
    description="409 if the name is taken. A password has at least 8 characters of any kind, is not among the "
    "commonest and does not hold the username.",
)
LOGIN = Operation(
    ACCOUNTS,
    "Log in",
    {200: response.Session},
    (401,),
    CreateToken,
    example=CREDENTIALS,
    description="401 is the same, in the same time, for an unknown user and a wrong password.",
)
LIST_MESSAGES = Operation(
    MESSAGES,
    "List a conversation's messages",
    {200: response.Messages},
    (403, 404),
    query=ListMessages,
    description="Read on with `cursor`, which is stable while messages arrive; `offset` is for older clients. "
    "What was acknowledged before this request is in the answer.",
)
READINESS = Operation(
    OPERATIONS_TAG,
    "Can requests be served?",
    {200: response.Readiness, 503: response.Readiness},
    is_local=True,
    description="503 while something is down that requests need.",
)
METRICS = Operation(OPERATIONS_TAG, "Metrics of this process, for Prometheus", {200: TEXT}, is_local=True)

TUS_OPTIONS = Operation(
    FILES,
    "What is done of tus",
    {204: None},
    is_local=True,
    answer_headers=("Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"),
)
CONTENT: Mapping[int, Answer] = {200: ANY_BYTES, 206: ANY_BYTES, 304: None}

OPERATIONS: Mapping[str, Operation] = {
    "POST /users": REGISTER,
    "POST /auth/register": REGISTER,
    "POST /auth/login": LOGIN,
    "POST /auth/token": LOGIN,
    "POST /auth/refresh": Operation(
        ACCOUNTS,
        "Stay logged in",
        {200: response.Session},
        (401,),
        RefreshSession,
        example={"refresh_token": "rt_…"},
        description="A refresh token is taken once; one that comes again ends its session.",
    ),
    "POST /auth/logout": Operation(
        ACCOUNTS,
        "Log out",
        {204: None},
        (403,),
        EndSession,
        is_body_required=False,
        example={},
        description="Ends the session of the `refresh_token`, or of the access token if there is none. "
        "204 also if it had ended before; 403 if it is another user's.",
    ),
    "GET /v1/users/me": Operation(ACCOUNTS, "Who am I?", {200: response.User}),
    "POST /v1/users/identities": Operation(
        IDENTITIES,
        "Link an address",
        {201: response.Identity},
        (409,),
        LinkIdentity,
        example={"platform": "whatsapp", "value": "+55 11 99999-0000"},
        description="201 also if it is linked already, and if others link the same address: without proof a link is "
        "one's own claim (`contested`). 409 if another user has proven it, or one has 20.",
    ),
    "GET /v1/users/identities": Operation(IDENTITIES, "List one's addresses", {200: response.Identities}),
    "DELETE /v1/users/identities/{platform}/{value}": Operation(
        IDENTITIES, "Unlink an address", {200: response.UnlinkedIdentity}, (404,)
    ),
    "POST /v1/messages": Operation(
        MESSAGES,
        "Send a message",
        {202: response.Accepted},
        (403, 409, 422),
        CreateMessage,
        example=MESSAGE,
        headers=("Idempotency-Key",),
        description="202 once the message is durable, and not before. The conversation is created on first use, with "
        "the caller in it. With an `Idempotency-Key` a repetition gets the same answer; 422 if its body "
        "is another.",
    ),
    "POST /v1/messages/batch": Operation(
        MESSAGES,
        "Send several messages",
        {207: response.Batch},
        body=CreateBatch,
        example={"messages": [MESSAGE, {**MESSAGE, "content": "Bring cake"}]},
        headers=("Idempotency-Key",),
        description="Each is accepted or refused by itself; a bare list of them is taken, too. A message's key is its "
        "own `idempotency_key`, else the header's together with its index.",
    ),
    "GET /v1/messages": LIST_MESSAGES,
    "GET /v1/conversations/{conversation_id}/messages": LIST_MESSAGES,
    "GET /v1/messages/{message_id}": Operation(
        MESSAGES,
        "Show a message",
        {200: response.MessageWithDeliveries},
        (404,),
        description="Found right after its 202, whichever process answers. To a stranger it does not exist.",
    ),
    "GET /v1/messages/{message_id}/trace": Operation(
        MESSAGES, "Trace a message", {200: response.Trace}, (404,), description="What is on record of its way."
    ),
    "POST /v1/messages/{message_id}/read": Operation(
        MESSAGES,
        "Say that one has read it",
        {200: response.Read},
        (403, 404, 409),
        description="By its recipient, any number of times; 403 for others who take part; 409 if it failed.",
    ),
    "GET /notifications": Operation(
        LIVE,
        "Follow what happens (WebSocket)",
        {101: None},
        (401, 426),
        query=FollowQuery,
        description="The token comes as `?token=`, as `Authorization`, or as one of the values of "
        '`Sec-WebSocket-Protocol`. Frames are JSON: `{"type":"connected",…}`, '
        '`{"type":"new_message", message_id, conversation_id, sender_id, content, timestamp, cursor}`, '
        '`{"type":"status", message_id, conversation_id, status, timestamp, cursor}`; '
        '`{"type":"ping"}` is answered by `{"type":"pong"}`. Close codes: 1008 bad token, 1001 '
        "this server stops, 1013 try again, 4401 token expired, 4408 too slow, 4429 too many connections. "
        "426 without an upgrade.",
    ),
    "POST /v1/conversations": Operation(
        CONVERSATIONS,
        "Begin a conversation",
        {201: response.Conversation, 200: response.Conversation},
        (409,),
        CreateConversation,
        example={"participants": ["whatsapp:+5511999990000"], "name": "Plans"},
        description="200 if the caller made the very same one before; 409 if the id is taken.",
    ),
    "GET /v1/conversations": Operation(
        CONVERSATIONS,
        "List one's conversations",
        {200: response.Conversations},
        query=ListConversations,
        description="What happened last first.",
    ),
    "GET /v1/conversations/{conversation_id}": Operation(
        CONVERSATIONS, "Show a conversation", {200: response.Conversation}, (403, 404)
    ),
    "POST /v1/groups": Operation(
        GROUPS,
        "Found a group",
        {201: response.CreatedGroup},
        body=CreateGroup,
        example={"name": "Family", "initial_members": ["whatsapp:+5511999990000"]},
        description="The caller is its first admin.",
    ),
    "GET /v1/groups/{group_id}": Operation(GROUPS, "Show a group", {200: response.Group}, (403, 404)),
    "POST /v1/groups/{group_id}/members": Operation(
        GROUPS,
        "Add a member",
        {200: response.Group},
        (403, 404, 409),
        AddMember,
        example={"user_id": "telegram:@joana"},
        description="By an admin; 409 if a member already, or it is full.",
    ),
    "DELETE /v1/groups/{group_id}/members/{user_id}": Operation(
        GROUPS,
        "Remove a member, or leave",
        {200: response.Group},
        (403, 404, 409),
        description="By an admin, or by oneself; 409 for the last admin.",
    ),
    "PUT /v1/groups/{group_id}/admins/{user_id}": Operation(
        GROUPS,
        "Make a member an admin",
        {200: response.Group},
        (403, 404, 409),
        description="By an admin.",
    ),
    "POST /v1/files": Operation(
        FILES,
        "Send a file in",
        {201: response.File},
        (403, 409),
        UploadForm,
        body_kind=FORM,
        description="201 once the file is whole and durable; else nothing of it is kept. At most 2 GiB (413). Its type "
        "is found by its bytes. To go on after an interruption use `/v1/uploads`.",
    ),
    "GET /v1/files/{file_id}": Operation(
        FILES,
        "Show a file",
        {200: response.File},
        (404, 410),
        description="To a stranger it does not exist. 410 once it is deleted.",
    ),
    "DELETE /v1/files/{file_id}": Operation(
        FILES,
        "Delete a file",
        {204: None},
        (403, 404),
        description="By its uploader, or an admin of its group; 204 also if it was deleted before. Messages go on "
        "naming it, with its metadata; its bytes are gone, and a message with it that has not left yet "
        "becomes FAILED (`file-missing`). Copies stay.",
    ),
    "POST /v1/files/{file_id}/copy": Operation(
        FILES,
        "Copy a file into another conversation",
        {201: response.File},
        (403, 404, 409, 410),
        CopyFile,
        example={"conversation_id": "family"},
        description="To forward it: the copy is a file of its own, the caller's, with the same bytes and checksum. The "
        "bytes do not pass through the API. By all who take part in both conversations; one that does not "
        "exist is created.",
    ),
    "GET /v1/files/{file_id}/download": Operation(
        FILES, "Get a link to a file", {200: response.Download}, (404, 410), description="The link holds for an hour."
    ),
    "GET /v1/files/{file_id}/content": Operation(
        FILES,
        "Get a file",
        CONTENT,
        (404, 410, 412, 416),
        headers=("Range",),
        description="Always as an attachment, and never to be guessed at (`nosniff`).",
    ),
    "GET /v1/files/{file_id}/link": Operation(
        FILES,
        "Follow a link to a file",
        CONTENT,
        (403, 404, 410, 412, 416),
        query=LinkQuery,
        headers=("Range",),
        description="What `download_url` is where files are kept in a folder. 403 once it has expired.",
    ),
    "OPTIONS /v1/uploads": TUS_OPTIONS,
    "POST /v1/uploads": Operation(
        FILES,
        "Begin an upload that can be resumed (tus 1.0.0)",
        {201: None},
        (403, 409, 412, 423, 460),
        FileBytes,
        is_body_required=False,
        body_kind=OFFSET_STREAM,
        headers=("Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Checksum"),
        answer_headers=("Upload-Offset", "Upload-Expires"),
        description='Of the metadata, `conversation_id` is needed; `filename` and `checksum` ("sha256:<hex>" of the '
        "whole) are taken. The first bytes may come along. The last segment of `Location` will be the "
        "file's id. 409: a newer request goes on with it.",
    ),
    "OPTIONS /v1/uploads/{upload_id}": TUS_OPTIONS,
    "HEAD /v1/uploads/{upload_id}": Operation(
        FILES,
        "How far is an upload?",
        {200: None},
        (404, 409, 410, 412, 423, 460),
        headers=("Tus-Resumable",),
        answer_headers=("Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Expires", "Cache-Control"),
        description="At its whole length it is a file. 423 while another server is about to make it one.",
    ),
    "PATCH /v1/uploads/{upload_id}": Operation(
        FILES,
        "Go on with an upload",
        {204: None},
        (403, 404, 409, 410, 412, 423, 460),
        FileBytes,
        body_kind=OFFSET_STREAM,
        headers=("Tus-Resumable", "Upload-Offset", "Upload-Checksum"),
        answer_headers=("Upload-Offset", "Upload-Expires"),
        description="204 once the bytes are durable, and after the last one once it is a file. Of a request that broke "
        "off, what came is kept. 409: it is at another offset, or a newer request goes on with it.",
    ),
    "DELETE /v1/uploads/{upload_id}": Operation(
        FILES,
        "Give an upload up",
        {204: None},
        (404, 409, 410, 412, 423),
        headers=("Tus-Resumable",),
        description="Nothing is left of it. 409 if it is a file by now.",
    ),
    "GET /health": Operation(OPERATIONS_TAG, "Does this process answer?", {200: response.Liveness}, is_local=True),
    "GET /health/ready": READINESS,
    "GET /actuator/health": READINESS,
    "GET /metrics": METRICS,
    "GET /actuator/prometheus": METRICS,
    "GET /openapi.json": Operation(
        OPERATIONS_TAG, "This description, as OpenAPI 3.1", {200: ANY_JSON}, (429,), is_local=True
    ),
    "GET /": Operation(
        OPERATIONS_TAG,
        "To this page",
        {302: None},
        (429,),
        is_local=True,
        answer_headers=("Location",),
    ),
    "GET /docs": Operation(OPERATIONS_TAG, "This description, to browse", {200: HTML}, (429,), is_local=True),
}
