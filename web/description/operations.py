"""Purpose, parameters and responses of each route in ``web/routes.py``: the source of the API's description.

Every possible response is listed here. The functional tests check each response against this list, so a missing status
or field fails a test. ``web/description/openapi.py`` describes each problem once.
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
    ACCOUNTS: "Register, log in, refresh tokens, log out.",
    IDENTITIES: "Link the user's addresses on the channels.",
    MESSAGES: "Send messages, read them and track their delivery.",
    CONVERSATIONS: "Conversations are created by their first message or explicitly.",
    FILES: "Files of up to 2 GiB, for the participants of a conversation.",
    GROUPS: "Conversations with members managed by admins.",
    LIVE: "Notifications in real time.",
    OPERATIONS_TAG: "Health, metrics and this description.",
}
HTML, TEXT, ANY_JSON, ANY_BYTES = "text/html", "text/plain", "application/json", "*/*"
FORM = "multipart/form-data"

MESSAGE = {"recipient_id": "whatsapp:+5511999990000", "content": "See you at eight"}
CREDENTIALS = {"username": "maria", "password": "correct horse battery"}


# a JSON schema, another media type, or no body
Answer = type[BaseModel] | str | None


@dataclass(frozen=True)
class Operation:
    """An API operation.

    ``answers``: the successful responses by status. ``problems``: the operation's own problem statuses. General ones
    are added: 400 and 417 to all operations, 408, 413, 415 and 501 to those with a body, 401 to those with a token, and
    503 and 429 unless ``is_local``. ``headers`` and ``answer_headers``: headers of the request and of its responses
    besides the general ones. ``example``: an example body.
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
    """Fields in any order. If the conversation comes first, a caller outside it is refused before the file is read."""

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
            description="The `cursor` of the last frame received. Later events are sent first, so none is lost. "
            "Without it, only new events are sent."
        ),
    ] = None


REGISTER = Operation(
    ACCOUNTS,
    "Register",
    {201: response.User},
    (409,),
    CreateUser,
    example={**CREDENTIALS, "email": "maria@example.org"},
    description="409 if the username is taken. A password needs at least 8 characters, must not be a common one and "
    "must not contain the username.",
)
LOGIN = Operation(
    ACCOUNTS,
    "Log in",
    {200: response.Session},
    (401,),
    CreateToken,
    example=CREDENTIALS,
    description="Unknown users and wrong passwords get the same 401, in the same time.",
)
LIST_MESSAGES = Operation(
    MESSAGES,
    "List a conversation's messages",
    {200: response.Messages},
    (403, 404),
    query=ListMessages,
    description="Page with `cursor`, which is stable while messages arrive; `offset` is for older clients. "
    "All messages acknowledged before this request are included.",
)
READINESS = Operation(
    OPERATIONS_TAG,
    "Readiness",
    {200: response.Readiness, 503: response.Readiness},
    is_local=True,
    description="503 while a required dependency is down.",
)
METRICS = Operation(OPERATIONS_TAG, "Prometheus metrics of this process", {200: TEXT}, is_local=True)

