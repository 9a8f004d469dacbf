"""Dead letters, for admins: list, show, redrive, discard."""

from __future__ import annotations

from typing import TypeVar

from aiohttp import web

from domain.status import Status
from web.admin.cursor import LETTER_CURSOR
from web.admin.dead_letters import DEAD_LETTERS
from web.admin.letters import LetterFilter
from web.admin.record_log import Ranges
from web.admin.redrive import Order
from web.admin.resolutions import DISCARDED, REDRIVEN
from web.contract.admin_bodies import letter_document, letters_document, resolved_document
from web.contract.admin_requests import (
    DiscardDeadLetters,
    ListDeadLetters,
    RedriveDeadLetter,
    RedriveDeadLetters,
    ResolveDeadLetter,
    epoch_ms,
)
from web.handlers.redrive_results import RedriveResult, result_of
from web.http.bodies import body_as, query_as
from web.http.caller import Caller
from web.http.responses import iso_utc, json_response

Word = TypeVar("Word", bound=ResolveDeadLetter)


async def list_dead_letters(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/admin/dead-letters``: the oldest first."""
    wanted = query_as(ListDeadLetters, request)
    page = await request.app[DEAD_LETTERS].page(
        _filter(wanted), state=wanted.state, rest=_rest(wanted.cursor), limit=wanted.limit
    )
    return json_response(letters_document(page, wanted.limit))


async def show_dead_letter(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/admin/dead-letters/{letter_id}``: with the original bytes, and what became of a redrive."""
    stored, resolution = await request.app[DEAD_LETTERS].show(request.match_info["letter_id"])
    result = await result_of(request.app, stored, resolution)
    return json_response({**letter_document(stored, resolution), "result": _result_document(result)})


async def redrive_dead_letter(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/admin/dead-letters/{letter_id}/redrive``: 200, with the first resolution if there is one; 409 if the
    record cannot be sent again; 423 while another request is at it."""
    word = await _word(RedriveDeadLetter, request)
    front, letter_id = request.app[DEAD_LETTERS], request.match_info["letter_id"]
    order = Order(caller.username, word.note, word.again, word.may_repeat)
    return json_response(letter_document(*await front.redrive(letter_id, order)))


async def discard_dead_letter(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/admin/dead-letters/{letter_id}/discard``: 200, with the first resolution if there is one."""
    word = await _word(ResolveDeadLetter, request)
    order = Order(caller.username, word.note, word.again)
    front, letter_id = request.app[DEAD_LETTERS], request.match_info["letter_id"]
    return json_response(letter_document(*await front.discard(letter_id, order)))


async def redrive_dead_letters(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/admin/dead-letters/redrive``: up to 500 of those that the filter wants, in the order of the log."""
    word = await body_as(RedriveDeadLetters, request)
    order = Order(caller.username, word.note, word.again, word.may_repeat)
    return await _resolve(request, word, REDRIVEN, order)


async def discard_dead_letters(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/admin/dead-letters/discard``: up to 500 of those that the filter wants."""
    word = await body_as(DiscardDeadLetters, request)
    return await _resolve(request, word, DISCARDED, Order(caller.username, word.note, word.again))


async def _resolve(
    request: web.Request, word: RedriveDeadLetters | DiscardDeadLetters, action: str, order: Order
) -> web.Response:
    result, rest = await request.app[DEAD_LETTERS].resolve_page(
        _filter(word), action, order, rest=_rest(word.cursor), dry_run=word.dry_run
    )
    return json_response(resolved_document(result, rest, action, dry_run=word.dry_run))


async def _word(schema: type[Word], request: web.Request) -> Word:
    return await body_as(schema, request) if request.body_exists else schema()


def _filter(wanted: ListDeadLetters | RedriveDeadLetters | DiscardDeadLetters) -> LetterFilter:
    return LetterFilter(
        reason=wanted.reason,
        topic=wanted.topic,
        conversation_id=wanted.conversation_id,
        since_ms=epoch_ms(wanted.since),
        until_ms=epoch_ms(wanted.until),
    )


def _result_document(result: RedriveResult | None) -> dict[str, object] | None:
    if result is None:
        return None
    hop, state = result.hop, result.state
    reason = "" if hop is None else hop.reason.partition(": ")[2]
    return {
        "outcome": "unknown" if hop is None else hop.outcome,
        "reason": reason or None,
        "at": None if hop is None else iso_utc(hop.at_ms),
        "status": None if state is None else state.status,
        "failure": None
        if state is None or state.status is not Status.FAILED
        else {"code": state.failure_code, "detail": state.failure_detail},
    }


def _rest(cursor: str | None) -> Ranges | None:
    return None if cursor is None else LETTER_CURSOR.decode(cursor)
