"""Telegram, in: each kind of update, and each oddity, as an event."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.telegram.webhooks import PROTOCOL, SECRET_HEADER
from domain.errors import MalformedRecord
from domain.inbound import Happening, InboundEvent, Media, Person

NOW_MS = 1_764_000_000_000
ANA = {"id": 123, "is_bot": False, "first_name": "Ana", "last_name": "Lima", "username": "Ana_Lima"}
CHAT = {"id": 123, "type": "private", "first_name": "Ana", "last_name": "Lima", "username": "Ana_Lima"}
GROUP = {"id": -100, "type": "supergroup", "title": "Friends"}
PERSON = Person(user_id="123", handle="@ana_lima", name="Ana Lima")
MANY = Person(user_id="-100", name="Ana Lima (Friends)")
AT_MS = 1_441_645_532_000


def parsed(**update: object) -> list[InboundEvent]:
    return list(PROTOCOL.parse(orjson.dumps({"update_id": 10, **update}), NOW_MS))


def written(**fields: object) -> dict[str, object]:
    return {"message_id": 41, "from": ANA, "chat": CHAT, "date": 1441645532, **fields}


def said(kind: str, content: str = "", **fields: object) -> InboundEvent:
    return InboundEvent(Happening.MESSAGE, "123:41", AT_MS, person=PERSON, kind=kind, content=content, **fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"text": "oi"}, said("text", "oi"), id="text"),
        pytest.param(
            {"text": "sim", "reply_to_message": {"message_id": 40, "chat": CHAT}},
            said("text", "sim", target_id="123:40"),
            id="a reply",
        ),
        pytest.param(
            {"text": "see", "external_reply": {"origin": {}}, "quote": {"text": "x"}},
            said("text", "see"),
            id="a quotation from elsewhere",
        ),
        pytest.param({"text": "fwd", "forward_origin": {"type": "user"}}, said("text", "fwd"), id="forwarded"),
        pytest.param(
            {
                "photo": [
                    {"file_id": "s", "width": 90, "height": 60, "file_size": 900},
                    {"file_id": "l", "width": 900, "height": 600, "file_size": 90_000},
                    {"file_id": "m", "width": 300, "height": 200},
                ],
                "caption": "sea",
            },
            said("text", "sea", media=(Media("l", "", "image", "image/jpeg", "", "", 90_000),)),
            id="a photo in its largest size",
        ),
        pytest.param(
            {"voice": {"file_id": "v", "duration": 3, "mime_type": "audio/ogg", "file_size": 7}},
            said("text", media=(Media("v", "", "audio", "audio/ogg", "", "", 7),)),
            id="voice",
        ),
        pytest.param(
            {"audio": {"file_id": "a", "file_name": "song.mp3"}},
            said("text", media=(Media("a", "", "audio", "audio/mpeg", "song.mp3"),)),
            id="audio",
        ),
        pytest.param(
            {"video": {"file_id": "v", "mime_type": "video/mp4"}},
            said("text", media=(Media("v", "", "video", "video/mp4"),)),
            id="video",
        ),
        pytest.param(
            {"video_note": {"file_id": "n"}},
            said("text", media=(Media("n", "", "video", "video/mp4"),)),
            id="video note",
        ),
        pytest.param(
            {"live_photo": {"file_id": "n"}},
            said("text", media=(Media("n", "", "video", "video/mp4"),)),
            id="live photo",
        ),
        pytest.param(
            {"animation": {"file_id": "g", "file_name": "a.gif.mp4"}, "document": {"file_id": "g"}},
            said("text", media=(Media("g", "", "video", "video/mp4", "a.gif.mp4"),)),
            id="an animation is one file though it is in two fields",
        ),
        pytest.param(
            {
                "document": {
                    "file_id": "d",
                    "file_name": "a.pdf",
                    "mime_type": "application/pdf",
                    "file_size": 5_000_000_000,
                }
            },
            said("text", media=(Media("d", "", "document", "application/pdf", "a.pdf", "", 5_000_000_000),)),
            id="a document over 4 GB",
        ),
        pytest.param(
            {"sticker": {"file_id": "s", "emoji": "😀", "is_animated": False, "is_video": False}},
            said("sticker", "😀", media=(Media("s", "", "sticker", "image/webp"),)),
            id="sticker",
        ),
        pytest.param(
            {"sticker": {"file_id": "s", "is_animated": True}},
            said("sticker", media=(Media("s", "", "sticker", "application/gzip"),)),
            id="animated sticker",
        ),
        pytest.param(
            {"sticker": {"file_id": "s", "is_video": True}},
            said("sticker", media=(Media("s", "", "sticker", "video/webm"),)),
            id="video sticker",
        ),
        pytest.param(
            {"location": {"latitude": -23.5, "longitude": -46}},
            said("location", body={"latitude": -23.5, "longitude": -46}),
            id="location",
        ),
        pytest.param(
            {
                "location": {"latitude": 1.0, "longitude": 2.0},
                "venue": {"location": {"latitude": 1.0, "longitude": 2.0}, "title": "Here", "address": "Street 1"},
            },
            said("location", body={"latitude": 1.0, "longitude": 2.0, "name": "Here", "address": "Street 1"}),
            id="venue",
        ),
        pytest.param(
            {"contact": {"phone_number": "+5511999990000", "first_name": "Bia", "last_name": "Sá"}},
            said("contacts", body={"contacts": [{"name": "Bia Sá", "phones": ["+5511999990000"]}]}),
            id="contact",
        ),
        pytest.param({"poll": {"question": "Tea?"}}, said("unsupported", "Tea?", body={"type": "poll"}), id="poll"),
        pytest.param(
            {"dice": {"emoji": "🎲", "value": 4}}, said("unsupported", "🎲 4", body={"type": "dice"}), id="dice"
        ),
        pytest.param({"story": {"id": 1}}, said("unsupported", body={"type": "story"}), id="story"),
        pytest.param(
            {"hologram": {"x": 1}, "caption": "wow"},
            said("unsupported", "wow", body={"type": "hologram"}),
            id="a kind of tomorrow",
        ),
        pytest.param({}, said("unsupported", body={"type": "message"}), id="a message without anything"),
        pytest.param(
            {"location": {"latitude": "x"}},
            said("unsupported", body={"type": "location"}),
            id="a location that is none",
        ),
        pytest.param(
            {"pinned_message": {"message_id": 3}},
            InboundEvent(Happening.IGNORED, "123:41", AT_MS, detail="pinned_message"),
            id="news of the chat",
        ),
        pytest.param(
            {"chat": GROUP, "text": "hi all"},
            InboundEvent(Happening.MESSAGE, "-100:41", AT_MS, person=MANY, content="hi all"),
            id="in a group the chat is who writes",
        ),
        pytest.param(
            {"chat": {"id": -5, "type": "group", "title": "Friends"}, "migrate_to_chat_id": -100},
            InboundEvent(
                Happening.IDENTITY,
                "-5:41",
                AT_MS,
                person=Person(user_id="-100", name="Ana Lima (Friends)"),
                former=Person(user_id="-5", name="Ana Lima (Friends)"),
            ),
            id="a group became a supergroup",
        ),
        pytest.param(
            {"chat": GROUP, "migrate_from_chat_id": -5},
            InboundEvent(Happening.IDENTITY, "-100:41", AT_MS, person=MANY, former=Person(user_id="-5")),
            id="a supergroup was a group",
        ),
    ],
)
def test_a_message_is_one_event(fields: Mapping[str, object], expected: InboundEvent) -> None:
    assert parsed(message=written(**fields)) == [expected]


def test_an_edited_message_is_a_message_that_quotes_the_former_one() -> None:
    (event,) = parsed(edited_message=written(text="oi!", edit_date=1441645600))
    assert event.happening == Happening.MESSAGE
    assert (event.element_id, event.target_id, event.content) == ("123:41 edited 1441645600", "123:41", "oi!")
    assert event.at_ms == 1_441_645_600_000


def test_each_edit_has_an_id_of_its_own_and_the_same_when_it_comes_again() -> None:
    def edit(date: int) -> str:
        return parsed(edited_message=written(text="x", edit_date=date))[0].element_id

    assert edit(5) == edit(5) != edit(6)


def test_the_steps_of_a_live_location_are_ignored() -> None:
    (event,) = parsed(edited_message=written(location={"latitude": 1.0, "longitude": 2.0}, edit_date=5))
    assert (event.happening, event.detail) == (Happening.IGNORED, "live location")


KEYBOARD = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}], [{"text": "No", "callback_data": "n"}]]}


@pytest.mark.parametrize(
    ("query", "element_id", "target", "body", "person"),
    [
        pytest.param(
            {"message": written(reply_markup=KEYBOARD), "data": "y"},
            "123:41 callback q7",
            "123:41",
            {"id": "y", "title": "Yes"},
            PERSON,
            id="a button",
        ),
        pytest.param(
            {"message": {"chat": CHAT, "message_id": 41, "date": 0}, "data": "y"},
            "123:41 callback q7",
            "123:41",
            {"id": "y", "title": "y"},
            PERSON,
            id="a button of a message that is not accessible any more",
        ),
        pytest.param(
            {"inline_message_id": "i", "data": "y"},
            "123:0 callback q7",
            "",
            {"id": "y", "title": "y"},
            PERSON,
            id="an inline message",
        ),
        pytest.param(
            {"message": {**written(), "chat": GROUP}, "game_short_name": "chess"},
            "-100:41 callback q7",
            "-100:41",
            {"id": "", "title": "chess"},
            MANY,
            id="a game in a group",
        ),
    ],
)
def test_a_pressed_button_is_a_message(
    query: Mapping[str, object], element_id: str, target: str, body: Mapping[str, object], person: Person
) -> None:
    (event,) = parsed(callback_query={"id": "q7", "from": ANA, "chat_instance": "1", **query})
    assert event == InboundEvent(
        Happening.MESSAGE,
        element_id,
        NOW_MS,
        person=person,
        kind="button_reply",
        content=str(body["title"]),
        body=body,
        target_id=target,
    )


@pytest.mark.parametrize(
    ("new", "emoji"),
    [
        ([{"type": "emoji", "emoji": "👍"}], "👍"),
        ([], ""),
        ([{"type": "emoji", "emoji": "👍"}, {"type": "emoji", "emoji": "🔥"}], "👍🔥"),
        ([{"type": "custom_emoji", "custom_emoji_id": "5"}], "⭐"),
        ([{"type": "paid"}], "⭐"),
    ],
)
def test_a_reaction_has_its_emoji_and_its_target(new: list[object], emoji: str) -> None:
    reaction = {
        "chat": CHAT,
        "message_id": 41,
        "user": ANA,
        "date": 1441645532,
        "old_reaction": [],
        "new_reaction": new,
    }
    (event,) = parsed(message_reaction=reaction)
    assert event == InboundEvent(
        Happening.REACTION,
        "10 message_reaction",
        AT_MS,
        person=PERSON,
        kind="reaction",
        body={"emoji": emoji},
        target_id="123:41",
    )


@pytest.mark.parametrize(
    ("status", "happening"),
    [
        ("kicked", Happening.OPT_OUT),
        ("left", Happening.OPT_OUT),
        ("member", Happening.OPT_IN),
        ("administrator", Happening.OPT_IN),
        ("restricted", Happening.IGNORED),
        ("something new", Happening.IGNORED),
    ],
)
def test_blocking_the_bot_is_an_opt_out_and_unblocking_an_opt_in(status: str, happening: Happening) -> None:
    change = {"chat": CHAT, "from": ANA, "date": 1441645532, "new_chat_member": {"status": status}}
    (event,) = parsed(my_chat_member=change)
    assert (event.happening, event.person, event.at_ms) == (happening, PERSON, AT_MS)


@pytest.mark.parametrize(
    ("update", "happening"),
    [
        ({"poll_answer": {"poll_id": "1"}}, Happening.IGNORED),
        ({"channel_post": written(text="x")}, Happening.IGNORED),
        ({"telepathy": {"x": 1}}, Happening.UNKNOWN),
        ({"telepathy": 5}, Happening.UNKNOWN),
        ({"message": "text"}, Happening.UNKNOWN),
        ({"message": {"message_id": 41}}, Happening.UNKNOWN),
        ({"message": {"message_id": None, "chat": {"id": 123}}}, Happening.UNKNOWN),
        ({"callback_query": {"id": "q"}}, Happening.UNKNOWN),
        ({"message_reaction": {}}, Happening.UNKNOWN),
        ({"my_chat_member": {"chat": CHAT}}, Happening.UNKNOWN),
        ({}, Happening.IGNORED),
    ],
)
def test_an_update_of_another_kind_is_counted_and_an_unknown_one_kept(
    update: Mapping[str, object], happening: Happening
) -> None:
    (event,) = parsed(**update)
    assert event.happening == happening
    assert event.element_id.startswith("10 ")
    if happening is Happening.UNKNOWN:
        assert orjson.loads(event.detail) == update


def test_of_a_large_unknown_update_its_begin_is_kept() -> None:
    (event,) = parsed(telepathy="x" * 10_000)
    assert len(event.detail) == 4_096


def test_each_field_of_an_update_is_an_event() -> None:
    events = parsed(message=written(text="a"), poll={"id": "1"}, telepathy=1)
    assert [event.happening for event in events] == [Happening.MESSAGE, Happening.IGNORED, Happening.UNKNOWN]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"update_id":"1"}', b'{"update_id":true}', b"\xff", b'{"object":"x"}']
)
def test_a_body_that_is_no_update_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRecord):
        list(PROTOCOL.parse(body, NOW_MS))


@pytest.mark.parametrize(
    ("headers", "secret", "is_authentic"),
    [
        ({SECRET_HEADER: "s3cret"}, "s3cret", True),
        ({SECRET_HEADER: "s3cre"}, "s3cret", False),
        ({SECRET_HEADER: "S3CRET"}, "s3cret", False),
        ({SECRET_HEADER: "s3cret\udc80"}, "s3cret", False),
        ({SECRET_HEADER: ""}, "", False),
        ({}, "s3cret", False),
        ({}, "", False),
    ],
)
def test_the_secret_token_authenticates_a_post(headers: Mapping[str, str], secret: str, is_authentic: bool) -> None:
    assert PROTOCOL.is_authentic(headers, b"{}", secret) is is_authentic


def test_no_verification_request_is_answered() -> None:
    assert PROTOCOL.challenge({"hub.mode": "subscribe", "hub.verify_token": "t", "hub.challenge": "1"}, "t") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["message", "edited_message", "callback_query", "message_reaction", "my_chat_member", "poll", "new"]
INSIDE = [
    "message_id",
    "chat",
    "from",
    "text",
    "photo",
    "document",
    "location",
    "contact",
    "sticker",
    "venue",
    "date",
    "data",
    "id",
    "message",
    "user",
]


@given(st.dictionaries(st.sampled_from(NAMES), JSON | st.dictionaries(st.sampled_from(INSIDE), JSON, max_size=5)))
def test_whatever_an_update_holds_each_field_is_one_event(update: dict[str, object]) -> None:
    events = parsed(**update)
    assert len(events) == max(1, len(update))
    assert all(isinstance(event.element_id, str) and len(event.detail) <= 4_096 for event in events)
