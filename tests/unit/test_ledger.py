"""The ledger of load runs: what must make a run void does."""

from __future__ import annotations

import orjson
import pytest

from loadtests.ledger import LIFE, Balance, Ledger
from loadtests.orders import Order

POSITION = (1_700_000_000_000, 7)


def order(n: int = 0, conversation: str = "c", person: int | None = None) -> Order:
    return Order(conversation, f"whatsapp:+55119{n if person is None else person:08d}", f"hello {n}")


def fact(message_id: str, word: str, position: tuple[int, int] = POSITION, **more: object) -> bytes:
    document = {
        "type": "StatusChanged",
        "version": 1,
        "message_id": message_id,
        "conversation_id": "c",
        "status": word,
        "at_ms": position[0],
        "accepted_at_ms": position[0],
        "position": position[1],
        "channel": "whatsapp",
        "attempt": 1,
        "provider_id": f"sim.{message_id}",
    }
    return orjson.dumps({**document, **more})


def log(ledger: Ledger, message_id: str, wanted: Order, position: tuple[int, int] = POSITION, **more: object) -> None:
    document = {
        "type": "MessageAccepted",
        "version": 1,
        "message_id": message_id,
        "conversation_id": wanted.conversation_id,
        "sender_id": "u",
        "recipient_id": wanted.recipient_id,
        "content": wanted.content,
    }
    ledger.logged(orjson.dumps({**document, **more}), *position)


def life(ledger: Ledger, message_id: str, position: tuple[int, int] = POSITION, leave_out: str = "") -> None:
    for word in LIFE:
        if word != leave_out:
            ledger.changed(fact(message_id, word, position))


def whole(
    ledger: Ledger,
    message_id: str = "m",
    n: int = 0,
    position: tuple[int, int] = POSITION,
    person: int | None = None,
) -> Order:
    """A message that has gone all the way."""
    wanted = order(n, person=person)
    log(ledger, message_id, wanted, position)
    ledger.accepted(wanted, message_id)
    life(ledger, message_id, position)
    return wanted


def faults(balance: Balance) -> set[str]:
    return set(balance.faults)


def test_messages_that_went_all_the_way_balance() -> None:
    ledger = Ledger()
    sent = [whole(ledger, f"m{n}", n, (POSITION[0], n)) for n in range(3)]
    balance = ledger.balance({wanted.recipient_id.partition(":")[2]: 1 for wanted in sent})
    assert balance.is_balanced, str(balance)
    assert (balance.accepted, balance.read, balance.failed, balance.facts) == (3, 3, 0, 12)
    assert not ledger.open


def test_it_does_not_matter_whether_the_answer_or_the_facts_come_first() -> None:
    ledger = Ledger()
    wanted = order()
    life(ledger, "m")
    ledger.accepted(wanted, "m")
    assert not ledger.open
    log(ledger, "m", wanted)
    assert ledger.balance().is_balanced


def test_a_failed_message_is_finished() -> None:
    ledger = Ledger()
    wanted = order()
    ledger.accepted(wanted, "m")
    assert ledger.open == {"m"}
    log(ledger, "m", wanted)
    ledger.changed(fact("m", "FAILED"))
    balance = ledger.balance()
    assert (balance.is_balanced, balance.failed, balance.read) == (True, 1, 0)


def test_an_accepted_message_that_is_not_in_the_log_is_a_fault() -> None:
    ledger = Ledger()
    whole(ledger)
    ledger.accepted(order(1), "lost")
    assert "accepted and not in the log" in faults(ledger.balance())


@pytest.mark.parametrize("words", [[], ["ACCEPTED"], ["ACCEPTED", "SENT", "DELIVERED"]])
def test_a_message_that_is_not_finished_is_a_fault(words: list[str]) -> None:
    ledger = Ledger()
    ledger.accepted(order(), "m")
    log(ledger, "m", order())
    for word in words:
        ledger.changed(fact("m", word))
    assert faults(ledger.balance()) == {"accepted and never finished"}


@pytest.mark.parametrize("word", ["ACCEPTED", "SENT", "DELIVERED"])
def test_read_without_a_word_before_it_is_a_fault(word: str) -> None:
    ledger = Ledger()
    ledger.accepted(order(), "m")
    log(ledger, "m", order())
    life(ledger, "m", leave_out=word)
    assert faults(ledger.balance()) == {"READ without what comes before"}


def test_a_logged_message_that_nobody_was_told_of_is_a_fault_unless_an_answer_was_uncertain() -> None:
    ledger = Ledger()
    log(ledger, "m", order())
    assert ledger.open == {"m"}
    life(ledger, "m")
    assert faults(ledger.balance()) == {"logged and never accepted"}
    ledger.uncertain = 1
    assert ledger.balance().is_balanced


def test_facts_of_a_message_that_is_not_in_the_log_are_a_fault() -> None:
    ledger = Ledger()
    life(ledger, "ghost")
    assert faults(ledger.balance()) == {"facts of an unknown message"}


