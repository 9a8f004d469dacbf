"""Several messages in one request, each accepted or refused by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from aiohttp import web

from domain.errors import Chat4AllError, StoreUnavailable
from domain.idempotency import check_key
from domain.usernames import names_user
from web.contract.message_requests import MAX_BATCH_MESSAGES, CreateBatch, CreateBatchItem
from web.contract.response_bodies import accepted_document
from web.conversations.usernames import USERNAMES, Usernames
from web.errors import FieldErrors, MalformedBody
from web.handlers.messages import key_of, record_headers
from web.http.app_keys import REQUEST_LIMITS, SETTINGS
from web.http.bodies import json_body, validated
from web.http.caller import Caller
from web.http.field_names import Wrong, names_of
from web.http.problems import INTERNAL, problem_document, problem_of
from web.http.request_keys import REQUEST_ID
from web.http.responses import json_response
from web.messages.sending import SENDING, AcceptedMessage, Item, Outcome

log = logging.getLogger(__name__)

_GIVE_WAY_AFTER = 50  # items, some 20 µs each


async def create_messages(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/messages/batch``: 207 with an outcome for each message, in their order.

    Each message has the form of ``POST /v1/messages``. Its idempotency key is its field ``idempotency_key``, else the
    header's ``Idempotency-Key`` together with its index.
    """
    sending, limits = request.app[SENDING], request.app[REQUEST_LIMITS]
    key = key_of(request.headers)
    documents = _messages_of(await json_body(request, creates=True))
    limits.take_more_for_user(request, caller.user_id, len(documents) - 1)
    outcomes: dict[int, Outcome] = {}
    wanted: dict[int, CreateBatchItem] = {}
    for index, document in enumerate(documents):
        if index % _GIVE_WAY_AFTER == _GIVE_WAY_AFTER - 1:
            await asyncio.sleep(0)
        try:
            wanted[index] = _wanted(document)
        except Chat4AllError as error:
            outcomes[index] = error
    items: dict[int, Item] = {}
    ids, away = await _ids_of(request.app[USERNAMES], wanted.values())
    for index, one in wanted.items():
        try:
            if away is not None and names_user(one.recipient_id):
                raise away
            own_key = one.idempotency_key or (None if key is None else f"{key}\n{index}")
            items[index] = sending.item(one, caller, own_key, ids)
        except Chat4AllError as error:
            outcomes[index] = error
    spend = partial(limits.take_more_for_user, request, caller.user_id)
    sent = await sending.many(list(items.values()), record_headers(request), spend)
    for index, outcome in zip(items, sent, strict=True):
        outcomes[index] = outcome
    results = [_result(request, index, outcomes[index]) for index in range(len(documents))]
    accepted = sum(isinstance(outcome, AcceptedMessage) for outcome in outcomes.values())
    return json_response({"accepted": accepted, "refused": len(results) - accepted, "results": results}, 207)


def _messages_of(body: object) -> Sequence[object]:
    """Return the messages of ``{"messages": […]}`` or of a bare list. Raises ``FieldErrors``, ``MalformedBody``."""
    wrong: Wrong = []
    if isinstance(body, dict):
        given, wrong = names_of(CreateBatch).settled(body)
        body = given.get("messages")
        if not isinstance(body, list):
            raise FieldErrors([*wrong, ("messages", "must be a list of messages")])
    if not isinstance(body, list):
        raise MalformedBody('the body must be {"messages": […]} or a list of messages')
    if not 1 <= len(body) <= MAX_BATCH_MESSAGES:
        wrong.append(("messages", f"must hold 1 to {MAX_BATCH_MESSAGES} messages, not {len(body)}"))
    if wrong:
        raise FieldErrors(wrong)
    return body


def _wanted(document: object) -> CreateBatchItem:
    if not isinstance(document, dict):
        raise MalformedBody("each message must be a JSON object")
    wanted = validated(CreateBatchItem, document, strict=True)
    if wanted.idempotency_key is not None:
        check_key(wanted.idempotency_key, "idempotency_key")
    return wanted


async def _ids_of(
    usernames: Usernames, wanted: Collection[CreateBatchItem]
) -> tuple[Mapping[str, str], StoreUnavailable | None]:
    """Return the ids of the users named in the messages, or the error of the look-up."""
    try:
        return await usernames.ids_of([one.recipient_id for one in wanted]), None
    except StoreUnavailable as error:
        return {}, error


def _result(request: web.Request, index: int, outcome: Outcome) -> dict[str, Any]:
    """Return ``{"index", "status", "message" | "problem"}``."""
    if isinstance(outcome, AcceptedMessage):
        expires_hours = request.app[SETTINGS].expires_hours
        document = accepted_document(outcome.message, outcome.position, expires_hours)
        return {"index": index, "status": 202, "message": document}
    if isinstance(outcome, Chat4AllError):
        problem = problem_of(outcome)
    else:
        log.error("a message of a batch failed", exc_info=outcome)
        problem = INTERNAL
    document = problem_document(problem, request.rel_url.raw_path, request[REQUEST_ID])
    return {"index": index, "status": int(problem.status), "problem": document}
