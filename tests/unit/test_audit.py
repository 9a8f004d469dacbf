"""The audit: whatever differs between the log, the table and Cassandra is told, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from app.audit import Report, check_topics
from app.audit_deliveries import STALE_MS, ChannelAudit
from app.audit_rules import Difference, History, compare, compare_ids
from app.kafka.codec import encode
from app.kafka.topics import Topics
from app.settings import InvalidSetting, Settings
from domain.attempts import Attempt, QueuedDelivery
from domain.ids import keyed_id
from domain.ports import LogPosition, StoredMessage
from domain.recipients import CHANNELS
from domain.records import DeadLetter, DeliveryRequested, MessageAccepted, StatusChanged
from domain.status import Fact, MessageState, alone, fold
from tables import attempts, queue
from tables.loaders import LOADERS
from tables.message_state import load

AT = 1_700_000_000_000
POSITION = LogPosition(AT, 7)
MESSAGE = MessageAccepted("m", "c", "u", "whatsapp:+5511999990000", 'quotes " \\ \n 👋', None)
FACTS = (
    Fact("ACCEPTED", AT),
    Fact("SENT", AT + 5, 1, "sim.m"),
    Fact("DELIVERED", AT + 9, 1, "sim.m"),
    Fact("READ", AT + 20, 1, "sim.m"),
)
STATE = fold(FACTS)
NO_RETENTION = 0


def changed(fact: Fact, position: LogPosition = POSITION, message_id: str = "m", conversation_id: str = "c") -> bytes:
    return encode(
        StatusChanged(
            message_id,
            conversation_id,
            fact.status,
            fact.at_ms,
            position.accepted_at_ms,
            position.offset,
            "whatsapp",
            fact.attempt,
            fact.provider_id,
            fact.failure_code,
            fact.failure_detail,
        )
    )


def history(facts: tuple[Fact, ...] = FACTS) -> History:
    """One message that went all the way, with its row in the table."""
    made = History(first_offset=0)
    made.add_message(encode(MESSAGE), POSITION)
    for fact in facts:
        made.add_fact(changed(fact))
    made.rows["m"] = (fold(facts), "c")
    return made


def stored(
    message: MessageAccepted = MESSAGE, position: LogPosition = POSITION, state: MessageState = STATE
) -> StoredMessage:
    return StoredMessage(message, position, state)


def everything(made: History, rows: list[StoredMessage], oldest_ms: int = NO_RETENTION) -> list[Difference]:
    made.check_off(row.message.message_id for row in rows)
    positions = {row.message.message_id: (row.message.conversation_id, row.position) for row in rows}
    return [
        *made.table_differences(oldest_ms),
        *compare(made, rows),
        *made.missing(),
        *compare_ids(made, list(made.accepted), positions),
    ]


def views(found: list[Difference]) -> list[str]:
    return [difference.view for difference in found]


def test_views_that_agree_have_no_difference() -> None:
    assert everything(history(), [stored()]) == []


def test_neither_order_nor_repetition_of_facts_is_a_difference() -> None:
    made = history()
    for fact in reversed(FACTS):
        made.add_fact(changed(fact))
    assert everything(made, [stored()]) == []


def test_a_message_without_facts_is_told() -> None:
    made = history(())
    made.rows.clear()
    assert views(everything(made, [stored(state=MessageState(accepted_at_ms=AT))])) == ["log"]


def test_a_message_that_is_on_the_log_twice_is_told() -> None:
    made = history()
    made.add_message(encode(MESSAGE), POSITION)
    assert views(everything(made, [stored()])) == ["log"]


def test_facts_that_disagree_about_the_place_are_told() -> None:
    made = history()
    made.add_fact(changed(FACTS[0], LogPosition(AT, 8)))
    assert views(everything(made, [stored()])) == ["log"]


def test_facts_at_another_place_than_their_message_are_told() -> None:
    made = History(first_offset=0)
    made.add_message(encode(MESSAGE), LogPosition(AT, 6))
    made.add_fact(changed(FACTS[0]))
    made.rows["m"] = (fold(FACTS[:1]), "c")
    assert "log" in views(everything(made, [stored(position=LogPosition(AT, 6), state=fold(FACTS[:1]))]))


@pytest.mark.parametrize("row", [None, (fold(FACTS[:3]), "c"), (STATE, "another")])
def test_a_table_row_that_is_missing_or_other_is_told(row: tuple[MessageState, str] | None) -> None:
    made = history()
    made.rows["m"] = row
    assert views(everything(made, [stored()])) == ["table"]


def test_a_table_row_may_be_gone_after_the_retention() -> None:
    made = history()
    made.rows["m"] = None
    assert everything(made, [stored()], oldest_ms=STATE.last_change_ms + 1) == []
    assert views(everything(made, [stored()], oldest_ms=STATE.last_change_ms)) == ["table"]


def test_a_table_row_without_facts_is_told() -> None:
    made = history()
    made.rows["ghost"] = (STATE, "c")
    assert views(everything(made, [stored()])) == ["table"]


def test_a_message_that_cassandra_lacks_is_told_for_both_tables() -> None:
    assert views(everything(history(), [])) == ["cassandra", "cassandra-by-id"]


@pytest.mark.parametrize(
    "row",
    [
        stored(message=replace(MESSAGE, content=MESSAGE.content + " ")),
        stored(message=replace(MESSAGE, recipient_id="whatsapp:+5511999990001")),
        stored(state=fold(FACTS[:3])),
        stored(state=replace(STATE, read_at_ms=AT + 21)),
        stored(state=replace(STATE, provider_id="other")),
    ],
)
def test_a_row_of_cassandra_that_is_other_is_told(row: StoredMessage) -> None:
    assert views(everything(history(), [row])) == ["cassandra"]


def test_a_row_at_another_place_is_told_for_both_tables() -> None:
    assert views(everything(history(), [stored(position=LogPosition(AT, 8))])) == ["cassandra", "cassandra-by-id"]


def test_a_row_that_nobody_accepted_is_told_unless_the_log_no_longer_reaches_back_to_it() -> None:
    stranger = stored(message=replace(MESSAGE, message_id="x"), position=LogPosition(AT, 3))
    assert views(everything(history(), [stored(), stranger])) == ["cassandra"]
    made = history()
    made.first_offset = 5
    assert everything(made, [stored(), stranger]) == []


def test_a_failure_before_any_acceptance_fact_agrees_with_the_row_that_implies_one() -> None:
    failed = Fact("FAILED", AT, 0, None, "invalid-recipient", "x" * 3_000)
    made = history((failed,))
    row = stored(state=fold([replace(failed, failure_detail="x" * 2_000)], MessageState(accepted_at_ms=AT)))
    assert everything(made, [row]) == []


@pytest.mark.parametrize("value", [None, b"noise", b"{}", changed(Fact("EATEN", AT))])
def test_records_that_are_no_facts_are_counted_and_passed_over(value: bytes | None) -> None:
    made = history()
    made.add_fact(value)
    made.add_message(value, POSITION)
    assert made.unreadable == 2
    assert everything(made, [stored()]) == []


GROUP = ("whatsapp:+5511999990000", "internal:u-2")
TO_TWO = MessageAccepted("m", "c", "u", "", "hi", None, GROUP, ("u-1", "u-2"))
SHARED_FACTS = (
    Fact("ACCEPTED", AT, recipient_count=2),
    Fact("READ", AT + 9, 1, "sim.m", recipient_id=GROUP[0], recipient_count=2),
    Fact("FAILED", AT + 9, 1, None, "x", "x" * 3_000, recipient_id=GROUP[1], recipient_count=2),
)


def shared_history() -> History:
    made = History(first_offset=0)
    made.add_message(encode(TO_TWO), POSITION)
    for fact in SHARED_FACTS:
        change = StatusChanged(
            "m",
            "c",
            fact.status,
            fact.at_ms,
            AT,
            7,
            "whatsapp",
            fact.attempt,
            fact.provider_id,
            fact.failure_code,
            fact.failure_detail,
            fact.recipient_id,
            2,
        )
        made.add_fact(encode(change))
        key = f"m {fact.recipient_id}" if fact.recipient_id else "m"
        made.rows[key] = (fold([alone(fact)]), "c")
    return made


def shared_row() -> StoredMessage:
    facts = [replace(fact, failure_detail=fact.failure_detail and "x" * 2_000) for fact in SHARED_FACTS]
    return stored(TO_TWO, state=fold(facts, MessageState(accepted_at_ms=AT)))


def test_a_message_to_several_agrees_row_by_row() -> None:
    assert everything(shared_history(), [shared_row()]) == []


def test_a_missing_wrong_or_additional_row_of_one_recipient_is_told() -> None:
    made = shared_history()
    made.rows[f"m {GROUP[0]}"] = None
    made.rows[f"m {GROUP[1]}"] = (STATE, "c")
    made.rows["m telegram:5"] = (STATE, "c")
    assert views(everything(made, [shared_row()])) == ["table"] * 3


def test_cassandra_lacking_one_recipients_fact_is_told() -> None:
    row = stored(TO_TWO, state=fold(SHARED_FACTS[:2], MessageState(accepted_at_ms=AT)))
    assert views(everything(shared_history(), [row])) == ["cassandra"]


def test_two_records_of_one_keyed_message_are_no_difference_if_they_are_the_same() -> None:
    keyed, second = replace(MESSAGE, message_id=keyed_id("u", "key")), LogPosition(AT + 1, 9)
    made = History(first_offset=0)
    for position in (POSITION, second):
        made.add_message(encode(keyed), position)
    for fact in FACTS:
        for position in (second, POSITION):
            made.add_fact(changed(fact, position, keyed.message_id))
    made.rows[keyed.message_id] = (STATE, "c")
    assert everything(made, [stored(keyed)]) == []
    made.add_message(encode(replace(keyed, content="other")), LogPosition(AT + 2, 11))
    assert "log" in views(everything(made, [stored(keyed)]))


DAY_MS = 86_400_000
WEEK_HOURS = 168.0


def late_history(*, first_fact: int = 0, from_ms: int = 0) -> History:
    """One message that was read after nine days, and whose facts before ``first_fact`` have left the log."""
    made = History(100, facts_from_ms=from_ms, retention_hours=WEEK_HOURS)
    read = replace(FACTS[3], at_ms=AT + 9 * DAY_MS)
    for fact in (*FACTS[:3], read)[first_fact:]:
        made.add_fact(changed(fact), fact.at_ms + 1)
    return made


LATE = fold((*FACTS[:3], replace(FACTS[3], at_ms=AT + 9 * DAY_MS)))


@pytest.mark.parametrize("rows", [{}, {"m": None}, {"m": (LATE, "c")}])
def test_a_message_read_after_its_row_had_left_the_table_is_no_difference(rows: dict[str, Any]) -> None:
    made = late_history()
    made.rows.update(rows)
    assert everything(made, [stored(state=LATE)], oldest_ms=AT + 3 * DAY_MS) == []


def test_a_message_read_after_most_of_its_facts_had_left_the_log_is_no_difference() -> None:
    made = late_history(first_fact=3, from_ms=AT + 5 * DAY_MS)
    made.rows["m"] = (LATE, "c")
    assert everything(made, [stored(state=LATE)], oldest_ms=AT + 3 * DAY_MS) == []
    unread = fold(FACTS[:3])
    made.rows["m"] = (unread, "c")
    assert views(everything(made, [stored(state=unread)], oldest_ms=AT + 3 * DAY_MS)) == ["table", "cassandra"]


def test_a_row_whose_facts_have_all_left_the_log_is_no_difference() -> None:
    made = History(100, facts_from_ms=AT + 30 * DAY_MS, retention_hours=WEEK_HOURS)
    made.rows["m"] = (LATE, "c")
    assert everything(made, [], oldest_ms=AT) == []


def test_a_message_that_has_been_only_accepted_for_long_is_stuck() -> None:
    made = history(FACTS[:1])
    made.add_message(encode(replace(MESSAGE, message_id="no-fact")), LogPosition(AT, 8))
    assert sorted(made.stuck(AT + 1)) == ["m", "no-fact"]
    assert list(made.stuck(AT)) == []
    assert list(history().stuck(AT + DAY_MS)) == []
    assert list(late_history(first_fact=3, from_ms=AT + DAY_MS).stuck(AT + 20 * DAY_MS)) == []


def test_a_message_to_two_is_stuck_while_nothing_is_known_of_one() -> None:
    made = History(0)
    for address in ("", "whatsapp:1"):
        word = "SENT" if address else "ACCEPTED"
        made.add_fact(
            encode(StatusChanged("m", "c", word, AT, AT, 7, "whatsapp", recipient_id=address, recipient_count=2))
        )
    assert list(made.stuck(AT + 1)) == ["m"]


def test_a_report_with_stuck_messages_or_records_that_nobody_read_is_not_clean() -> None:
    assert Report().is_clean
    stuck = Report(stuck=2, stuck_ids=["m-1"])
    assert not stuck.is_clean
    assert "2 messages have been ACCEPTED for long" in str(stuck)
    assert "message m-1" in str(stuck)
    assert not Report(removed_unread=3).is_clean
    assert "3 records left by retention before they were processed" in str(Report(removed_unread=3))


def test_a_report_with_records_that_cannot_be_read_is_not_clean() -> None:
    report = Report(unreadable=2)
    assert not report.is_clean
    assert "2 records cannot be read" in str(report)


@pytest.mark.parametrize("key", [b"m", b"\xff", None])
@pytest.mark.parametrize("value", [b"noise", b"{}", b"[]", b"null", b"", b"\xff"])
def test_a_row_of_the_table_that_cannot_be_read_is_told_and_the_others_are_compared(
    key: bytes | None, value: bytes
) -> None:
    made = history()
    made.add_row(key, value, load)
    first, *_ = everything(made, [stored()])
    assert first.view == "table"
    assert "cannot be read" in first.detail
    made = history()
    made.rows.clear()
    made.add_row(b"m", None, load)
    assert made.rows == {"m": None}


class Broker:
    """An admin client as far as it tells of topics."""

    def __init__(self, **partitions: int) -> None:
        self.topics = {name.replace("_", "-"): count for name, count in partitions.items()}

    async def list_topics(self) -> list[str]:
        return list(self.topics)

    async def describe_topics(self, topics: list[str]) -> list[dict[str, Any]]:
        return [{"topic": topic, "partitions": [{}] * self.topics[topic]} for topic in topics]


def broker(changelog: int = 6, **partitions: int) -> Broker:
    made = Broker(**{"messages": 6, "status_updates": 6, "dead_letters": 6, **partitions})
    for channel in CHANNELS:
        made.topics |= {Topics("").outbound(channel): 6, Topics("").changelog(channel, "queue"): 6}
        made.topics[Topics("").changelog(channel, "attempts")] = 6
    made.topics[Topics("").changelog("core", "message_state")] = changelog
    return made


async def test_an_audit_of_fewer_partitions_than_there_are_is_refused() -> None:
    await check_topics(Settings(), broker())
    for partitions in (3, 7):
        with pytest.raises(InvalidSetting, match="messages has 6 partitions and CHAT4ALL_PARTITIONS is"):
            await check_topics(Settings(partitions=partitions), broker())
    with pytest.raises(InvalidSetting, match="message_state-changelog has 5 partitions"):
        await check_topics(Settings(), broker(changelog=5))


async def test_an_audit_of_topics_that_are_not_there_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="there is no topic other-messages"):
        await check_topics(Settings(topic_prefix="other-"), broker())


def request(**more: object) -> DeliveryRequested:
    known = DeliveryRequested("m", "c", "u", "whatsapp:+5511999990000", "hi", None, AT, 7)
    return replace(known, **more)  # type: ignore[arg-type]


def deliveries(*requests: DeliveryRequested) -> ChannelAudit:
    made = ChannelAudit("whatsapp")
    for each in requests:
        made.add_request(encode(each))
    return made


def queued(made: ChannelAudit, name: str = "m", key: bytes = b"qdefault-m", value: bytes | None = b"") -> None:
    row = QueuedDelivery(name=name, enqueued_at_ms=AT, not_after_ms=AT, offset=0)
    made.add_row(key, queue.dump(row, b"{}") if value == b"" else value, LOADERS.is_delivery, LOADERS.delivery)


def test_a_delivery_with_an_outcome_or_a_row_in_the_queue_is_in_order() -> None:
    assert list(deliveries(request()).differences(history())) == []
    waiting = deliveries(request())
    queued(waiting)
    assert list(waiting.differences(history(FACTS[:1]))) == []


def recorded(made: ChannelAudit, outcome: str = "sent", name: str = "m", provider_id: str | None = "sim.m") -> None:
    made.add_outcome(name.encode(), attempts.dump(Attempt(1, outcome, AT, provider_id)), LOADERS.attempt)


def test_an_outcome_that_the_facts_tell_is_in_order_and_so_is_one_whose_delivery_is_queued_still() -> None:
    made = deliveries(request())
    made.outcomes_from_ms = AT
    recorded(made)
    assert list(made.differences(history())) == []
    queued(made)
    assert list(made.differences(history(FACTS[:1]))) == []


@pytest.mark.parametrize("outcome", ["sent", "failed"])
def test_an_outcome_without_its_fact_is_told(outcome: str) -> None:
    made = deliveries()
    recorded(made, outcome)
    (found,) = made.differences(history(FACTS[:1]))
    assert (found.view, found.message_id) == ("attempts", "m")
    assert outcome.upper() in found.detail


def test_a_sent_message_without_an_outcome_is_told_while_the_outcome_must_be_there() -> None:
    made = deliveries(request())
    assert list(made.differences(history())) == [], "it may have left the table"
    made.outcomes_from_ms = AT
    (found,) = made.differences(history())
    assert (found.view, found.message_id) == ("attempts", "m")
    made.outcomes_until_ms = AT
    assert list(made.differences(history())) == [], "it may be on its way"


def test_a_row_that_outlives_its_delivery_is_told() -> None:
    made = deliveries(request())
    recorded(made)
    queued(made)
    read_at_ms = max(fact.at_ms for fact in FACTS)
    for age_ms, count in ((STALE_MS, 0), (STALE_MS + 1, 1), (inf, 0)):
        made.outcomes_until_ms = read_at_ms + age_ms
        found = list(made.differences(history()))
        assert views(found) == ["queue"] * count, age_ms
    made.outcomes_until_ms = read_at_ms + STALE_MS + 1
    assert list(made.differences(history(FACTS[:2]))) == [], "receipts may still come"


def test_a_row_of_a_delivery_that_has_just_failed_again_is_in_order() -> None:
    """Of several failures the facts tell the first; the outcome's own time is that of the last."""
    made = deliveries(request())
    late_ms = AT + STALE_MS + 60_000
    failed = Attempt(2, "failed", AT, recorded_at_ms=late_ms)
    made.add_outcome(b"m", attempts.dump(failed), LOADERS.attempt)
    queued(made)
    facts = (FACTS[0], Fact("FAILED", AT, 2))
    for age_ms, count in ((STALE_MS, 0), (STALE_MS + 1, 1)):
        made.outcomes_until_ms = late_ms + age_ms
        assert views(list(made.differences(history(facts)))) == ["queue"] * count, age_ms


