"""WhatsApp, in: changes of identifiers, receipts, news, and each oddity, as an event."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.whatsapp.webhooks import PROTOCOL
from domain.errors import MalformedRecord
from domain.inbound import Happening, InboundEvent, Person
from domain.status import Status
from support.whatsapp import ANA, AT, AT_MS, CONTACT, NOW_MS, change, parsed, webhook


def system(**fields: object) -> InboundEvent:
    written = {"from": "5511999990000", "from_user_id": "BR.15", "id": "wamid.S", "timestamp": AT, "type": "system"}
    [event] = parsed(change(messages=[{**written, "system": fields}]))
    return event


@pytest.mark.parametrize(
    ("fields", "former", "person"),
    [
        pytest.param(
            {"type": "user_changed_number", "wa_id": "5511888880000", "user_id": "BR.16", "previous_user_id": "BR.15"},
            Person("+5511999990000", "BR.15"),
            Person("+5511888880000", "BR.16"),
            id="number and id",
        ),
        pytest.param(
            {"type": "user_changed_number", "wa_id": "5511888880000"},
            Person("+5511999990000", "BR.15"),
            Person("+5511888880000", "BR.15"),
            id="number",
        ),
        pytest.param(
            {"type": "customer_changed_number", "new_wa_id": "5511888880000"},
            Person("+5511999990000", "BR.15"),
            Person("+5511888880000", "BR.15"),
            id="number, in an older form",
        ),
        pytest.param(
            {"type": "user_changed_user_id", "user_id": "BR.16"},
            Person("+5511999990000", "BR.15"),
            Person("+5511999990000", "BR.16"),
            id="id",
        ),
    ],
)
def test_a_person_keeps_the_conversation_under_new_identifiers(
    fields: dict[str, object], former: Person, person: Person
) -> None:
    event = system(**fields)
    assert (event.happening, event.former, event.person) == (Happening.IDENTITY, former, person)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("customer_identity_changed", Happening.IGNORED), ("user_became_a_bird", Happening.UNKNOWN)],
)
def test_other_system_messages(kind: str, expected: Happening) -> None:
    assert system(type=kind).happening == expected


def status(**fields: object) -> InboundEvent:
    reported = {"id": "wamid.OUT", "status": "delivered", "timestamp": AT, "recipient_id": "5511999990000", **fields}
    [event] = parsed(change(contacts=[CONTACT], statuses=[reported]))
    return event


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("sent", Status.SENT),
        ("delivered", Status.DELIVERED),
        ("read", Status.READ),
        ("READ", Status.READ),
        ("played", Status.READ),
        ("failed", Status.FAILED),
    ],
)
def test_each_status_is_a_receipt(word: str, expected: Status) -> None:
    event = status(status=word, biz_opaque_callback_data="c-1\x1fm-1")
    assert (event.happening, event.status, event.token) == (Happening.RECEIPT, expected, "c-1\x1fm-1")
    assert (event.target_id, event.element_id) == ("wamid.OUT", f"wamid.OUT {word.lower()}")
    assert (event.person, event.at_ms, event.our_id) == (ANA, AT_MS, "1065")


def test_a_failure_has_its_word_and_its_reason() -> None:
    errors = [{"code": 131026, "title": "Undeliverable", "error_data": {"details": "not on WhatsApp"}}]
    event = status(status="failed", errors=errors)
    assert event.failure_code == "undeliverable"
    assert event.failure_detail == "Undeliverable: not on WhatsApp (131026)"
    assert status(status="failed", errors=[{"code": 777}]).failure_code == "whatsapp-777"
    assert status(status="failed").failure_code == "failed"


def test_a_status_without_token_or_number_is_a_receipt_of_its_wamid() -> None:
    event = status(recipient_id=None, recipient_user_id="BR.1502576394655843")
    assert (event.happening, event.token, event.target_id) == (Happening.RECEIPT, "", "wamid.OUT")
    assert event.person.user_id == "BR.1502576394655843"


def test_the_price_is_kept() -> None:
    one = status(pricing={"category": "service", "billable": True}).pricing
    assert one == status(pricing={"billable": True, "category": "service"}).pricing
    assert one == '{"billable":true,"category":"service"}'


@pytest.mark.parametrize("pricing", [None, {}, "free", ["x"], {"category": "x" * 500}])
def test_a_price_that_is_none_is_left_out(pricing: object) -> None:
    assert status(pricing=pricing).pricing == ""


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "deleted"}, Happening.IGNORED),
        ({"status": "warning"}, Happening.UNKNOWN),
        ({"status": "read", "recipient_type": "group", "recipient_participant_id": "5511"}, Happening.IGNORED),
        ({"status": "RINGING", "type": "call"}, Happening.IGNORED),
        ({"id": None}, Happening.UNKNOWN),
    ],
)
def test_statuses_that_are_no_receipts(fields: dict[str, object], expected: Happening) -> None:
    assert status(**fields).happening == expected


def test_two_participants_of_a_group_are_two_elements() -> None:
    ids = {status(status="read", recipient_participant_id=one).element_id for one in ("5511", "5512")}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"value": "stop"}, Happening.OPT_OUT),
        ({"value": "resume"}, Happening.OPT_IN),
        ({"value": "signup"}, Happening.OPT_IN),
        ({"value": "perhaps"}, Happening.UNKNOWN),
        ({"value": "stop", "category": "utility"}, Happening.UNKNOWN),
        ({"value": "stop", "wa_id": None}, Happening.UNKNOWN),
    ],
)
def test_preferences_are_an_opt_out_and_a_way_back(fields: dict[str, object], expected: Happening) -> None:
    given = {"wa_id": "5511999990000", "category": "marketing_messages", "timestamp": 1749416383, **fields}
    [event] = parsed(change("user_preferences", user_preferences=[given]))
    assert (event.happening, event.our_id) == (expected, "1065")
    if expected != Happening.UNKNOWN:
        assert (event.person.phone, event.at_ms) == ("+5511999990000", AT_MS)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"field": "account_update", "value": {"event": "ACCOUNT_VIOLATION"}}, ["account"], id="account"),
        pytest.param(
            {"field": "message_template_status_update", "value": {"event": "REJECTED"}}, ["account"], id="template"
        ),
        pytest.param({"field": "phone_number_quality_update", "value": {}}, ["account"], id="quality"),
        pytest.param(
            change("calls", calls=[{"id": "w", "event": "connect"}, {"id": "w", "event": "terminate"}]),
            ["ignored", "ignored"],
            id="calls",
        ),
        pytest.param(change("calls", statuses=[{"id": "w", "status": "RINGING"}]), ["ignored"], id="status of a call"),
        pytest.param(
            change(messages=[{"from": "5511999990000", "id": "w", "type": "interactive"}], errors=[{"code": 131000}]),
            ["message", "account"],
            id="errors beside a message",
        ),
        pytest.param(
            change("smb_message_echoes", message_echoes=[{"id": "w"}, {"id": "x"}]), ["ignored"] * 2, id="echo"
        ),
        pytest.param(
            change("history", history=[{"threads": [{"id": "t", "messages": [{"id": "a"}, {"id": "b"}]}]}]),
            ["ignored"] * 2,
            id="history",
        ),
        pytest.param(change("history", history=[{"errors": [{"code": 2593109}]}]), ["account"], id="refused history"),
        pytest.param(change("smb_app_state_sync", state_sync=[{"type": "contact"}]), ["ignored"], id="state"),
        pytest.param(change("standby", messages=[{"id": "w"}], statuses=[{"id": "x"}]), ["ignored"] * 2, id="standby"),
        pytest.param(change("group_lifecycle_update", groups=[{"group_id": "g"}]), ["ignored"], id="groups"),
        pytest.param(change("future", future_things=[{"id": 1}, "x"]), ["unknown"] * 2, id="a new field with a list"),
        pytest.param({"field": "future", "value": {"a": 1}}, ["unknown"], id="a new field"),
        pytest.param({"field": "future", "value": "text"}, ["unknown"], id="a value that is no object"),
        pytest.param(change(novelties=[{"id": "n"}]), ["unknown"], id="a new list among messages"),
        pytest.param(change(contacts=[CONTACT]), ["unknown"], id="contacts alone"),
        pytest.param(change(messages=[7]), ["unknown"], id="a message that is no object"),
        pytest.param(change(messages=[]), ["unknown"], id="an empty list"),
        pytest.param("x", ["unknown"], id="a change that is no object"),
    ],
)
def test_every_element_has_one_outcome(given: object, expected: list[str]) -> None:
    events = parsed(given)
    assert [str(event.happening) for event in events] == expected
    assert len({event.element_id for event in events}) == len(events)


def test_all_lists_are_read_to_their_ends_in_order() -> None:
    texts = [
        {"from": "5511999990000", "id": f"wamid.{n}", "timestamp": AT, "type": "text", "text": {"body": str(n)}}
        for n in range(6)
    ]
    changes = [change(contacts=[CONTACT], messages=texts[n : n + 2]) for n in (0, 2)]
    entries = [{"id": "A", "changes": changes}, {"id": "B", "changes": [change(messages=texts[4:])]}]
    body = orjson.dumps({"object": "whatsapp_business_account", "entry": entries})
    assert [event.content for event in PROTOCOL.parse(body, NOW_MS)] == [str(n) for n in range(6)]


def test_an_entry_without_changes_is_counted_and_news_of_another_day_is_another() -> None:
    assert [e.happening for e in PROTOCOL.parse(webhook(), NOW_MS)] == [Happening.UNKNOWN]
    news = {"field": "account_update", "value": {"event": "ACCOUNT_RESTRICTION"}}
    ids = [
        next(PROTOCOL.parse(webhook(news, time=time), NOW_MS)).element_id
        for time in (1743451903, 1743451903, 1743551903)
    ]
    assert (ids[0] == ids[1], ids[0] == ids[2]) == (True, False)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"{", b'{"object":"instagram","entry":[]}', b'{"object":"whatsapp_business_account"}']
)
def test_another_body_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRecord):
        PROTOCOL.parse(body, NOW_MS)


KEYS = "id type text messages statuses contacts value field changes system errors image timestamp from history threads"
KEYS_OF_KINDS = "interactive location reaction profile order button sticker group_id unsupported edit"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**63) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*KEYS.split(), *KEYS_OF_KINDS.split()]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(st.sampled_from(["field", "value", "x"]), JSON, max_size=3), min_size=1, max_size=4))
def test_nothing_that_a_provider_posts_raises_or_vanishes(changes: list[dict[str, object]]) -> None:
    body = webhook(*changes)
    events = list(PROTOCOL.parse(body, NOW_MS))
    assert len(events) >= len(changes)
    assert events == list(PROTOCOL.parse(body, NOW_MS)), "the same post gives the same events"


def test_a_post_that_is_nested_deeply_is_kept() -> None:
    body = b'{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"f","value":{"things":%s}}]}]}'
    [event] = PROTOCOL.parse(body % (b"[" * 400 + b"1" + b"]" * 400), NOW_MS)
    assert event.happening == Happening.UNKNOWN
