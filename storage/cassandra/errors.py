"""Translates errors of the driver into errors of the domain; the only module with knowledge of both."""

from __future__ import annotations

from cassandra import RequestValidationException, Unauthorized

from domain.errors import StoreUnavailable

# The server's words for a keyspace, table or column that is not there (yet). Waiting for `chat4all migrate` helps.
_NO_SCHEMA = ("unconfigured table", "does not exist", "Undefined column", "Unknown identifier")
_MAX_DETAIL_CHARS = 200


def translate(error: Exception) -> Exception:
    """Return the error to raise instead of the driver's ``error``.

    ``StoreUnavailable`` for every temporary failure: no host, time-outs, too few replicas, an overloaded server, a
    lost connection, missing rights, a missing schema. A request with no chance (a syntax error, a wrong type, too
    large a batch) is a programming error and is returned unchanged.
    """
    if is_rejected(error) or isinstance(error, StoreUnavailable):
        return error
    if isinstance(error, RequestValidationException) and not isinstance(error, Unauthorized):
        return StoreUnavailable(f"the schema is missing or too old: run `chat4all migrate` ({describe(error)})", 5)
    return StoreUnavailable(f"Cassandra did not answer: {describe(error)}")


def is_rejected(error: Exception) -> bool:
    """Return whether the server refused the request itself; then a retry cannot help."""
    if not isinstance(error, RequestValidationException) or isinstance(error, Unauthorized):
        return False
    return not any(words in str(error) for words in _NO_SCHEMA)


def describe(error: BaseException) -> str:
    """Return ``error`` as one short line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_MAX_DETAIL_CHARS]
