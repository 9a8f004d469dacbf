"""What of a batch of facts is told live."""

from __future__ import annotations

from domain.records import StatusChanged
from web.history.published_state import published_state
from web.history.recent import RecentMessages
from web.history.status_coalescer import StatusCoalescer

COUNT = 256


def change(word: str, address: str = "", message_id: str = "m-1", count: int = COUNT) -> StatusChanged:
    code = "blocked" if word == "FAILED" else None
    return StatusChanged(
        message_id, "c-1", word, 9, 1, 1, "telegram", 1, None, code, None, address if count > 1 else "", count
    )


def tell(recent: RecentMessages, *changes: StatusChanged) -> list[tuple[int, str, str, int]]:
    """Return (index in the batch, message, word, failures) of what is told."""
    coalescer: StatusCoalescer[int] = StatusCoalescer(recent)
    for index, one in enumerate(changes):
        coalescer.add(index, one, 0, index)
    return [(index, one.message_id, *found.key) for index, one, found in coalescer.all()]


def test_failures_that_leave_the_word_are_told_once_a_batch_at_the_last_of_them() -> None:
    recent = RecentMessages(10)
    failures = [change("FAILED", f"telegram:{n}") for n in range(COUNT - 1)]
    assert tell(recent, change("ACCEPTED"), *failures[:200]) == [(200, "m-1", "ACCEPTED", 200)]
    assert tell(recent, *failures[200:]) == [(54, "m-1", "ACCEPTED", 255)]
    assert tell(recent, *failures) == []
    assert tell(recent, change("SENT", "telegram:999")) == [(0, "m-1", "SENT", 255)]


def test_a_change_of_the_word_tells_the_failures_before_it_too() -> None:
    recent = RecentMessages(10)
    changes = [change("SENT", f"telegram:{n}") for n in range(COUNT - 1)]
    assert tell(recent, *changes) == []
    read = [change("READ", f"telegram:{n}") for n in range(1, COUNT - 1)]
    batch = [change("FAILED", "telegram:999"), change("FAILED", "telegram:0"), *read]
    assert tell(recent, *batch) == [(0, "m-1", "SENT", 1), (255, "m-1", "READ", 2)]


def test_what_is_told_comes_in_the_order_of_the_log_each_with_the_state_of_its_time() -> None:
    recent = RecentMessages(10)
    batch = [
        change("FAILED", "telegram:1", "m-a"),
        change("SENT", "", "m-b", 1),
        change("FAILED", "telegram:2", "m-a"),
        change("DELIVERED", "", "m-b", 1),
        change("SENT", "telegram:1", "m-c", 2),
        change("SENT", "telegram:2", "m-c", 2),
        change("READ", "telegram:1", "m-c", 2),
        change("READ", "telegram:2", "m-c", 2),
    ]
    assert tell(recent, *batch) == [
        (1, "m-b", "SENT", 0),
        (2, "m-a", "ACCEPTED", 2),
        (3, "m-b", "DELIVERED", 0),
        (5, "m-c", "SENT", 0),
        (7, "m-c", "READ", 0),
    ]


def test_a_failure_that_heals_is_told_as_well() -> None:
    recent = RecentMessages(10)
    tell(recent, change("FAILED", "telegram:1"), change("FAILED", "telegram:2"))
    assert tell(recent, change("READ", "telegram:1")) == [(0, "m-1", "ACCEPTED", 1)]
    assert published_state(recent.get("m-1").state).counts == {  # type: ignore[union-attr]
        "ACCEPTED": 254,
        "SENT": 0,
        "DELIVERED": 0,
        "READ": 1,
        "FAILED": 1,
    }
