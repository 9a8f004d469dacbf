"""ContactStore, on the fake and on Cassandra."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace

import pytest

from domain.errors import StoreUnavailable
from domain.inbound import ContactChanged, Person
from tests.contract.conftest import Stores

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOW_MS = 1_767_225_600_000


def contact(account: str = "shop") -> ContactChanged:
    """A person whom no other test knows."""
    number = f"+55119{uuid.uuid4().int % 10**8:08}"
    person = Person(phone=number, user_id=f"BR.{uuid.uuid4().int}", handle=f"@m{uuid.uuid4().hex[:8]}", name="Maria")
    address = f"whatsapp:{number}"
    return ContactChanged("whatsapp", account, address, "c-1", person.user_id, person, NOW_MS, False, NOW_MS)


async def test_a_person_is_found_by_each_identifier(stores: Stores) -> None:
    maria = contact()
    await stores.contacts.write([maria])
    for identifier in maria.person.identifiers:
        assert await stores.contacts.of("whatsapp", identifier) == [maria]
        assert await stores.contacts.of("instagram", identifier) == []


async def test_each_account_has_its_own_word(stores: Stores) -> None:
    maria = contact("b")
    other = replace(maria, account="a", opted_out=True, window_until_ms=0)
    await stores.contacts.write([maria, other])
    assert await stores.contacts.of("whatsapp", maria.person.phone) == [other, maria]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_the_later_event_wins_in_any_order_and_any_number_of_times(
    stores: Stores, order: tuple[int, int]
) -> None:
    maria = contact()
    later = replace(maria, at_ms=NOW_MS + 1, opted_out=True, window_until_ms=0, conversation_id="c-2")
    for index in (*order, *order):
        await stores.contacts.write([(maria, later)[index]])
    assert await stores.contacts.of("whatsapp", maria.person.phone) == [later]


async def test_a_person_whose_number_changed_is_found_by_the_old_one_too(stores: Stores) -> None:
    maria = contact()
    number = contact().person.phone
    moved = replace(maria, person=replace(maria.person, phone=number), to=number, at_ms=NOW_MS + 1)
    await stores.contacts.write([maria])
    await stores.contacts.write([moved])
    for identifier in (maria.person.phone, number, maria.person.user_id):
        assert await stores.contacts.of("whatsapp", identifier) == [moved]


async def test_a_person_whose_address_is_somebody_elses_is_not_found_by_it(stores: Stores) -> None:
    maria, other = contact(), contact()
    other = replace(other, person=replace(other.person, phone=maria.person.phone), address=maria.address)
    moved = replace(maria, person=replace(maria.person, phone=""), at_ms=NOW_MS + 5, is_taken=True)
    await stores.contacts.write([maria, replace(other, at_ms=NOW_MS + 2), moved])
    assert [one.person for one in await stores.contacts.of("whatsapp", maria.person.phone)] == [other.person]
    assert [one.at_ms for one in await stores.contacts.of("whatsapp", maria.person.user_id)] == [NOW_MS + 5]


@pytest.mark.parametrize("unknown", ["+5511900000000", "", "\ud800", "x" * 70_000])
async def test_nobody_unknown_is_a_contact(stores: Stores, unknown: str) -> None:
    assert await stores.contacts.of("whatsapp", unknown) == []


async def test_many_at_once_are_stored(stores: Stores) -> None:
    people = [contact() for _ in range(100)]
    await stores.contacts.write(people)
    found = await asyncio.gather(*(stores.contacts.of("whatsapp", one.person.phone) for one in people))
    assert [list(one) for one in found] == [[one] for one in people]


async def test_an_outage_is_an_error(stores: Stores) -> None:
    await stores.off()
    try:
        with pytest.raises(StoreUnavailable):
            await stores.contacts.of("whatsapp", "+5511999990000")
        with pytest.raises(StoreUnavailable):
            await stores.contacts.write([contact()])
    finally:
        await stores.on()