TUS_OPTIONS = Operation(
    FILES,
    "Supported tus features",
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
        "Refresh tokens",
        {200: response.Session},
        (401,),
        RefreshSession,
        example={"refresh_token": "rt_…"},
        description="A refresh token is valid once; using it again ends its session.",
    ),
    "POST /auth/logout": Operation(
        ACCOUNTS,
        "Log out",
        {204: None},
        (403,),
        EndSession,
        is_body_required=False,
        example={},
        description="Ends the session of the `refresh_token`, or of the access token without one. "
        "204 also if the session had already ended; 403 if it belongs to another user.",
    ),
    "GET /v1/users/me": Operation(ACCOUNTS, "Show the caller's account", {200: response.User}),
    "POST /v1/users/identities": Operation(
        IDENTITIES,
        "Link an address",
        {201: response.Identity},
        (409,),
        LinkIdentity,
        example={"platform": "whatsapp", "value": "+55 11 99999-0000"},
        description="201 also if the caller or another user already links it: an unproven link is only a claim "
        "(`contested`). 409 if another user has proven it, or the caller has 20 links.",
    ),
    "GET /v1/users/identities": Operation(IDENTITIES, "List linked addresses", {200: response.Identities}),
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
        description="202 once the message is durable. The first message creates the conversation, with the caller in "
        "it. With an `Idempotency-Key` a repeated request gets the same response; 422 if its body "
        "differs.",
    ),
    "POST /v1/messages/batch": Operation(
        MESSAGES,
        "Send several messages",
        {207: response.Batch},
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
        {200: response.MessageWithDeliveries},
        (404,),
        description="Available from every process right after its 202. 404 for a caller outside the conversation.",
    ),
    "GET /v1/messages/{message_id}/trace": Operation(
        MESSAGES, "Trace a message", {200: response.Trace}, (404,), description="The recorded events of the message."
    ),
    "POST /v1/messages/{message_id}/read": Operation(
        MESSAGES,
        "Mark a message as read",
        {200: response.Read},
        (403, 404, 409),
        description="For its recipients; may be repeated. 403 for other participants; 409 if the message failed.",
    ),
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
    "POST /v1/conversations": Operation(
        CONVERSATIONS,
        "Create a conversation",
        {201: response.Conversation, 200: response.Conversation},
        (409,),
        CreateConversation,
        example={"participants": ["whatsapp:+5511999990000"], "name": "Plans"},
        description="200 if the caller has created the same conversation before; 409 if the id is taken.",
    ),
    "GET /v1/conversations": Operation(
        CONVERSATIONS,
        "List the caller's conversations",
        {200: response.Conversations},
        query=ListConversations,
        description="Most recently active first.",
    ),
    "GET /v1/conversations/{conversation_id}": Operation(
        CONVERSATIONS, "Show a conversation", {200: response.Conversation}, (403, 404)
    ),
    "POST /v1/groups": Operation(
        GROUPS,
        "Create a group",
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
        description="For admins. 409 if already a member, or the group is full.",
    ),
    "DELETE /v1/groups/{group_id}/members/{user_id}": Operation(
        GROUPS,
        "Remove a member, or leave",
        {200: response.Group},
        (403, 404, 409),
        description="For admins, and for the member itself. 409 for the last admin.",
    ),
    "PUT /v1/groups/{group_id}/admins/{user_id}": Operation(
        GROUPS,
        "Make a member an admin",
        {200: response.Group},
        (403, 404, 409),
        description="For admins.",
    ),
    "POST /v1/files": Operation(
        FILES,
        "Upload a file",
        {201: response.File},
        (403, 409),
        UploadForm,
        body_kind=FORM,
        description="201 once the file is complete and durable; otherwise nothing is kept. At most 2 GiB (413). The "
        "type is detected from the bytes. For uploads that can be resumed use `/v1/uploads`.",
    ),
    "GET /v1/files/{file_id}": Operation(
        FILES,
        "Show a file",
        {200: response.File},
        (404, 410),
        description="404 for a caller outside the conversation. 410 once deleted.",
    ),
    "DELETE /v1/files/{file_id}": Operation(
        FILES,
        "Delete a file",
        {204: None},
        (403, 404),
        description="For its uploader and the admins of its group. 204 also if already deleted. Messages keep the "
        "file's id and metadata; its bytes are deleted. Messages with it that are not sent yet become "
        "FAILED (`file-missing`). Copies are kept.",
    ),
    "POST /v1/files/{file_id}/copy": Operation(
        FILES,
        "Copy a file into another conversation",
        {201: response.File},
        (403, 404, 409, 410),
        CopyFile,
        example={"conversation_id": "family"},
        description="For forwarding: the copy is a separate file of the caller with the same bytes and checksum. The "
        "bytes do not pass through the API. The caller must be a participant of both conversations; a "
        "target conversation that does not exist is created.",
    ),
    "GET /v1/files/{file_id}/download": Operation(
        FILES,
        "Get a download link",
        {200: response.Download},
        (404, 410),
        description="The link is valid for one hour.",
    ),
    "GET /v1/files/{file_id}/content": Operation(
        FILES,
        "Download a file",
        CONTENT,
        (404, 410, 412, 416),
        headers=("Range",),
        description="Always sent as an attachment, with `nosniff`.",
    ),
    "GET /v1/files/{file_id}/link": Operation(
        FILES,
        "Download a file by its link",
        CONTENT,
        (403, 404, 410, 412, 416),
        query=LinkQuery,
        headers=("Range",),
        description="The target of `download_url` when files are stored in a folder. 403 once the link has expired.",
    ),
    "OPTIONS /v1/uploads": TUS_OPTIONS,
    "POST /v1/uploads": Operation(
        FILES,
        "Create a resumable upload (tus 1.0.0)",
        {201: None},
        (403, 409, 412, 423, 460),
        FileBytes,
        is_body_required=False,
        body_kind=OFFSET_STREAM,
        headers=("Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Checksum"),
        answer_headers=("Upload-Offset", "Upload-Expires"),
        description='Metadata: `conversation_id` is required; `filename` and `checksum` ("sha256:<hex>" of the whole '
        "file) are optional. The body may contain the first bytes. The last segment of `Location` is the "
        "future file's id. 409 if a newer request has taken the upload over.",
    ),
    "OPTIONS /v1/uploads/{upload_id}": TUS_OPTIONS,
    "HEAD /v1/uploads/{upload_id}": Operation(
        FILES,
        "Show an upload's offset",
        {200: None},
        (404, 409, 410, 412, 423, 460),
        headers=("Tus-Resumable",),
        answer_headers=("Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Expires", "Cache-Control"),
        description="The upload is a file once its offset equals its length. 423 while another server completes it.",
    ),
    "PATCH /v1/uploads/{upload_id}": Operation(
        FILES,
        "Append to an upload",
        {204: None},
        (403, 404, 409, 410, 412, 423, 460),
        FileBytes,
        body_kind=OFFSET_STREAM,
        headers=("Tus-Resumable", "Upload-Offset", "Upload-Checksum"),
        answer_headers=("Upload-Offset", "Upload-Expires"),
        description="204 once the bytes are durable; after the last byte, once the file is complete. The bytes of an "
        "interrupted request are kept. 409 if the offset differs, or a newer request has taken over.",
    ),
    "DELETE /v1/uploads/{upload_id}": Operation(
        FILES,
        "Delete an upload",
        {204: None},
        (404, 409, 410, 412, 423),
        headers=("Tus-Resumable",),
        description="Deletes all its bytes. 409 if the upload is already a file.",
    ),
    "GET /health": Operation(OPERATIONS_TAG, "Liveness", {200: response.Liveness}, is_local=True),
    "GET /health/ready": READINESS,
    "GET /actuator/health": READINESS,
    "GET /metrics": METRICS,
    "GET /actuator/prometheus": METRICS,
    "GET /openapi.json": Operation(
        OPERATIONS_TAG, "This description, as OpenAPI 3.1", {200: ANY_JSON}, (429,), is_local=True
    ),
    "GET /": Operation(
        OPERATIONS_TAG,
        "Redirect to the documentation",
        {302: None},
        (429,),
        is_local=True,
        answer_headers=("Location",),
    ),
    "GET /docs": Operation(OPERATIONS_TAG, "API documentation page", {200: HTML}, (429,), is_local=True),
}
