"""Operations of admins: dead letters and the accounts of channels."""

from __future__ import annotations

from collections.abc import Mapping

from web.contract import admin_responses as admin
from web.contract.admin_requests import (
    CommandAccount,
    DiscardDeadLetters,
    ListDeadLetters,
    RedriveDeadLetter,
    RedriveDeadLetters,
    ResolveDeadLetter,
)
from web.contract.flow_requests import ShowFlow
from web.contract.flow_responses import Flow
from web.description.operations.operation import ADMIN, Operation

_ONCE = "A letter with a resolution stays as it is, unless `again`: the answer has the first resolution. "
_SET = (
    "Up to 500 letters a request, in the order of the log; go on with `next_cursor`. Letters that appear later are no "
    "part of the set."
)

OPERATIONS: Mapping[str, Operation] = {
    "GET /v1/admin/dead-letters": Operation(
        ADMIN,
        "List dead letters",
        {200: admin.DeadLetters},
        (403,),
        query=ListDeadLetters,
        description="Oldest first. A page may hold fewer letters than `limit` and have more.",
    ),
    "GET /v1/admin/dead-letters/{letter_id}": Operation(
        ADMIN, "Show a dead letter with the original record", {200: admin.DeadLetter}, (403, 404)
    ),
    "POST /v1/admin/dead-letters/{letter_id}/redrive": Operation(
        ADMIN,
        "Redrive a dead letter",
        {200: admin.DeadLetter},
        (403, 404, 409, 423),
        RedriveDeadLetter,
        is_body_required=False,
        example={"note": "the provider is back"},
        description=_ONCE + "409 if the record cannot be sent again; 423 while another request redrives it.",
    ),
    "POST /v1/admin/dead-letters/{letter_id}/discard": Operation(
        ADMIN,
        "Discard a dead letter",
        {200: admin.DeadLetter},
        (403, 404, 409, 423),
        ResolveDeadLetter,
        is_body_required=False,
        example={"note": "sent by hand"},
        description=_ONCE + "Nothing is sent or deleted.",
    ),
    "POST /v1/admin/dead-letters/redrive": Operation(
        ADMIN,
        "Redrive a set of dead letters",
        {200: admin.ResolvedLetters},
        (403,),
        RedriveDeadLetters,
        example={"reason": "expired", "dry_run": True},
        description=_SET,
    ),
    "POST /v1/admin/dead-letters/discard": Operation(
        ADMIN,
        "Discard a set of dead letters",
        {200: admin.ResolvedLetters},
        (403,),
        DiscardDeadLetters,
        example={"topic": "status-updates", "dry_run": True},
        description=_SET,
    ),
    "GET /v1/admin/channels": Operation(
        ADMIN, "List the accounts of channels", {200: admin.Channels}, (403,), description="As the workers report them."
    ),
    "POST /v1/admin/channels/{channel}/{account}/pause": Operation(
        ADMIN,
        "Pause an account",
        {200: admin.AccountCommand},
        (403, 404),
        CommandAccount,
        is_body_required=False,
        example={"note": "the provider asked for it"},
        description="Its deliveries wait. Calls in flight go on.",
    ),
    "GET /v1/admin/users/{user}": Operation(
        ADMIN, "Show a user", {200: admin.KnownUser}, (403, 404), description="By id or username."
    ),
    "GET /v1/admin/flow": Operation(
        ADMIN,
        "Show what flows through the system now",
        {200: Flow},
        (403,),
        query=ShowFlow,
        description="Of all processes, as one process reads it from the log.",
    ),
    "POST /v1/admin/channels/{channel}/{account}/resume": Operation(
        ADMIN,
        "Resume an account",
        {200: admin.AccountCommand},
        (403, 404),
        CommandAccount,
        is_body_required=False,
        example={},
    ),
}
