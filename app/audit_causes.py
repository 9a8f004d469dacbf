"""The likely cause of a difference, and its remedy: one sentence each. Pure."""

from __future__ import annotations

_CAUSES: tuple[tuple[str, str, str], ...] = (
    ("log", "twice", "two requests with one idempotency key and different bodies, or a producer without idempotence"),
    ("log", "there is no fact", "the role core is behind or stopped: its group's lag tells"),
    ("log", "facts say", "records of another cluster or a recreated topic: offsets begin anew there"),
    ("log", "a fact is at", "records of another cluster or a recreated topic: offsets begin anew there"),
    (
        "table",
        "has no row",
        "a record of the changelog was lost or deleted; `replay repair table` writes the facts again",
    ),
    ("table", "there is no fact", "the fact left the log before the row did: status retention is too short"),
    ("table", "cannot be read", "written by a later release, or by hand"),
    ("table", "", "a fact did not reach the changelog, or a row was changed by hand; `replay repair table` heals it"),
    (
        "cassandra-by-id",
        "",
        "the mirror's write of `messages_by_id` was lost; `replay repair cassandra` writes it again",
    ),
    (
        "cassandra",
        "is missing",
        "the mirror is behind, or the row was deleted; `replay repair cassandra` writes it again",
    ),
    ("cassandra", "is not on", "a row of another system in this keyspace, or written by hand"),
    (
        "cassandra",
        "",
        "the row was changed by hand, or a write of the mirror was lost; `replay repair cassandra` heals it",
    ),
    ("queue", "was requested", "the channel's worker lost a row of its queue after it had committed the request"),
    (
        "queue",
        "is in the queue",
        "its worker ended while it went; the next owner of the partition deletes it",
    ),
    ("queue", "was not requested", "a row left by another cluster, or a topic that was recreated"),
    ("queue", "cannot be read", "written by a later release, or by hand"),
    (
        "attempts",
        "no fact",
        "the worker ended between the outcome and its fact, and no owner has taken the partition up since",
    ),
    (
        "attempts",
        "no outcome",
        "a record of the changelog was lost or deleted: a request read again would be sent again",
    ),
    ("attempts", "cannot be read", "written by a later release, or by hand"),
    ("attempts", "", "the row was changed by hand, or two workers wrote it"),
    ("dead-letters", "", "the worker ended between the letter and its fact; a redrive settles it"),
    (
        "live",
        "no frame",
        "the follower was cut off and did not resume with its cursor, or the API process missed a record",
    ),
    ("live", "frames", "the follower resumed with an older cursor: clients drop an id that they know"),
    ("provider", "did not take", "the provider lost it after its answer, or its count is of another system"),
    ("provider", "no outcome", "the answer was lost and waits for evidence; a receipt or a look-up settles it"),
    ("provider", "is FAILED", "an unknown outcome without evidence in time; a receipt heals it, a redrive repeats it"),
    (
        "provider",
        "times",
        "an unknown outcome was sent again: the account has resend_unknown, or an operator released it",
    ),
    ("provider", "is not on", "another system sends to this provider, or its message has left the log"),
)


def cause_of(view: str, detail: str) -> str:
    """Return the likely cause of a difference of ``view`` with this ``detail``, empty if none is known."""
    return next((cause for name, part, cause in _CAUSES if name == view and part in detail), "")
