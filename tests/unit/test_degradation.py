"""What each channel gets of each kind: as it is, as a text, or nothing, with the reason."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.manifest import CAPABILITIES
from domain.attachments import ChannelCapabilities, utf8_bytes
from domain.degradation import body_fault, degraded
from domain.graphemes import clusters
from domain.records import DeliveryRequested

Body = Mapping[str, object]

BUTTONS: Body = {"kind": "buttons", "buttons": [{"id": "y", "title": "Yes"}, {"id": "n", "title": "No"}]}
LIST: Body = {
    "kind": "list",
    "button": "Menu",
    "sections": [
        {
            "title": "Drinks",
            "rows": [{"id": "t", "title": "Tea", "description": "green"}, {"id": "c", "title": "Coffee"}],
        },
        {"title": "Food", "rows": [{"id": "b", "title": "Bread"}]},
    ],
}
LINK: Body = {"kind": "link", "title": "Track it", "url": "https://example.org/t/1"}
PLACE: Body = {"latitude": -23.55052, "longitude": -46.633308, "name": "Café", "address": "Rua A, 1"}
TEMPLATE: Body = {"name": "order", "language": "pt_BR", "parameters": {"body": ["Ana"]}}
HEART: Body = {"message_id": "m-0", "emoji": "❤️"}

BUTTON_LINES = "Coming?\n\n1. Yes\n2. No"
LIST_LINES = "What?\n\nDrinks\n1. Tea: green\n2. Coffee\n\nFood\n3. Bread"
LINK_LINES = "Sent.\n\nTrack it: https://example.org/t/1"
PLAIN = ChannelCapabilities(999, "bytes of UTF-8", utf8_bytes, ())  # texts alone
PLACE_LINES = "Café\nRua A, 1\nhttps://maps.google.com/?q=-23.55052,-46.633308"


def request(kind: str, body: Body, content: str = "", **more: str) -> DeliveryRequested:
    return DeliveryRequested("m-1", "c-1", "u-1", "x:1", content, None, 1, 0, kind=kind, body=body, **more)


@pytest.mark.parametrize(
    ("channel", "kind", "body", "content", "text"),
    [
        pytest.param("whatsapp", "interactive", BUTTONS, "Coming?", None, id="WhatsApp has buttons"),
        pytest.param("telegram", "interactive", BUTTONS, "Coming?", None, id="Telegram has buttons"),
        pytest.param("instagram", "interactive", BUTTONS, "Coming?", None, id="Instagram has quick replies"),
        pytest.param("whatsapp", "interactive", LIST, "What?", None, id="WhatsApp has lists"),
        pytest.param("telegram", "interactive", LIST, "What?", None, id="Telegram has buttons for a list"),
        pytest.param("instagram", "interactive", LIST, "What?", LIST_LINES, id="a list as lines on Instagram"),
        pytest.param("whatsapp", "interactive", LINK, "Sent.", None, id="WhatsApp has link buttons"),
        pytest.param("telegram", "interactive", LINK, "Sent.", None, id="Telegram has link buttons"),
        pytest.param("instagram", "interactive", LINK, "Sent.", LINK_LINES, id="a link as a line on Instagram"),
        pytest.param("whatsapp", "location", PLACE, "", None, id="WhatsApp has locations"),
        pytest.param("telegram", "location", PLACE, "", None, id="Telegram has locations"),
        pytest.param("instagram", "location", PLACE, "", PLACE_LINES, id="a place as a map link on Instagram"),
        pytest.param("whatsapp", "template", TEMPLATE, "", None, id="WhatsApp has templates"),
        pytest.param("whatsapp", "reaction", HEART, "", None, id="WhatsApp has reactions"),
        pytest.param("telegram", "reaction", HEART, "", None, id="Telegram has reactions"),
        pytest.param("instagram", "text", {}, "hi", None, id="a text stays a text"),
    ],
)
def test_a_kind_goes_as_it_is_or_becomes_a_text(
    channel: str, kind: str, body: Body, content: str, text: str | None
) -> None:
    asked = request(kind, body, content)
    found = degraded(asked, CAPABILITIES[channel])
    if text is None:
        assert found == asked
    else:
        assert (found.kind, dict(found.body), found.content) == ("text", {}, text)
    assert body_fault(kind, body, content, False, channel, CAPABILITIES[channel]) is None
    assert degraded(found, CAPABILITIES[channel]) == found


def test_buttons_are_lines_where_there_are_none() -> None:
    assert degraded(request("interactive", BUTTONS, "Coming?"), PLAIN).content == BUTTON_LINES
    assert degraded(request("interactive", BUTTONS), PLAIN).content == "1. Yes\n2. No"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"latitude": 1e-7, "longitude": 0}, "https://maps.google.com/?q=0,0"),
        ({"latitude": -0.0, "longitude": 180}, "https://maps.google.com/?q=0,180"),
        ({"latitude": 10, "longitude": 100.5, "address": "Rua A"}, "Rua A\nhttps://maps.google.com/?q=10,100.5"),
    ],
)
def test_a_place_without_a_name_is_a_map_link(body: Body, text: str) -> None:
    assert degraded(request("location", body), CAPABILITIES["instagram"]).content == text


NO_LISTS = "instagram takes at most 999 bytes of UTF-8 in a text; this one has 1001, with the choices as lines"


@pytest.mark.parametrize(
    ("channel", "kind", "body", "content", "fault"),
    [
        ("telegram", "template", TEMPLATE, "", "telegram has no templates"),
        ("instagram", "template", TEMPLATE, "", "instagram has no templates"),
        ("instagram", "reaction", {**HEART, "emoji": "🔥"}, "", "instagram does not take 🔥 as a reaction"),
        ("telegram", "reaction", {"message_id": "m", "emoji": "🧀"}, "", "telegram does not take 🧀 as a reaction"),
        ("whatsapp", "sticker", {}, "", "whatsapp takes no messages of the kind sticker"),
        ("whatsapp", "text", {}, "x" * 4_097, "whatsapp takes at most 4096 characters in a text; this one has 4097"),
        ("instagram", "text", {}, "é" * 500, "instagram takes at most 999 bytes of UTF-8 in a text; this one has 1000"),
        (
            "whatsapp",
            "interactive",
            {"kind": "buttons", "buttons": [{"id": f"{n}", "title": f"{n}"} for n in range(4)]},
            "?",
            "whatsapp takes at most 3 buttons; this one has 4",
        ),
        (
            "whatsapp",
            "interactive",
            {"kind": "buttons", "buttons": [{"id": "1", "title": "x" * 21}]},
            "?",
            "whatsapp takes at most 20 characters in the title of a button; this one has 21",
        ),
        (
            "instagram",
            "interactive",
            {"kind": "buttons", "buttons": [{"id": "1", "title": "é" * 20}, {"id": "2", "title": "é" * 21}]},
            "?",
            "instagram takes at most 20 characters in the title of a button; this one has 21",
        ),
        (
            "telegram",
            "interactive",
            {"kind": "buttons", "buttons": [{"id": "é" * 33, "title": "x"}]},
            "?",
            "telegram takes at most 64 bytes in the id of a button; this one has 66",
        ),
        (
            "whatsapp",
            "interactive",
            {
                "kind": "list",
                "button": "M",
                "sections": [{"rows": [{"id": "1", "title": "x", "description": "d" * 73}]}],
            },
            "?",
            "whatsapp takes at most 72 characters in the description of a row; this one has 73",
        ),
        (
            "whatsapp",
            "interactive",
            LINK,
            "x" * 1_025,
            "whatsapp takes at most 1024 characters in a text over a link; this one has 1025",
        ),
        ("instagram", "interactive", LIST, "x" * (1_001 - len(LIST_LINES) + len("What?")), NO_LISTS),
        (
            "whatsapp",
            "interactive",
            {"kind": "carousel"},
            "?",
            "the message's object is not one of the kind interactive: an interactive message has no kind 'carousel'",
        ),
        (
            "whatsapp",
            "location",
            {"latitude": "1"},
            "",
            "the message's object is not one of the kind location: a location has a latitude and a longitude",
        ),
    ],
)
def test_a_fault_names_the_limit_and_the_channel(channel: str, kind: str, body: Body, content: str, fault: str) -> None:
    assert body_fault(kind, body, content, False, channel, CAPABILITIES[channel]) == fault


def test_beside_a_file_a_text_has_no_limit_and_other_kinds_do_not_go() -> None:
    assert body_fault("text", {}, "x" * 10_000, True, "whatsapp", CAPABILITIES["whatsapp"]) is None
    fault = body_fault("location", PLACE, "", True, "whatsapp", CAPABILITIES["whatsapp"])
    assert fault == "a file cannot go with a message of the kind location"
    template = {"name": "order", "language": "pt_BR", "parameters": {}}
    assert body_fault("template", template, "", True, "whatsapp", CAPABILITIES["whatsapp"]) is None
    assert body_fault("template", template, "", True, "telegram", CAPABILITIES["telegram"]) is not None


def test_an_answer_goes_without_the_quotation_where_there_are_none() -> None:
    mute = ChannelCapabilities(100, "bytes", utf8_bytes, ())
    found = degraded(request("text", {}, "yes", reply_to="m-0", target_id="wamid.1"), mute)
    assert (found.reply_to, found.target_id, found.content) == ("", "", "yes")
    kept = request("text", {}, "yes", reply_to="m-0", target_id="wamid.1")
    assert degraded(kept, CAPABILITIES["whatsapp"]) == kept
    reaction = request("reaction", HEART, target_id="wamid.1")
    assert degraded(reaction, mute) == reaction


def test_the_kinds_of_each_channel() -> None:
    assert CAPABILITIES["whatsapp"].content.kinds == {
        "text",
        "file",
        "interactive",
        "template",
        "location",
        "reaction",
    }
    assert CAPABILITIES["telegram"].content.kinds == {"text", "file", "interactive", "location", "reaction"}
    assert CAPABILITIES["instagram"].content.kinds == {"text", "file", "interactive", "reaction"}
    assert CAPABILITIES["whatsapp"].content.outside_window == {"template"}
    assert CAPABILITIES["telegram"].content.window_hours == 0


titles = st.text(min_size=1, max_size=300)
buttons = st.lists(st.fixed_dictionaries({"id": titles, "title": titles}), min_size=1, max_size=8)
interactives = st.one_of(
    buttons.map(lambda those: {"kind": "buttons", "buttons": those}),
    buttons.map(lambda rows: {"kind": "list", "button": "M", "sections": [{"title": "s", "rows": rows}]}),
    titles.map(lambda title: {"kind": "link", "title": title, "url": "https://example.org"}),
)


@given(body=interactives, content=st.lists(st.characters() | st.just("👨‍👩‍👧"), max_size=300).map("".join))
def test_a_degraded_message_is_within_the_limit_and_cuts_no_grapheme(body: Body, content: str) -> None:
    capabilities = PLAIN
    whole = degraded(request("interactive", body, content), ChannelCapabilities(10**9, "bytes", utf8_bytes, ()))
    found = degraded(request("interactive", body, content), capabilities)
    assert found.kind == "text"
    assert 0 < capabilities.cost(found.content) <= capabilities.max_text
    fault = body_fault("interactive", body, content, False, "instagram", capabilities)
    assert (fault is None) == (found == whole)
    if fault:
        kept = found.content.partition("…")[0] if "…" not in content + str(body) else ""
        assert whole.content.startswith(kept)
        assert list(clusters(kept)) == list(clusters(whole.content))[: len(list(clusters(kept)))]


@given(body=st.dictionaries(st.sampled_from(["kind", "buttons", "latitude", "name", "parameters"]), st.none() | titles))
def test_a_malformed_object_is_a_fault_and_never_an_error(body: Body) -> None:
    for kind in ("interactive", "location", "template", "reaction", "nonsense"):
        asked = request(kind, body)
        assert degraded(asked, CAPABILITIES["instagram"]) == asked
        assert body_fault(kind, body, "", False, "whatsapp", CAPABILITIES["whatsapp"]) is not None
