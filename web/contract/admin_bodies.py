"""Response bodies about dead letters and the accounts of channels."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import orjson

from domain.records import ChannelCommand
from web.admin.channels import AccountState
from web.admin.cursor import LETTER_CURSOR
from web.admin.dead_letters import LetterPage, state_of
from web.admin.letters import StoredLetter
from web.admin.record_log import Ranges
from web.admin.resolutions import Resolution
from web.admin.resolving import Resolved
from web.http.responses import iso_utc, iso_utc_or_none


def letter_summary(stored: StoredLetter, resolution: Resolution | None) -> dict[str, Any]:
    """Return a letter without its bytes."""
    return _letter(stored, resolution, _json_of(stored.letter.value))


def letter_document(stored: StoredLetter, resolution: Resolution | None) -> dict[str, Any]:
    """Return a letter with the original record."""
    parsed = _json_of(stored.letter.value)
    return {
        **_letter(stored, resolution, parsed),
        "key_base64": _base64(stored.letter.key),
        "value_base64": _base64(stored.letter.value),
        "value_json": parsed,
    }


def letters_document(page: LetterPage, limit: int) -> dict[str, Any]:
    """Return a page of letters."""
    pagination = {"limit": limit, "returned": len(page.letters), **_rest(page.rest)}
    return {
        "dead_letters": [letter_summary(stored, resolution) for stored, resolution in page.letters],
        "pagination": pagination,
    }


def resolved_document(result: Resolved, rest: Ranges | None, action: str, *, dry_run: bool) -> dict[str, Any]:
    """Return the results for a set of letters."""
    return {
        "action": action,
        "dry_run": dry_run,
        "matched": sum(map(len, (result.resolved, result.already, result.under_way))) + len(result.refused),
        "resolved": _ids(result.resolved),
        "already": _ids(result.already),
        "under_way": _ids(result.under_way),
        "refused": [{"id": stored.letter_id, "detail": detail} for stored, detail in result.refused],
        **_rest(rest),
    }


def account_document(state: AccountState) -> dict[str, Any]:
    """Return an account over all partitions."""
    reports = state.reports
    return {
        "channel": state.channel,
        "account": state.account,
        "breaker": state.breaker,
        "paused": state.is_paused,
        "waiting": sum(report.waiting for report in reports),
        "waiting_by": dict(state.waiting_by),
        "in_flight": sum(report.in_flight for report in reports),
        "per_second": round(sum(report.per_second for report in reports), 3),
        "last_errors": [
            {"detail": report.last_error, "at": iso_utc(report.at_ms), "partition": report.partition}
            for report in state.last_errors
        ],
        "reported_at": iso_utc_or_none(max((report.at_ms for report in reports), default=None)),
        "partitions": [
            {
                "partition": report.partition,
                "breaker": report.breaker,
                "paused": report.paused,
                "waiting": report.waiting,
                "in_flight": report.in_flight,
                "per_second": report.per_second,
                "at": iso_utc(report.at_ms),
            }
            for report in reports
        ],
    }


def command_document(channel: str, command: ChannelCommand) -> dict[str, Any]:
    """Return a command to an account."""
    return {
        "command": command.command,
        "command_id": command.command_id,
        "channel": channel,
        "account": command.account,
        "by": command.by,
        "at": iso_utc(command.at_ms),
        "note": command.reason,
    }


def _letter(stored: StoredLetter, resolution: Resolution | None, parsed: Any) -> dict[str, Any]:
    letter = stored.letter
    message_id = parsed.get("message_id") if isinstance(parsed, dict) else None
    return {
        "id": stored.letter_id,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "reason_text": stored.reason_text,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "at": iso_utc(stored.at_ms),
        "conversation_id": stored.conversation_id,
        "message_id": message_id if isinstance(message_id, str) else None,
        "size_bytes": len(letter.value or b""),
        "state": state_of(resolution),
        "resolution": None if resolution is None else _resolution(resolution),
    }


def _resolution(resolution: Resolution) -> dict[str, Any]:
    return {
        "action": resolution.action,
        "is_done": resolution.is_done,
        "by": resolution.by,
        "at": iso_utc(resolution.at_ms),
        "note": resolution.reason,
        "resolution_id": resolution.resolution_id,
    }


def _rest(rest: Ranges | None) -> dict[str, Any]:
    return {"has_more": rest is not None, "next_cursor": None if rest is None else LETTER_CURSOR.encode(rest)}


def _ids(letters: Sequence[StoredLetter]) -> list[str]:
    return [stored.letter_id for stored in letters]


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _json_of(value: bytes | None) -> Any:
    """Return the JSON of ``value``, ``None`` if it is none, or is nested deeper than an answer may be."""
    try:
        parsed = orjson.loads(value or b"")
        orjson.dumps(parsed)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    return parsed
