"""The Graph API's errors, as both channels get them:

{"error":{"message":"(#130429) Rate limit hit","type":"OAuthException","code":130429,"error_subcode":1,
          "error_data":{"details":"…"},"fbtrace_id":"…"}}
"""

from __future__ import annotations

from dataclasses import dataclass

from channels.payloads import Payload, number, part, text


@dataclass(frozen=True, slots=True)
class GraphError:
    """``code`` and ``subcode`` decide, the texts never do. ``detail``: a sentence for people."""

    code: int
    subcode: int
    detail: str


def graph_error(document: Payload) -> GraphError | None:
    """Return the error in an answer, ``None`` if it is not one of the Graph API's."""
    error = part(document, "error")
    return error_of(error) if type(error.get("code")) is int else None


def error_of(error: Payload) -> GraphError:
    """Return an error object: of an answer, or of the ``errors`` of a status."""
    code, subcode = number(error, "code"), number(error, "error_subcode")
    words = (
        text(error, "message") or text(error, "title"),
        text(part(error, "error_data"), "details") or text(error, "error_user_msg"),
    )
    name = f"{code}/{subcode}" if subcode else f"{code}"
    detail = ": ".join(dict.fromkeys(word for word in words if word)) or "no message"
    return GraphError(code, subcode, f"{detail} ({name})")
