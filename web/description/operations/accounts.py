"""Operations on accounts and linked identities."""

from __future__ import annotations

from collections.abc import Mapping

from web.contract import account_responses as account
from web.contract.account_requests import CreateToken, CreateUser, EndSession, LinkIdentity, RefreshSession
from web.description.operations.operation import ACCOUNTS, IDENTITIES, Operation

CREDENTIALS = {"username": "maria", "password": "correct horse battery"}
REGISTER = Operation(
    ACCOUNTS,
    "Register",
    {201: account.User},
    (409,),
    CreateUser,
    example={**CREDENTIALS, "email": "maria@example.org"},
    description="409 if the username is taken. A password needs at least 8 characters, must not be a common one and "
    "must not contain the username.",
)

LOGIN = Operation(
    ACCOUNTS,
    "Log in",
    {200: account.Session},
    (401,),
    CreateToken,
    example=CREDENTIALS,
    description="Unknown users and wrong passwords get the same 401, in the same time.",
)

OPERATIONS: Mapping[str, Operation] = {
    "POST /users": REGISTER,
    "POST /auth/register": REGISTER,
    "POST /auth/login": LOGIN,
    "POST /auth/token": LOGIN,
    "POST /auth/refresh": Operation(
        ACCOUNTS,
        "Refresh tokens",
        {200: account.Session},
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
    "GET /v1/users/me": Operation(ACCOUNTS, "Show the caller's account", {200: account.Me}),
    "POST /v1/users/identities": Operation(
        IDENTITIES,
        "Link an address",
        {201: account.Identity},
        (409,),
        LinkIdentity,
        example={"platform": "whatsapp", "value": "+55 11 99999-0000"},
        description="201 also if the caller or another user already links it: an unproven link is only a claim "
        "(`contested`). 409 if another user has proven it, or the caller has 20 links.",
    ),
    "GET /v1/users/identities": Operation(IDENTITIES, "List linked addresses", {200: account.Identities}),
    "DELETE /v1/users/identities/{platform}/{value}": Operation(
        IDENTITIES, "Unlink an address", {200: account.UnlinkedIdentity}, (404,)
    ),
}
