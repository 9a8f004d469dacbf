"""Everything that the simulator keeps is bounded, and its chaos and its people are the same by seed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from simulator import books as books_module
from simulator import chaos, media, phones, posting
from simulator.accounts import DEFAULTS, Accounts
from simulator.books import Books, Counted, page
from simulator.chaos import Chaos, InvalidFaults
from simulator.media import MediaStore
from simulator.messages import Content, Message, Shown
from simulator.phones import AlreadyTaken, BookIsFull, PhoneBook
from simulator.posting import Poster, Update
from simulator.whatsapp.webhooks import WhatsApp
from support.waiting import until

WHATSAPP, INSTAGRAM, _ = DEFAULTS


def test_the_same_number_is_the_same_person_in_each_run() -> None:
    first, second = PhoneBook().make(number="5511999990000"), PhoneBook().make(number="5511999990000")
    assert (first.user_id, first.igsid, first.chat_id) == (second.user_id, second.igsid, second.chat_id)
    assert first.user_id.startswith("BR.")


def test_a_person_is_found_by_each_name() -> None:
    book = PhoneBook()
    maria = book.make(number="5511999990000", handle="Maria", id="m")
    for name in ("m", "+5511999990000", "5511999990000", "@maria", "@Maria", maria.user_id, maria.igsid):
        assert book.find(name) is maria
    assert book.find(str(maria.chat_id)) is maria
    assert book.find("@nobody") is None


def test_both_forms_of_a_brazilian_number_are_one_person() -> None:
    book = PhoneBook()
    ana = book.make(number="5531999990000")
    for name in ("5531999990000", "553199990000", "+553199990000"):
        assert book.find(name) is ana
    assert book.of_number("553199990000") is ana
    with pytest.raises(AlreadyTaken):
        book.make(number="553199990000")
    other = PhoneBook().make(number="553199990000")
    assert (other.user_id, other.igsid, other.chat_id) == (ana.user_id, ana.igsid, ana.chat_id)


def test_a_number_given_up_is_gone_in_both_forms() -> None:
    book = PhoneBook()
    ana, beto = book.make(number="5531999990000"), book.make(number="5531999990001")
    with pytest.raises(AlreadyTaken):
        book.change_number(ana, "553199990001")
    book.change_number(ana, "553199990002")
    assert [book.has_left(number) for number in ("5531999990000", "553199990000")] == [True, True]
    assert book.of_number("5531999990000") is None
    assert (book.of_number("5531999990002"), book.of_number("553199990001")) == (ana, beto)
    book.change_number(beto, "5531999990000")
    assert not book.has_left("553199990000")


@pytest.mark.parametrize("names", [{"number": "5511999990000"}, {"handle": "MARIA"}, {"id": "m"}])
def test_nobody_has_anothers_name(names: dict[str, str]) -> None:
    book = PhoneBook()
    book.make(number="5511999990000", handle="maria", id="m")
    with pytest.raises(AlreadyTaken):
        book.make(**names)
    assert len(book) == 1


def test_two_people_never_share_a_chat(monkeypatch: pytest.MonkeyPatch) -> None:
    book = PhoneBook()
    monkeypatch.setattr(phones, "_digits", lambda seed, length: ("2" if "again" in seed else "1") * length)
    first, second = book.make(number="5511999990000", user_id="BR.1"), book.make(number="5511999990001", user_id="BR.2")
    assert first.chat_id != second.chat_id


def test_a_book_and_a_screen_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phones, "MOST_PHONES", 1)
    monkeypatch.setattr(phones, "MOST_SHOWN", 3)
    book = PhoneBook()
    maria = book.make(number="5511999990000")
    with pytest.raises(BookIsFull):
        book.make(number="5511999990001")
    for n in range(5):
        maria.show(Shown(n + 1, WHATSAPP.key, str(n), Content("text"), 0))
    assert ([shown.message_id for shown in maria.screen], maria.forgotten) == (["2", "3", "4"], 2)


def test_books_forget_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books_module, "MOST_KEPT", 3)
    books = Books()
    for n in range(5):
        books.take(WHATSAPP, "m", f"wamid.{n}", Message(Content("text"), "token"), 0)
        books.write(WHATSAPP.key, "m", f"in.{n}", "text", "", 0)
    assert [taken.copy for taken in books.taken.values()] == [3, 4, 5]
    assert books.found(WHATSAPP.key, "wamid.1") is None
    assert books.writer(WHATSAPP.key, "in.1") is None
    assert books.totals == (5, 5)
    rows, following = page(books.taken, 0, 2)
    assert ([row.number for row in rows], following) == ([3, 4], 4)
    assert page(books.taken, 4, 2)[1] is None


def test_a_counter_forgets_what_was_not_used_for_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books_module, "MOST_TOKENS", 2)
    counted = Counted()
    assert [counted.next(WHATSAPP.key, token) for token in ("a", "b", "a", "c", "b")] == [1, 1, 2, 1, 1]


def test_files_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MOST_BYTES", 10)
    store = MediaStore()
    first, second = store.add(WHATSAPP.key, b"x" * 6, "image/png"), store.add(WHATSAPP.key, b"y" * 6, "image/png")
    assert (store.found(first.id), store.found(second.id)) == (None, second)
    store.remove(second.id)
    assert len(store) == 0


async def test_a_lane_loses_the_oldest_updates_of_an_api_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "MOST_WAITING", 3)
    accounts = Accounts(DEFAULTS, "http://127.0.0.1:9/webhooks")
    poster = Poster(accounts, {"whatsapp": WhatsApp(MediaStore(), "life")}, lambda: (Chaos(), 0.0))
    for n in range(10):
        poster.post(Update(WHATSAPP, "maria", "message", str(n), {"n": n}))
    await until(lambda: poster.counts[WHATSAPP.key, "not answered"] >= 1)
    assert poster.waiting <= 4
    assert poster.counts[WHATSAPP.key, "message lost"] >= 6
    await poster.close()


@pytest.mark.parametrize(("seconds", "dropped"), [(0.0, False), (10.0, True), (19.9, True), (20.0, False)])
def test_updates_are_dropped_in_their_window_alone(seconds: float, dropped: bool) -> None:
    windowed = Chaos().changed({"drop_statuses_share": 0.5, "drop_from_seconds": 10, "drop_to_seconds": 20})
    assert windowed.drops(windowed.drop_statuses_share, 0.4, seconds) is dropped
    assert not windowed.drops(windowed.drop_statuses_share, 0.6, seconds)


@pytest.mark.parametrize("name", ["friendly", "bad", "worst"])
def test_a_preset_is_a_document_from_which_it_is_made_again(name: str) -> None:
    made = chaos.preset(name, 7)
    assert chaos.changed(Chaos(), made.document()) == made


@pytest.mark.parametrize(
    "changes", [{"nonsense": 1}, {"drop_statuses_share": 2}, {"webhook_batch": 1.5}, {"preset": 1}]
)
def test_an_unusable_chaos_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidFaults):
        chaos.changed(Chaos(), changes)


def test_ids_differ_between_processes() -> None:
    book = PhoneBook()
    maria = book.make(number="5511999990000")
    ids = {WhatsApp(MediaStore(), Books().life).new_id(WHATSAPP, maria) for _ in range(3)}
    assert len(ids) == 3


def test_a_timer_ends_with_its_process() -> None:
    from simulator.timer import Timer

    async def main() -> int:
        timer = Timer()
        timer.after(60, lambda: None)
        assert timer.waiting == 1
        timer.close()
        return timer.waiting

    assert asyncio.run(main()) == 0