@pytest.mark.parametrize("name", ["content", "recipient_id", "conversation_id"])
def test_a_message_that_was_altered_is_a_fault(name: str) -> None:
    ledger = Ledger()
    ledger.accepted(order(), "m")
    log(ledger, "m", order(), **{name: "other"})
    life(ledger, "m")
    assert faults(ledger.balance()) == {"altered"}


def test_two_answers_with_one_id_are_a_fault() -> None:
    ledger = Ledger()
    ledger.accepted(whole(ledger), "m")
    assert faults(ledger.balance()) == {"answered twice with one id"}


def test_a_message_that_is_in_the_log_twice_is_a_fault() -> None:
    ledger = Ledger()
    log(ledger, "m", whole(ledger))
    assert faults(ledger.balance()) == {"logged twice"}


def test_a_conversation_that_was_sent_out_of_order_is_a_fault() -> None:
    ledger = Ledger()
    whole(ledger, "second", 1, (POSITION[0], 8), person=1)
    whole(ledger, "first", 0, (POSITION[0], 7), person=1)
    assert faults(ledger.balance()) == {"conversation out of order"}


def test_messages_to_two_people_of_a_conversation_have_no_order() -> None:
    ledger = Ledger()
    whole(ledger, "second", 1, (POSITION[0], 8))
    whole(ledger, "first", 0, (POSITION[0], 7))
    assert ledger.balance().is_balanced


def test_the_order_is_that_of_time_and_then_of_the_offset() -> None:
    ledger = Ledger()
    whole(ledger, "a", 0, (POSITION[0], 9), person=1)
    whole(ledger, "b", 1, (POSITION[0] + 1, 10), person=1)
    assert ledger.balance().is_balanced


def test_a_repeated_fact_is_no_fault_and_does_not_change_the_order() -> None:
    ledger = Ledger()
    whole(ledger, "a", 0, (POSITION[0], 7), person=1)
    whole(ledger, "b", 1, (POSITION[0], 8), person=1)
    life(ledger, "a", (POSITION[0], 7))
    assert ledger.balance().is_balanced


def test_a_second_attempt_is_a_fault_unless_a_worker_was_killed() -> None:
    ledger = Ledger()
    whole(ledger)
    ledger.changed(fact("m", "SENT", attempt=2))
    assert faults(ledger.balance()) == {"sent twice in different attempts"}
    allowed = ledger.balance(may_repeat=True)
    assert (allowed.is_balanced, allowed.repeats) == (True, 1)


def test_two_provider_ids_are_always_a_fault() -> None:
    ledger = Ledger()
    whole(ledger)
    ledger.changed(fact("m", "SENT", provider_id="another"))
    assert faults(ledger.balance(may_repeat=True)) == {"sent twice with different provider ids"}


def test_a_second_handing_over_in_the_channels_log_is_a_fault_unless_a_worker_was_killed() -> None:
    ledger = Ledger()
    sends = {whole(ledger).recipient_id.partition(":")[2]: 2}
    assert faults(ledger.balance(sends)) == {"handed to the channel more than once"}
    assert ledger.balance(sends, may_repeat=True).is_balanced


def test_each_message_to_a_person_is_handed_over_once() -> None:
    ledger = Ledger()
    whole(ledger, "a", 0, (POSITION[0], 7), person=1)
    address = whole(ledger, "b", 1, (POSITION[0], 8), person=1).recipient_id.partition(":")[2]
    assert ledger.balance({address: 2}).is_balanced
    assert faults(ledger.balance({address: 1})) == {"SENT and never handed to the channel"}
    assert faults(ledger.balance({address: 3})) == {"handed to the channel more than once"}


def test_sent_without_a_trace_in_the_channels_log_is_a_fault() -> None:
    ledger = Ledger()
    whole(ledger)
    assert faults(ledger.balance({})) == {"SENT and never handed to the channel"}


def test_a_fact_that_names_another_place_is_a_fault() -> None:
    ledger = Ledger()
    whole(ledger)
    ledger.changed(fact("m", "READ", (POSITION[0], 99)))
    assert faults(ledger.balance()) == {"a fact with another position"}


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"[]", b"{}", b'{"type":"StatusChanged","version":9}'])
def test_what_cannot_be_read_is_counted_and_passed_over(value: bytes | None) -> None:
    ledger = Ledger()
    ledger.logged(value, 1, 1)
    assert ledger.changed(value) is None
    assert ledger.unreadable == 2
    assert ledger.balance().is_balanced


def test_the_report_says_void_and_names_a_few_of_the_many() -> None:
    ledger = Ledger()
    for n in range(50):
        ledger.accepted(order(n), f"lost-{n}")
    text = str(ledger.balance())
    assert "void" in text
    assert "accepted and not in the log: 50" in text
    assert text.count("lost-") == 5
