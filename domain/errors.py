"""The errors of the domain, in one tree.

Chat4AllError
├── InvalidInput               the caller sent something wrong           → HTTP 400, dead letter; a retry cannot help
│   ├── InvalidRecipient
│   ├── InvalidContent
│   └── MalformedRecord        an unreadable record on a topic           → dead letter
├── NotAuthenticated           no token, or a bad one                    → HTTP 401
├── NotAllowed                 known caller, not theirs                  → HTTP 403
├── NotFound                                                             → HTTP 404
├── Conflict                   it contradicts the current state          → HTTP 409
│   └── AlreadyExists
├── NotDeliverable             the person cannot be reached now          → HTTP 422, with the reason as its code
├── KeyReused                  an idempotency key with another request   → HTTP 422
├── Unavailable                a dependency is down; a retry can help    → HTTP 503 with Retry-After
│   ├── LogUnavailable         Kafka did not acknowledge in time; nothing was written
│   │   └── InDoubt            … or the record may have been written
│   │       └── MayBeAccepted  … and it is a message: query its id later
│   ├── StoreUnavailable       Cassandra did not answer in time
│   └── FileStoreUnavailable   the folder or bucket of files did not answer in time
└── DeliveryFailed             a channel refused a message for good      → status FAILED
"""

from __future__ import annotations

from typing import ClassVar


class Chat4AllError(Exception):
    """Base of the tree. ``code`` is stable and machine-readable; ``str(error)`` names the next step."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False


class InvalidInput(Chat4AllError):
    """A value from outside is wrong. ``field`` names it as the caller wrote it, or is empty."""

    code = "invalid-input"

    def __init__(self, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.field = field


class InvalidRecipient(InvalidInput):
    """The recipient's address names no channel, or no possible address on it."""

    code = "invalid-recipient"


class InvalidContent(InvalidInput):
    """The message's text is empty, too long, or holds a character that cannot be delivered."""

    code = "invalid-content"


class MalformedRecord(InvalidInput):
    """A record on a topic is malformed: not JSON, wrong schema, unknown version."""

    code = "malformed-record"


class NotAuthenticated(Chat4AllError):
    """The request carries no token, or an invalid or expired one."""

    code = "not-authenticated"


class NotAllowed(Chat4AllError):
    """The caller is known but takes no part in the requested resource."""

    code = "not-allowed"


class NotFound(Chat4AllError):
    """The requested resource does not exist."""

    code = "not-found"


class Conflict(Chat4AllError):
    """The request contradicts the current state; the message names the change to make first."""

    code = "conflict"


class AlreadyExists(Conflict):
    """The resource to be created exists already."""

    code = "already-exists"


class NotDeliverable(Chat4AllError):
    """The recipient's channel would refuse the message: the reply window is closed, the person wants no messages, or
    is unknown to our account. ``reason``: a stable word, such as ``opted-out``.
    """

    code = "not-deliverable"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class KeyReused(Chat4AllError):
    """The caller has used this idempotency key for another message; a new message needs a new key."""

    code = "idempotency-key-reused"

    def __init__(self, detail: str = "this Idempotency-Key was used for another message; use a new one") -> None:
        super().__init__(detail)


class Unavailable(Chat4AllError):
    """A dependency did not answer in time. Nothing was done; try again after ``retry_after_seconds``."""

    code = "unavailable"
    retryable = True

    def __init__(self, detail: str, retry_after_seconds: int = 2) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class LogUnavailable(Unavailable):
    """Kafka did not take the record, and never will; the subclasses are for an uncertain outcome."""

    code = "log-unavailable"


class InDoubt(LogUnavailable):
    """The record was on its way when the time was over. Kafka may have it, or still get it."""


class MayBeAccepted(InDoubt):
    """Whether the message ``message_id`` is accepted is not known yet; asking for it tells later."""

    def __init__(self, message_id: str, detail: str = "") -> None:
        super().__init__(
            detail
            or "the log did not acknowledge in time, so the message may have been accepted: ask for it by its "
            "message_id before it is sent anew, or send it again with its Idempotency-Key if it has one"
        )
        self.message_id = message_id


class StoreUnavailable(Unavailable):
    """Cassandra did not answer in time."""

    code = "store-unavailable"


class FileStoreUnavailable(Unavailable):
    """The store of files did not answer in time, or has no room."""

    code = "file-store-unavailable"


class DeliveryFailed(Chat4AllError):
    """The channel refused this message for good; ``reason`` is stable and becomes ``failure.code``."""

    code = "delivery-failed"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