def test_a_request_that_is_queued_and_not_committed_yet_is_in_order() -> None:
    made = deliveries()
    made.committed = 7
    made.add_request(encode(request()), 7)
    queued(made)
    assert list(made.differences(history(FACTS[:1]))) == []
    made.queued = {b"qdefault-other": "other"}
    assert views(list(made.differences(history(FACTS[:1])))) == ["queue"]


def test_the_row_of_the_partitions_owner_is_no_outcome() -> None:
    made = deliveries()
    made.add_outcome(b"\0generation", b"12", LOADERS.attempt)
    assert (made.outcomes, list(made.differences(history()))) == ({}, [])


def test_another_id_of_the_provider_and_a_row_that_cannot_be_read_are_told() -> None:
    made = deliveries()
    recorded(made, provider_id="p-2")
    made.add_outcome(b"m-9", b"nonsense", LOADERS.attempt)
    found = list(made.differences(history()))
    assert views(found) == ["attempts", "attempts"]
    assert any("p-2" in each.detail for each in found)
    made.add_outcome(b"m", None, LOADERS.attempt)
    assert len(list(made.differences(history()))) == 1


def test_a_delivery_in_no_queue_and_without_an_outcome_is_told() -> None:
    made = deliveries(request())
    queued(made)
    queued(made, value=None)
    (found,) = made.differences(history(FACTS[:1]))
    assert (found.view, found.message_id) == ("queue", "m")


