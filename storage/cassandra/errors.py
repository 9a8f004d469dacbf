"""What the driver raises, turned into what the core acts on; the only place that knows both."""

from __future__ import annotations

from cassandra import RequestValidationException, Unauthorized

from domain.errors import StoreUnavailable

# The server's words for a keyspace, table or column that is not there (yet). Waiting for `chat4all migrate` helps.
_NO_SCHEMA = ("unconfigured table", "does not exist", "Undefined column", "Unknown identifier")
_MAX_DETAIL_CHARS = 200


def translate(error: Exception) -> Exception:
    """Return the error to raise instead of ``error``, which came from the driver.

    ``StoreUnavailable`` for everything that may pass: no host, time-outs, too few replicas, an overloaded server, a
    lost connection, missing rights, a schema that is not there yet. A request that the server will never take
    (a syntax error, a wrong type, a batch that is too large) is a mistake of ours: it is returned as it is.
    """
    if is_rejected(error) or isinstance(error, StoreUnavailable):
        return error
    if isinstance(error, RequestValidationException) and not isinstance(error, Unauthorized):
        return StoreUnavailable(f"the schema is missing or too old: run `chat4all migrate` ({describe(error)})", 5)
    return StoreUnavailable(f"Cassandra did not answer: {describe(error)}")


def is_rejected(error: Exception) -> bool:
    """Return whether the server refused the request itself, so that sending it again cannot help."""
    if not isinstance(error, RequestValidationException) or isinstance(error, Unauthorized):
        return False
    return not any(words in str(error) for words in _NO_SCHEMA)


def describe(error: BaseException) -> str:
    """Return ``error`` as one short line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_MAX_DETAIL_CHARS]
