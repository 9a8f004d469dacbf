"""The introduction of the API's description, and what each status means."""

from __future__ import annotations

INTRODUCTION = """Accept a message once over HTTP, deliver it on WhatsApp, Instagram or Telegram, and report \
its true status.

JSON in UTF-8; `null` means absent. A request body that creates a resource must not contain unknown fields. `*_at` are \
ISO-8601 UTC with milliseconds, `timestamp` is epoch milliseconds. Errors are RFC 9457 problems. Every response \
carries `X-Request-Id`, the client's own if valid. Each `GET` route also serves `HEAD`; an unknown path is 404, \
a wrong method 405 with `Allow`."""

PROBLEMS = {
    400: "Invalid request: malformed HTTP or JSON, or invalid fields, all listed in `errors`.",
    401: "The token is missing or invalid.",
    403: "Not permitted, or the caller is not a participant.",
    404: "Not found.",
    408: "Timeout while reading the body.",
    409: "Conflict with the present state.",
    410: "Deleted or expired.",
    412: "The file does not match `If-Match`, or `Tus-Resumable` is not 1.0.0.",
    413: "The body is too large.",
    415: "The body has a `Content-Encoding` or an unsupported media type.",
    416: "The range lies outside the file.",
    417: "`Expect` is not `100-continue`.",
    422: "The `Idempotency-Key` was used with another body.",
    423: "Another request is using the upload.",
    426: "A WebSocket upgrade is required.",
    429: "Rate limit exceeded.",
    460: "Checksum mismatch.",
    501: "`Transfer-Encoding` is not `chunked`.",
    503: "A dependency is unavailable; retry.",
}
ANSWERS = {
    101: "Switching to WebSocket",
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No content",
    206: "Partial content",
    207: "One result for each message",
    302: "Found",
    304: "Not modified",
    503: "Not ready",
}
