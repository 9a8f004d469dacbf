"""Instagram, in: each kind of element, and each oddity, as an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.instagram.webhooks import PROTOCOL
from domain.errors import MalformedRecord
from domain.inbound import Happening, InboundEvent, Media, Person

NOW_MS = 1_764_000_000_000
AT_MS = 1_459_991_487_970
OURS = "17841400000000001"
SIDES = {"sender": {"id": "900"}, "recipient": {"id": OURS}, "timestamp": AT_MS}
PERSON = Person(user_id="900")


def posted(*entries: Mapping[str, object]) -> list[InboundEvent]:
    return list(PROTOCOL.parse(orjson.dumps({"object": "instagram", "entry": entries}), NOW_MS))


def parsed(*elements: Mapping[str, object]) -> list[InboundEvent]:
    return posted({"id": OURS, "time": AT_MS + 5, "messaging": elements})


def image(url: str = "https://scontent.cdninstagram.com/1", kind: str = "image") -> dict[str, object]:
    return {"type": kind, "payload": {"url": url}}


def event(happening: Happening, element_id: str, **fields: object) -> InboundEvent:
    return InboundEvent(happening, element_id, AT_MS, **{"our_id": OURS, "person": PERSON, **fields})


def said(kind: str, content: str = "", **fields: object) -> InboundEvent:
    return event(Happening.MESSAGE, "mid.1", kind=kind, content=content, **fields)


def picture(url: str = "https://scontent.cdninstagram.com/1", kind: str = "image", mime: str = "image/jpeg") -> Media:
    return Media("", url, kind, mime)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param({"text": "oi"}, said("text", "oi"), id="text"),
        pytest.param(
            {"text": "sim", "reply_to": {"mid": "mid.0"}}, said("text", "sim", target_id="mid.0"), id="a reply"
        ),
        pytest.param(
            {"text": "wow", "reply_to": {"story": {"id": "s", "url": "https://x"}}},
            said("text", "wow"),
            id="to a story",
        ),
        pytest.param({"attachments": [image()]}, said("text", media=(picture(),)), id="an image"),
        pytest.param(
            {"text": "sea", "attachments": [image("https://a"), image("https://b")]},
            said("text", "sea", media=(picture("https://a"), picture("https://b"))),
            id="two images and a text",
        ),
        pytest.param(
            {"attachments": [image("https://a", "video")]},
            said("text", media=(picture("https://a", "video", "video/mp4"),)),
            id="video",
        ),
        pytest.param(
            {"attachments": [image("https://a", "audio")]},
            said("text", media=(picture("https://a", "audio", "audio/mp4"),)),
            id="voice",
        ),
        pytest.param(
            {"attachments": [image("https://a", "file")]},
            said("text", media=(picture("https://a", "document", ""),)),
            id="a file",
        ),
        pytest.param(
            {"text": "Yes", "quick_reply": {"payload": "y"}},
            said("button_reply", "Yes", body={"id": "y", "title": "Yes"}),
            id="a quick reply",
        ),
        pytest.param(
            {"attachments": [image("https://ig/p/1", "share")]},
            said("unsupported", "https://ig/p/1", body={"type": "share"}),
            id="a shared post is its link",
        ),
        pytest.param(
            {"attachments": [{"type": "ig_reel", "payload": {"title": "Cat", "url": "https://ig/r/1"}}]},
            said("unsupported", "Cat https://ig/r/1", body={"type": "ig_reel"}),
            id="a reel with its title",
        ),
        pytest.param(
            {"attachments": [image("https://cdn/s", "story_mention")]},
            said("unsupported", "https://cdn/s", body={"type": "story_mention"}),
            id="a mention in a story",
        ),
        pytest.param(
            {"text": "see", "attachments": [image("https://ig/p/1", "share"), image()]},
            said("text", "see\nhttps://ig/p/1", media=(picture(),)),
            id="a link and an image",
        ),
        pytest.param({"attachments": [{"type": "like_heart"}]}, said("text", "❤️"), id="the heart"),
        pytest.param(
            {"attachments": [{"type": "ephemeral"}]}, said("unsupported", body={"type": "ephemeral"}), id="once"
        ),
        pytest.param(
            {"attachments": [{"type": "image"}]}, said("unsupported", body={"type": "image"}), id="an expired image"
        ),
        pytest.param(
            {"is_unsupported": True}, said("unsupported", body={"type": "message"}), id="unsupported by the API"
        ),
        pytest.param(
            {"attachments": ["x"]}, said("unsupported", body={"type": "message"}), id="an attachment that is none"
        ),
        pytest.param({"hologram": {}}, said("unsupported", body={"type": "message"}), id="a kind of tomorrow"),
        pytest.param(
            {"text": "hi", "is_echo": True, "app_id": 5},
            event(Happening.IGNORED, "mid.1 echo", person=Person(), target_id="mid.1", detail="echo"),
            id="an echo of ours",
        ),
        pytest.param(
            {"is_deleted": True},
            event(Happening.IGNORED, "mid.1 deleted", target_id="mid.1", detail="deleted"),
            id="taken back",
        ),
    ],
)
def test_a_message_is_one_event(message: Mapping[str, object], expected: InboundEvent) -> None:
    assert parsed({**SIDES, "message": {"mid": "mid.1", **message}}) == [expected]


def test_read_is_a_receipt_without_our_token() -> None:
    (found,) = parsed({**SIDES, "read": {"mid": "mid.7"}})
    assert found == event(Happening.RECEIPT, "mid.7 READ", target_id="mid.7", status="READ")
    assert found.token == ""


@pytest.mark.parametrize(
    ("reaction", "emoji"),
    [
        ({"action": "react", "reaction": "love", "emoji": "❤️"}, "❤️"),
        ({"action": "react", "reaction": "other", "emoji": "🔥"}, "🔥"),
        ({"action": "react", "reaction": "wow"}, "😮"),
        ({"action": "react", "reaction": "sparkle"}, "⭐"),
        ({"action": "unreact"}, ""),
    ],
)
def test_a_reaction_has_its_emoji_and_its_target(reaction: Mapping[str, object], emoji: str) -> None:
    (found,) = parsed({**SIDES, "reaction": {"mid": "mid.7", **reaction}})
    name = f"mid.7 {reaction['action']} 900 {AT_MS}"
    assert found == event(Happening.REACTION, name, kind="reaction", body={"emoji": emoji}, target_id="mid.7")


@pytest.mark.parametrize(
    ("postback", "element_id", "content", "body"),
    [
        ({"mid": "mid.9", "title": "Start", "payload": "GO"}, "mid.9", "Start", {"id": "GO", "title": "Start"}),
        ({"title": "Start", "payload": "GO"}, f"postback 900 {AT_MS}", "Start", {"id": "GO", "title": "Start"}),
        ({"mid": "mid.9", "payload": "GO"}, "mid.9", "GO", {"id": "GO", "title": "GO"}),
    ],
)
def test_a_pressed_button_is_a_message(
    postback: Mapping[str, object], element_id: str, content: str, body: Mapping[str, object]
) -> None:
    (found,) = parsed({**SIDES, "postback": postback})
    assert found == event(Happening.MESSAGE, element_id, kind="button_reply", content=content, body=body)


def test_an_edited_message_is_a_message_that_quotes_the_former_one() -> None:
    (found,) = parsed({**SIDES, "message_edit": {"mid": "mid.1", "text": "oi!", "num_edit": 2}})
    assert found == event(Happening.MESSAGE, "mid.1 edited 2", content="oi!", target_id="mid.1")


def test_a_handle_that_comes_along_is_kept() -> None:
    sender = {"id": "900", "username": "Maria.Silva", "name": "Maria"}
    (found,) = parsed({**SIDES, "sender": sender, "message": {"mid": "mid.1", "text": "oi"}})
    assert found.person == Person(user_id="900", handle="@maria.silva", name="Maria")


@pytest.mark.parametrize("name", ["referral", "optin", "pass_thread_control", "app_roles"])
def test_what_is_no_message_is_counted(name: str) -> None:
    (found,) = parsed({**SIDES, name: {"ref": "x"}})
    assert (found.happening, found.detail) == (Happening.IGNORED, name)


def test_a_message_of_our_own_that_is_no_echo_is_none_of_a_person() -> None:
    (found,) = parsed({**SIDES, "sender": {"id": OURS}, "message": {"mid": "mid.1", "text": "hi"}})
    assert (found.happening, found.detail) == (Happening.IGNORED, "echo")


@pytest.mark.parametrize(
    "element",
    [
        {**SIDES, "telepathy": {"x": 1}},
        {**SIDES, "message": {"text": "no mid"}},
        {**SIDES, "message": "text"},
        {**SIDES, "reaction": {"mid": "mid.1", "action": "juggle"}},
        {**SIDES, "read": {"watermark": 5}},
        {**SIDES, "postback": {}},
        {**SIDES, "message_edit": {"text": "x"}},
    ],
)
def test_an_unknown_element_is_kept(element: Mapping[str, object]) -> None:
    (found,) = parsed(element)
    assert (found.happening, found.person, found.our_id) == (Happening.UNKNOWN, PERSON, OURS)
    assert orjson.loads(found.detail) == element


def test_an_empty_element_is_kept_and_is_nobodys() -> None:
    (found,) = parsed({**SIDES})
    assert (found.happening, found.person) == (Happening.UNKNOWN, Person())
    (other,) = posted({"id": OURS, "messaging": ["x"]})
    assert other.happening == Happening.UNKNOWN


def test_all_lists_of_all_entries_count() -> None:
    one = {"id": OURS, "time": 5, "messaging": [{**SIDES, "message": {"mid": f"mid.{n}", "text": "x"}} for n in (1, 2)]}
    two = {
        "id": "17841400000000002",
        "time": 6,
        "standby": [{**SIDES, "message": {"mid": "mid.3", "text": "for another app"}}],
        "changes": [
            {"field": "messages", "value": {**SIDES, "message": {"mid": "mid.4", "text": "x"}}},
            {"field": "comments", "value": {"id": "1"}},
            {"field": "telepathy", "value": {}},
        ],
    }
    events = posted(one, two, {"id": OURS})
    assert [(found.happening, found.element_id.partition(" ")[0], found.our_id) for found in events] == [
        (Happening.MESSAGE, "mid.1", OURS),
        (Happening.MESSAGE, "mid.2", OURS),
        (Happening.IGNORED, "message", "17841400000000002"),
        (Happening.MESSAGE, "mid.4", "17841400000000002"),
        (Happening.IGNORED, "field", "17841400000000002"),
        (Happening.UNKNOWN, "field", "17841400000000002"),
        (Happening.UNKNOWN, "id", OURS),
    ]


def test_a_time_that_is_missing_is_the_entrys_or_that_of_the_post() -> None:
    sides = {"sender": {"id": "900"}, "message": {"mid": "mid.1", "text": "oi"}}
    assert parsed(sides)[0].at_ms == AT_MS + 5
    assert posted({"id": OURS, "messaging": [sides]})[0].at_ms == NOW_MS
    assert posted({"id": OURS, "messaging": [{**sides, "timestamp": str(AT_MS)}]})[0].at_ms == AT_MS


def test_the_same_element_has_the_same_id_when_it_comes_again() -> None:
    elements = [{**SIDES, "telepathy": {}}, {**SIDES, "referral": {}}, {**SIDES, "read": {"mid": "m"}}]
    assert [found.element_id for found in parsed(*elements)] == [found.element_id for found in parsed(*elements)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"object":"instagram"}',
        b'{"object":"page","entry":[]}',
        b'{"object":"instagram","entry":{}}',
    ],
)
def test_a_body_that_is_no_webhook_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRecord):
        list(PROTOCOL.parse(body, NOW_MS))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["sender", "timestamp", "message", "reaction", "read", "postback", "message_edit", "referral", "new"]
INSIDE = [
    "mid",
    "text",
    "attachments",
    "quick_reply",
    "reply_to",
    "action",
    "emoji",
    "is_echo",
    "id",
    "payload",
    "title",
]
ELEMENTS = st.dictionaries(
    st.sampled_from(NAMES), JSON | st.dictionaries(st.sampled_from(INSIDE), JSON, max_size=5), max_size=4
)


@given(st.lists(ELEMENTS | JSON, max_size=4))
def test_whatever_a_list_holds_each_element_is_one_event(elements: list[Any]) -> None:
    events = posted({"id": OURS, "messaging": elements})
    assert len(events) == max(1, len(elements))
    assert all(found.our_id == OURS and len(found.detail) <= 4_096 for found in events)
