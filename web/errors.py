"""Errors of the API beside those of ``domain.errors``. They do not know HTTP: ``web/http/problems.py`` maps them."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import Chat4AllError, Conflict, InvalidInput, NotFound


class FieldErrors(InvalidInput):
    """Errors of several fields. ``found``: (field as the caller wrote it, error text)."""

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {detail}" if name else detail for name, detail in found))
        self.found = found


class MalformedBody(InvalidInput):
    """The body is not a JSON object in UTF-8."""

    code = "malformed-json"


class RateLimited(Chat4AllError):
    """The caller sends too many requests. ``limit`` and ``remaining`` count requests; the times are whole seconds."""

    code = "rate-limited"
    retryable = True

    def __init__(self, detail: str, limit: int, remaining: int, retry_after_seconds: int, reset_seconds: int) -> None:
        super().__init__(detail)
        self.limit = limit
        self.remaining = remaining
        self.retry_after_seconds = retry_after_seconds
        self.reset_seconds = reset_seconds


class BodyTooLarge(Chat4AllError):
    """The body is over ``settings.max_body_bytes``."""

    code = "body-too-large"


class UnsupportedEncoding(Chat4AllError):
    """The body has an unsupported ``Content-Encoding``."""

    code = "unsupported-content-encoding"


class UnsupportedTransferCoding(Chat4AllError):
    """The body has a ``Transfer-Encoding`` other than ``chunked`` (RFC 9112, section 6.1: 501)."""

    code = "unsupported-transfer-coding"


class BodyTimeout(Chat4AllError):
    """The rest of the body did not arrive in time."""

    code = "body-timeout"


class UpgradeRequired(Chat4AllError):
    """The path is for WebSockets only."""

    code = "upgrade-required"


class UnsupportedMediaType(Chat4AllError):
    """The body has an unsupported media type."""

    code = "unsupported-media-type"


class UnsupportedTusVersion(Chat4AllError):
    """The client does not speak version ``supported`` of tus, or does not say so."""

    code = "unsupported-tus-version"

    def __init__(self, detail: str, supported: str) -> None:
        super().__init__(detail)
        self.supported = supported


class WrongOffset(Conflict):
    """The upload is at ``offset_bytes``, not where the client thinks."""

    code = "wrong-offset"

    def __init__(self, detail: str, offset_bytes: int) -> None:
        super().__init__(detail)
        self.offset_bytes = offset_bytes


class Locked(Chat4AllError):
    """Another request, perhaps at another process, works on the same thing."""

    code = "locked"
    retryable = True

    def __init__(self, detail: str, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Gone(NotFound):
    """It existed and was deleted, or has expired."""

    code = "gone"


class ChecksumMismatch(Chat4AllError):
    """The received bytes do not have the client's checksum."""

    code = "checksum-mismatch"
