"""How the simulator reads a call to WhatsApp's messages: each limit at its edge, each fault with Meta's code."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.graph.errors import CODES, GraphError
from simulator.phones import wa_id_of
from simulator.whatsapp.validation import Call, ReadMark, read_call

Document = dict[str, Any]


def message(**more: object) -> Document:
    document = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": "5511999990000", **more}
    return {name: value for name, value in document.items() if value is not None}


def text(body: object = "hi", **more: object) -> Document:
    return message(type="text", text={"body": body, **more})


def buttons(*titles: str, **more: object) -> Document:
    replies = [{"type": "reply", "reply": {"id": f"id {title}", "title": title}} for title in titles]
    return interactive("button", {"buttons": replies}, **more)


def interactive(kind: str, action: Document, **more: object) -> Document:
    return message(type="interactive", interactive={"type": kind, "body": {"text": "?"}, "action": action, **more})


def rows(count: int, **more: object) -> Document:
    made = [{"id": str(n), "title": str(n), **more} for n in range(count)]
    return interactive("list", {"button": "Choose", "sections": [{"rows": made}]})


def template(name: str = "order", parameters: list[Document] | None = None, **more: object) -> Document:
    components = [{"type": "body", "parameters": parameters}] if parameters is not None else []
    return message(
        type="template", template={"name": name, "language": {"code": "pt_BR"}, "components": components, **more}
    )


def location(latitude: object, longitude: object = 0) -> Document:
    return message(type="location", location={"latitude": latitude, "longitude": longitude})


TAKEN: dict[str, Document] = {
    "text": text(),
    "the longest text": text("x" * 4096),
    "a preview": text(preview_url=True),
    "no recipient_type": {**text(), "recipient_type": "individual"},
    "a formatted number": text() | {"to": "+55 (11) 99999-0000"},
    "a BSUID": message(to=None, recipient="BR.1502576394655843", type="text", text={"body": "hi"}),
    "a parent's BSUID": message(to=None, recipient="US.ENT.118157992128", type="text", text={"body": "hi"}),
    "a token of 512": text() | {"biz_opaque_callback_data": "x" * 512},
    "an image by id": message(type="image", image={"id": "1"}),
    "an image by link": message(type="image", image={"link": "https://e.org/a.png", "caption": "x" * 1024}),
    "a document": message(type="document", document={"link": "https://e.org/a.pdf", "filename": "a.pdf"}),
    "a sticker": message(type="sticker", sticker={"id": "1"}),
    "a location of texts": location("-23.5", "-46.6"),
    "a reaction taken back": message(type="reaction", reaction={"message_id": "wamid.1", "emoji": ""}),
    "contacts": message(type="contacts", contacts=[{"name": {"formatted_name": "Ana"}}] * 5),
    "three buttons": buttons("a", "b", "x" * 20),
    "ten rows": rows(10, description="x" * 72),
    "a link": interactive(
        "cta_url", {"name": "cta_url", "parameters": {"display_text": "Open", "url": "https://e.org"}}
    ),
    "a template": template(parameters=[{"type": "text", "text": "42"}]),
    "named parameters": template(parameters=[{"type": "text", "parameter_name": "order", "text": "42"}]),
    "a quote": text() | {"context": {"message_id": "wamid.HBgL"}},
}
FAULTS: dict[str, tuple[Document, int]] = {
    "no product": ({**text(), "messaging_product": "telegram"}, 100),
    "no recipient": (message(to=None, type="text", text={"body": "hi"}), 100),
    "no number": (text() | {"to": "nobody"}, 131009),
    "a number that is one": (text() | {"to": 5511999990000}, 131009),
    "no BSUID": (message(to=None, recipient="maria", type="text", text={"body": "hi"}), 131009),
    "an unknown kind": (message(type="hologram"), 100),
    "an unknown recipient_type": (text() | {"recipient_type": "crowd"}, 100),
    "a group": (text() | {"recipient_type": "group"}, 131041),
    "no object of the kind": (message(type="text"), 131008),
    "a text in its place": (message(type="text", text="hi"), 100),
    "no body": (text(""), 131008),
    "a body that is none": (text(5), 100),
    "too long a text": (text("x" * 4097), 131009),
    "no preview": (text(preview_url="yes"), 100),
    "too long a token": (text() | {"biz_opaque_callback_data": "x" * 513}, 131009),
    "neither id nor link": (message(type="image", image={"caption": "see"}), 131008),
    "id and link": (message(type="image", image={"id": "1", "link": "https://e.org"}), 131009),
    "no link": (message(type="image", image={"link": "a.png"}), 131009),
    "a caption of a sound": (message(type="audio", audio={"id": "1", "caption": "see"}), 100),
    "a filename of an image": (message(type="image", image={"id": "1", "filename": "a.png"}), 100),
    "too long a caption": (message(type="image", image={"id": "1", "caption": "x" * 1025}), 131009),
    "no latitude": (message(type="location", location={"longitude": 1}), 131008),
    "a latitude of 91": (location(91), 131009),
    "a latitude that is none": (location("north"), 131009),
    "a latitude of NaN": (location("nan"), 131009),
    "a longitude of true": (location(1, True), 131009),
    "a reaction to nothing": (message(type="reaction", reaction={"emoji": "👍"}), 131008),
    "a reaction of many": (message(type="reaction", reaction={"message_id": "wamid.1", "emoji": "👍" * 20}), 131009),
    "no contacts": (message(type="contacts", contacts=[]), 131008),
    "six contacts": (message(type="contacts", contacts=[{"name": {"formatted_name": "Ana"}}] * 6), 131009),
    "a contact without a name": (message(type="contacts", contacts=[{"phones": []}]), 131008),
    "four buttons": (buttons("a", "b", "c", "d"), 131009),
    "no buttons": (buttons(), 131009),
    "a long title": (buttons("x" * 21), 131009),
    "a title twice": (buttons("a", "a"), 131009),
    "a long header": (buttons("a", header={"type": "text", "text": "x" * 61}), 131009),
    "no action": (message(type="interactive", interactive={"type": "button", "body": {"text": "?"}}), 131008),
    "an unknown interaction": (interactive("dance", {}), 100),
    "eleven rows": (rows(11), 131009),
    "a long row": (rows(1, title="x" * 25), 131009),
    "a long description": (rows(1, description="x" * 73), 131009),
    "a list without a button": (interactive("list", {"sections": [{"rows": [{"id": "1", "title": "1"}]}]}), 131008),
    "a link without its url": (
        interactive("cta_url", {"name": "cta_url", "parameters": {"display_text": "Open"}}),
        131008,
    ),
    "a template without a name": (template(""), 131008),
    "a template in capitals": (template("Order"), 132001),
    "a template without a language": (template(language={}), 131008),
    "a template that does not exist": (template("does_not_exist"), 132001),
    "a paused template": (template("is_paused"), 132015),
    "a disabled template": (template("is_disabled"), 132016),
    "a template against a policy": (template("violates_policy"), 132007),
    "too few parameters": (template("needs_one_parameter"), 132000),
    "too many parameters": (template("needs_one_parameter", [{"type": "text", "text": "1"}] * 2), 132000),
    "a parameter with a new line": (template(parameters=[{"type": "text", "text": "a\nb"}]), 132012),
    "a parameter of another kind": (template(parameters=[{"type": "hologram"}]), 132012),
    "a button without an index": (
        template(components=[{"type": "button", "sub_type": "quick_reply", "parameters": []}]),
        131008,
    ),
    "a quote of nothing": (text() | {"context": {}}, 131008),
    "a quote of no message": (text() | {"context": {"message_id": "41"}}, 131009),
    "a read mark of nothing": (message(status="read"), 131008),
    "another mark": (message(status="played", message_id="wamid.1"), 100),
    "another indicator": (message(status="read", message_id="wamid.1", typing_indicator={"type": "voice"}), 100),
}


@pytest.mark.parametrize("label", TAKEN)
def test_what_is_right_is_taken(label: str) -> None:
    assert isinstance(read_call(TAKEN[label]), Call)


@pytest.mark.parametrize("label", FAULTS)
def test_each_fault_has_its_code(label: str) -> None:
    document, code = FAULTS[label]
    with pytest.raises(GraphError) as fault:
        read_call(document)
    assert fault.value.code == code
    assert fault.value.http_status in (400, 404)
    assert fault.value.details


def test_with_a_number_and_an_id_the_number_wins() -> None:
    call = read_call(text() | {"recipient": "BR.1502576394655843"})
    assert isinstance(call, Call)
    assert (call.to, call.user_id) == ("5511999990000", "")


def test_a_read_mark_may_show_that_we_type() -> None:
    mark = message(status="read", message_id="wamid.1", typing_indicator={"type": "text"})
    assert read_call(mark) == ReadMark("wamid.1", True)


@pytest.mark.parametrize("code", sorted(CODES))
def test_each_error_is_in_metas_form(code: int) -> None:
    error = GraphError(code, "details").body()["error"]
    assert {"message", "type", "code", "fbtrace_id"} <= set(error)
    assert error["message"].startswith(f"(#{code}) ")


@pytest.mark.parametrize(
    ("number", "wa_id"),
    [
        ("5511999990000", "5511999990000"),
        ("5531999990000", "553199990000"),
        ("553199990000", "553199990000"),
        ("5531899990000", "5531899990000"),
        ("12025550101", "12025550101"),
    ],
)
def test_brazils_ninth_digit(number: str, wa_id: str) -> None:
    assert wa_id_of(number) == wa_id