def test_each_address_of_a_message_is_looked_at() -> None:
    first, second = "whatsapp:+5511999990001", "whatsapp:+5511999990002"
    made = History(first_offset=0)
    made.add_message(encode(replace(MESSAGE, recipients=(first, second))), POSITION)
    for word, address in (("ACCEPTED", ""), ("SENT", first)):
        made.add_fact(
            encode(StatusChanged("m", "c", word, AT, AT, 7, "whatsapp", recipient_id=address, recipient_count=2))
        )
    both = deliveries(*(request(recipient_id=address, recipient_count=2) for address in (first, second)))
    (found,) = both.differences(made)
    assert found.message_id == f"m {second}"


def test_a_dead_letter_without_its_fact_and_a_row_without_its_request_are_told() -> None:
    made = deliveries()
    letter = DeadLetter("whatsapp-outbound", 0, 3, "expired", "", b"c", encode(request()), AT)
    made.add_letter(letter)
    queued(made, name="m-2", key=b"qdefault-m-2")
    assert views(list(made.differences(history(FACTS[:1])))) == ["dead-letters", "queue"]
    made.first_offset = 4
    assert views(list(made.differences(history(FACTS[:1])))) == ["dead-letters"], "its request may have left the log"
    assert views(list(made.differences(history()))) == [], "a receipt healed it"


def test_a_row_of_the_queue_that_cannot_be_read_is_told_and_other_kinds_of_rows_are_not_deliveries() -> None:
    made = deliveries()
    queued(made, value=b"nonsense")
    queued(made, key=b"ac-1", value=b"nonsense")
    assert views(list(made.differences(history()))) == ["queue"]
