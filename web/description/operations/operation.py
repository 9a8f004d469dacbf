"""An operation of the API, and the tags that group operations.

Every possible response is listed in an operation. The functional tests check each response against it, so a missing
status or field fails a test. ``web/description/openapi.py`` describes each problem once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

ACCOUNTS, IDENTITIES, MESSAGES = "Accounts", "Identities", "Messages"
CONVERSATIONS, GROUPS, LIVE, OPERATIONS_TAG = "Conversations", "Groups", "Live", "Operation"
FILES, ADMIN, WEBHOOKS = "Files", "Admin", "Webhooks"
TAGS: Mapping[str, str] = {
    ACCOUNTS: "Register, log in, refresh tokens, log out.",
    IDENTITIES: "Link the user's addresses on the channels.",
    MESSAGES: "Send messages, read them and track their delivery.",
    CONVERSATIONS: "Conversations are created by their first message or explicitly.",
    FILES: "Files of up to 2 GiB, for the participants of a conversation.",
    GROUPS: "Conversations with members managed by admins.",
    LIVE: "Notifications in real time.",
    WEBHOOKS: "For the providers of the channels: verification requests, receipts and messages of people.",
    ADMIN: "Dead letters and the accounts of channels, for users with the role admin.",
    OPERATIONS_TAG: "Health, metrics and this description.",
}
HTML, TEXT, ANY_JSON, ANY_BYTES = "text/html", "text/plain", "application/json", "*/*"
PAGE_PART = "a page's part"  # a script, a style, a picture, the page
FORM = "multipart/form-data"

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
