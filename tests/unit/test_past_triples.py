"""10,000 random (message, as-of, known-at) triples: `replay at`, the API's fold of stored rows, and an independent
fold agree.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from agents.facts import read_fact
from app.kafka.codec import encode
from app.replay.entries import LogRecord
from app.replay.states import PastStates
from domain.past_states import Moment
from domain.records import MessageAccepted, StatusChanged
from domain.status import MessageState, SharedState, State, delivery_of
from storage.cassandra.facts import decode_fact, encode_fact

TRIPLES = 10_000
MESSAGES = 500
BEGIN_MS = 1_763_848_800_000
PHONES = ("whatsapp:+5511999990000", "telegram:@ana", "instagram:@bia")
Shown = tuple[str, int | None, int | None, int | None, int | None, str | None]


@dataclass
class Story:
    """A message with its facts and the append time of each."""

    message: MessageAccepted
    accepted_ms: int
    facts: list[tuple[StatusChanged, int]]


def story(number: int, dice: random.Random) -> Story:
    phones = PHONES[: dice.choice([1, 1, 2, 3])]
    to_several = phones if len(phones) > 1 else ()
    message = MessageAccepted(f"m-{number}", "c-1", "ana", phones[0], "hi", recipients=to_several)
    accepted_ms = BEGIN_MS + dice.randrange(60_000)
    facts = []
    for _ in range(dice.randrange(9)):
        at_ms = accepted_ms + dice.randrange(60_000)
        change = StatusChanged(
            message.message_id,
            "c-1",
            dice.choice(["ACCEPTED", "SENT", "SENT", "DELIVERED", "READ", "FAILED", "FAILED"]),
            at_ms,
            accepted_ms,
            number,
            "whatsapp",
            dice.randrange(4),
            failure_code=dice.choice([None, "blocked", "expired"]),
            recipient_id=dice.choice(phones) if to_several else "",
            recipient_count=len(phones),
        )
        facts.append((change, at_ms + dice.randrange(-2_000, 90_000)))
    return Story(message, accepted_ms, facts)


def independent(one: Story, phone: str, as_of: int, known_at: int) -> Shown:
    """Count words and times by hand, without the code of the domain."""
    mine = [
        change
        for change, logged in one.facts
        if change.at_ms <= as_of and logged <= known_at and change.recipient_id in ("", phone)
    ]

    def earliest(word: str) -> int | None:
        return min((change.at_ms for change in mine if change.status == word), default=None)

    failures = [change for change in mine if change.status == "FAILED"]
    last_failure = max((change.attempt for change in failures), default=-1)
    last_sent = max((change.attempt for change in mine if change.status == "SENT"), default=-1)
    code = min((change.failure_code or "" for change in failures if change.attempt == last_failure), default="") or None
    if earliest("READ") is not None:
        status = "READ"
    elif earliest("DELIVERED") is not None:
        status = "DELIVERED"
    elif failures and last_failure >= last_sent:
        status = "FAILED"
    else:
        status = "SENT" if last_sent >= 0 else "ACCEPTED"
    return status, earliest("SENT"), earliest("DELIVERED"), earliest("READ"), earliest("FAILED"), code


def shown(state: State, phone: str) -> Shown:
    one: MessageState = delivery_of(state, phone)
    return (
        str(one.status),
        one.sent_at_ms,
        one.delivered_at_ms,
        one.read_at_ms,
        one.failed_at_ms,
        one.failure_code,
    )


def by_replay(one: Story, as_of: int, known_at: int) -> State | None:
    states = PastStates(as_of, known_at, message_id=one.message.message_id)
    for change, logged in one.facts:
        states.add_fact(LogRecord("status-updates", 0, 0, logged, b"c-1", encode(change)))
    states.add_message(LogRecord("messages", 0, 0, one.accepted_ms, b"c-1", encode(one.message)))
    found = states.found()
    return found[0].state if found else None


def by_rows(one: Story, as_of: int, known_at: int) -> State | None:
    """As the API does: the texts that the mirror stores, decoded and folded."""
    moment = Moment(as_of, known_at)
    texts = {encode_fact(read_fact(encode(change), logged)[1]) for change, logged in one.facts}
    facts = [fact for text in texts if (fact := decode_fact(text)) is not None]
    return moment.state(one.accepted_ms, facts) if moment.has_accepted(one.accepted_ms) else None


def test_ten_thousand_moments_equal_an_independent_fold() -> None:
    dice = random.Random(14)
    stories = [story(number, dice) for number in range(MESSAGES)]
    several = 0
    for _ in range(TRIPLES):
        one = dice.choice(stories)
        as_of, known_at = (BEGIN_MS + dice.randrange(-5_000, 220_000) for _ in range(2))
        found = [by_replay(one, as_of, known_at), by_rows(one, as_of, known_at)]
        if one.accepted_ms > min(as_of, known_at):
            assert found == [None, None]
            continue
        for phone in one.message.targets:
            expected = independent(one, phone, as_of, known_at)
            assert [shown(state, phone) for state in found if state is not None] == [expected, expected]
        several += isinstance(found[0], SharedState)
    assert several > TRIPLES / 10
