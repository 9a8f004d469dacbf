"""Templates, choices, places, reactions and answers: checked, recorded, and refused where a channel has none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.kafka.codec import decode, encode
from domain.ids import uuid7
from domain.ports import LogPosition, MirrorEntry
from domain.records import MessageAccepted
from fakes.message_log import NOW_MS, partition_of
from support.api import Api
from support.examples import examples

WHATSAPP, INSTAGRAM, TELEGRAM = "whatsapp:+5511999990000", "instagram:@maria", "telegram:12345"
TEMPLATE = {"name": "order", "language": "pt_BR", "parameters": {"body": ["Ana", "7"], "buttons": {"0": "o/7"}}}
BUTTONS = {"kind": "buttons", "buttons": [{"id": "y", "title": "Yes"}, {"id": "n", "title": "No"}]}
LIST = {
    "kind": "list",
    "button": "Open",
    "sections": [{"title": "Tea", "rows": [{"id": "1", "title": "Green", "description": "hot"}]}],
}
LINK = {"kind": "link", "title": "Track", "url": "https://example.org/7"}
PLACE = {"latitude": -23.5, "longitude": -46.6, "name": "Café"}
NOBODYS = "0193a5e2-0000-7000-8000-00000000abcd"


async def send(api: Api, token: str, key: str = "", **fields: object) -> ClientResponse:
    headers = {"Idempotency-Key": key} if key else {}
    body = {name: value for name, value in {"conversation_id": "c-1", **fields}.items() if value is not ...}
    return await api.call("POST", "/v1/messages", body, token, headers=headers)


async def faults_of(answer: ClientResponse) -> dict[str, str]:
    document = await answer.json(content_type=None)
    assert answer.status == 400, document
    return {error["field"]: error["detail"] for error in document["errors"]}


def written_by(api: Api, address: str, provider_id: str = "wamid.1", **more: object) -> MessageAccepted:
    """A person's message to us, as this process reads it from the log."""
    message = MessageAccepted(
        uuid7(NOW_MS, bytes(10)),
        "c-1",
        address,
        "",
        "hello",
        direction="inbound",
        provider_id=provider_id,
        sent_at_ms=NOW_MS,
        **more,
    )
    api.recent.add_message(message, LogPosition(NOW_MS, 1_000_000), partition_of(message))
    return message


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"template": TEMPLATE}, "template"),
        ({"interactive": BUTTONS, "content": "Coming?"}, "interactive"),
        ({"interactive": LIST, "content": "Which?"}, "interactive"),
        ({"interactive": LINK, "content": "On its way"}, "interactive"),
        ({"location": PLACE}, "location"),
        ({"location": PLACE, "content": "", "file_id": ""}, "location"),
    ],
)
async def test_a_kind_is_on_record_with_its_object(api: Api, fields: dict[str, Any], kind: str) -> None:
    token = await api.somebody()
    answer = await send(api, token, recipient_id=WHATSAPP, **fields)
    assert answer.status == 202
    record: MessageAccepted = api.log.records[0][0]
    assert (record.kind, record.body, record.content) == (kind, fields[kind], fields.get("content", ""))


async def test_a_list_opens_with_a_button_and_titles_may_be_left_out(api: Api) -> None:
    token = await api.somebody()
    rows = {"kind": "list", "sections": [{"rows": [{"id": "1", "title": "Green"}]}]}
    assert (await send(api, token, recipient_id=WHATSAPP, interactive=rows, content="?")).status == 202
    assert api.log.records[0][0].body == {**rows, "button": "Menu"}


@pytest.mark.parametrize(
    ("fields", "field", "fault"),
    [
        ({"template": {"name": "Order"}, "content": ""}, "template.name", "must be such as order_update"),
        ({"template": {"name": "order", "language": "portuguese"}}, "template.language", "must be such as en"),
        ({"template": TEMPLATE, "content": "hi"}, "content", "must be empty beside template"),
        ({"template": {**TEMPLATE, "colour": 1}}, "template.colour", "is no field of this request"),
        (
            {"template": {**TEMPLATE, "lang": 1}},
            "template.lang",
            "is no field of this request; did you mean `language`?",
        ),
        (
            {"interactive": {"kind": "buttons", "buttons": [{"id": "1", "title": "x", "titel": "y"}]}, "content": "?"},
            "interactive.buttons.0.titel",
            "is no field of this request; did you mean `title`?",
        ),
        ({"template": {**TEMPLATE, "parameters": {"body": [7]}}}, "template.parameters.body", "must be a list of"),
        (
            {"template": {**TEMPLATE, "parameters": {"buttons": {"first": "x"}}}},
            "template.parameters.buttons",
            "must name each button by its number",
        ),
        ({"interactive": BUTTONS}, "content", "content must not be empty"),
        ({"interactive": {"kind": "buttons"}, "content": "?"}, "interactive", "of the kind buttons needs buttons"),
        ({"interactive": {**LINK, "buttons": BUTTONS["buttons"]}, "content": "?"}, "interactive.buttons", "belongs to"),
        ({"interactive": {**LINK, "url": "javascript:x"}, "content": "?"}, "interactive.url", "must be a URL"),
        (
            {"interactive": {"kind": "buttons", "buttons": [{"id": "1", "title": " "}]}, "content": "?"},
            "interactive.buttons.0.title",
            "must have 1 to 256",
        ),
        (
            {"interactive": {"kind": "buttons", "buttons": [BUTTONS["buttons"][0]] * 2}, "content": "?"},
            "interactive.buttons",
            "must have ids that differ",
        ),
        ({"location": {"latitude": 91, "longitude": 0}}, "location.latitude", "must be 90"),
        ({"location": PLACE, "content": "hi"}, "content", "must be empty beside location"),
        ({"location": PLACE, "template": TEMPLATE}, "location", "cannot be beside template"),
        ({"location": PLACE, "file_id": NOBODYS}, "location", "cannot be beside file_id"),
        (
            {"template": {**TEMPLATE, "parameters": {"header": ["7"]}}, "file_id": NOBODYS},
            "template",
            "cannot be beside file_id",
        ),
        ({"reaction": {"message_id": NOBODYS, "emoji": "yes"}}, "reaction.emoji", "must be one emoji"),
        ({"reaction": {"message_id": "m-1", "emoji": "👍"}}, "reaction.message_id", "must be the message_id"),
        ({"reaction": {"message_id": NOBODYS, "emoji": "👍"}, "reply_to": NOBODYS}, "reaction", "cannot be beside"),
        ({"reply_to": "m-1", "content": "hi"}, "reply_to", "must be the message_id of a message"),
        ({"reply_to": NOBODYS, "content": "hi"}, "reply_to", "the conversation has no such message"),
        ({"reaction": {"message_id": NOBODYS, "emoji": ""}}, "reaction.message_id", "the conversation has no such"),
    ],
)
async def test_what_cannot_be_is_refused_and_leaves_nothing(
    api: Api, fields: dict[str, Any], field: str, fault: str
) -> None:
    found = await faults_of(await send(api, await api.somebody(), recipient_id=WHATSAPP, **fields))
    assert found[field].startswith(fault)
    assert set(found) <= {field, "template.language"}
    assert api.log.records == []


@pytest.mark.parametrize(
    ("address", "fields", "field", "fault"),
    [
        (INSTAGRAM, {"template": TEMPLATE}, "template", "instagram has no templates"),
        (TELEGRAM, {"template": TEMPLATE}, "template", "telegram has no templates"),
        (
            WHATSAPP,
            {"interactive": {"kind": "buttons", "buttons": [{"id": f"{n}", "title": "x"} for n in range(4)]}},
            "interactive",
            "whatsapp takes at most 3 buttons; this one has 4",
        ),
        (
            WHATSAPP,
            {"interactive": {**LINK, "title": "x" * 21}},
            "interactive",
            "whatsapp takes at most 20 characters in the title of a link; this one has 21",
        ),
        (
            INSTAGRAM,
            {"interactive": {**LINK, "title": "x" * 200}, "content": "x" * 800},
            "interactive",
            "instagram takes at most 999 bytes of UTF-8 in a text; this one has 1025, with the choices as lines",
        ),
    ],
)
async def test_the_sender_is_told_which_limit_of_which_channel(
    api: Api, address: str, fields: dict[str, Any], field: str, fault: str
) -> None:
    content = {} if "template" in fields else {"content": "?"}
    found = await faults_of(await send(api, await api.somebody(), recipient_id=address, **{**content, **fields}))
    assert found == {field: fault}


async def test_an_answer_to_a_person_names_the_providers_id(api: Api) -> None:
    token = await api.somebody()
    assert (await send(api, token, recipient_id=WHATSAPP, content="hi")).status == 202
    theirs = written_by(api, WHATSAPP)
    answer = await send(api, token, content="welcome", reply_to=theirs.message_id.upper())
    assert answer.status == 202
    record = api.log.records[-1][0]
    assert (record.reply_to, record.target_id, record.target_address) == (theirs.message_id, "wamid.1", WHATSAPP)
    assert record.targets == (WHATSAPP,)


async def test_a_message_of_ours_can_be_answered_but_its_providers_id_is_the_workers_matter(api: Api) -> None:
    token = await api.somebody()
    ours = (await (await send(api, token, recipient_id=WHATSAPP, content="hi")).json())["message_id"]
    assert (await send(api, token, recipient_id=WHATSAPP, location=PLACE, reply_to=ours)).status == 202
    record = api.log.records[-1][0]
    assert (record.kind, record.reply_to, record.target_id) == ("location", ours, "")


async def test_a_message_of_another_conversation_is_no_target(api: Api) -> None:
    token = await api.somebody()
    ours = (await (await send(api, token, recipient_id=WHATSAPP, content="hi")).json())["message_id"]
    found = await faults_of(
        await send(api, token, conversation_id="c-2", recipient_id=WHATSAPP, content="hi", reply_to=ours)
    )
    assert found == {"reply_to": "the conversation has no such message"}


async def test_a_stranger_is_refused_whether_or_not_the_target_exists(api: Api) -> None:
    token, stranger = await api.somebody(), await api.somebody()
    ours = (await (await send(api, token, recipient_id=WHATSAPP, content="hi")).json())["message_id"]
    for target in (ours, NOBODYS):
        assert (await send(api, stranger, content="hi", reply_to=target)).status == 403


async def test_a_reaction_goes_to_those_who_have_the_message(api: Api) -> None:
    token = await api.somebody()
    ours = []
    for address in (WHATSAPP, TELEGRAM, INSTAGRAM):
        ours.append((await (await send(api, token, recipient_id=address, content="hi")).json())["message_id"])
    theirs = written_by(api, WHATSAPP)
    for target, expected in ((theirs.message_id, (WHATSAPP,)), (ours[1], (TELEGRAM,))):
        assert (await send(api, token, reaction={"message_id": target, "emoji": "👍"})).status == 202
        assert api.log.records[-1][0].recipients == expected
    found = await faults_of(await send(api, token, reaction={"message_id": ours[2], "emoji": "👍"}))
    assert "reaction" in found


async def test_a_reaction_inside_the_system_needs_no_channel(api: Api) -> None:
    token = await api.somebody()
    friend = await api.login(await api.register())
    first = await send(api, token, conversation_id=..., recipient_id=friend["user_id"], content="hi")
    accepted = await first.json()
    conversation = accepted["conversation_id"]
    reaction = {"message_id": accepted["message_id"], "emoji": "🧀"}
    answer = await send(api, friend["token"], conversation_id=conversation, reaction=reaction)
    assert answer.status == 202
    again = {"message_id": (await answer.json())["message_id"], "emoji": "👍"}
    found = await faults_of(await send(api, token, conversation_id=conversation, reaction=again))
    assert found == {"reaction.message_id": "must not be a reaction"}


async def test_a_user_whose_channel_has_no_such_kind_gets_it_inside_the_system(api: Api) -> None:
    token = await api.somebody()
    user = await api.login(await api.register())
    body = {"platform": "instagram", "value": "@ana"}
    assert (await api.call("POST", "/v1/users/identities", body, user["token"])).status == 201
    answer = await send(api, token, conversation_id=..., recipient_id=user["user_id"], template=TEMPLATE)
    assert answer.status == 202
    assert api.log.records[-1][0].recipients == (f"internal:{user['user_id']}",)


@pytest.mark.parametrize(
    "changes", [{"location": {**PLACE, "latitude": -23.6}}, {"location": ..., "template": TEMPLATE}]
)
async def test_a_key_with_another_object_is_another_body(api: Api, changes: dict[str, Any]) -> None:
    token = await api.somebody()
    fields = {"recipient_id": WHATSAPP, "location": PLACE}
    first = await send(api, token, "k", **fields)
    again = await send(api, token, "k", **fields)
    assert (first.status, again.status) == (202, 202)
    assert await first.json() == await again.json()
    assert (await send(api, token, "k", **{**fields, **changes})).status == 422


async def test_a_key_with_another_target_is_another_body(api: Api) -> None:
    token = await api.somebody()
    assert (await send(api, token, recipient_id=WHATSAPP, content="hi")).status == 202
    theirs = written_by(api, WHATSAPP)
    other = replace(theirs, message_id=uuid7(NOW_MS + 1, bytes(10)), provider_id="wamid.2")
    api.recent.add_message(other, LogPosition(NOW_MS, 1_000_001), partition_of(other))
    assert (await send(api, token, "k", content="yes", reply_to=theirs.message_id)).status == 202
    assert (await send(api, token, "k", content="yes", reply_to=theirs.message_id)).status == 202
    assert (await send(api, token, "k", content="yes", reply_to=other.message_id)).status == 422


async def test_each_message_of_a_batch_has_its_own_kind(api: Api) -> None:
    token = await api.somebody()
    common = {"conversation_id": "c-1", "recipient_id": WHATSAPP}
    messages = [
        {**common, "location": PLACE},
        {**common, "content": "hi", "reply_to": NOBODYS},
        {**common, "template": TEMPLATE},
        {**common, "interactive": {"kind": "link", "title": "x" * 30, "url": "https://x.org"}, "content": "?"},
    ]
    answer = await api.call("POST", "/v1/messages/batch", {"messages": messages}, token)
    results = (await answer.json())["results"]
    assert [result["status"] for result in results] == [202, 400, 202, 400]
    assert [record[0].kind for record in api.log.records] == ["location", "template"]


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)
TEXTS = st.text(st.characters(whitelist_categories=["L", "N", "S"]), min_size=1, max_size=12)
CHOICES = st.lists(
    st.fixed_dictionaries({"id": TEXTS, "title": TEXTS}), min_size=1, max_size=3, unique_by=lambda c: c["id"]
)
VALID = st.one_of(
    st.fixed_dictionaries(
        {
            "template": st.fixed_dictionaries(
                {"name": st.just("order"), "language": st.sampled_from(["en", "pt_BR"])},
                optional={
                    "parameters": st.fixed_dictionaries(
                        {"body": st.lists(TEXTS, min_size=1) | st.dictionaries(TEXTS, TEXTS, min_size=1)}
                    )
                },
            )
        }
    ),
    st.fixed_dictionaries(
        {
            "content": TEXTS,
            "interactive": st.one_of(
                CHOICES.map(lambda those: {"kind": "buttons", "buttons": those}),
                CHOICES.map(lambda rows: {"kind": "list", "button": "Open", "sections": [{"rows": rows}]}),
                st.fixed_dictionaries(
                    {"kind": st.just("link"), "title": TEXTS, "url": st.just("https://example.org/7?a=b#c")}
                ),
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "location": st.fixed_dictionaries(
                {"latitude": st.floats(-90, 90), "longitude": st.floats(-180, 180)},
                optional={"name": TEXTS, "address": TEXTS},
            )
        }
    ),
)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(VALID)
async def test_any_kind_comes_back_through_record_and_row_as_it_was_sent(api: Api, fields: dict[str, Any]) -> None:
    token = await api.somebody()
    answer = await send(api, token, conversation_id=..., recipient_id=WHATSAPP, **fields)
    assert answer.status == 202, await answer.text()
    record, position, _ = api.log.records[-1]
    assert decode(encode(record), MessageAccepted) == record
    entry = MirrorEntry(record.message_id, record.conversation_id, position, decode(encode(record), MessageAccepted))
    await api.messages.write([entry])
    api.tailer.mirrored_messages[partition_of(record)] = position.offset + 1
    api.clock.now_ms += 1_000  # the mirror's offsets are asked for anew
    api.recent._drop(record.message_id)
    found = await (await api.call("GET", answer.headers["Location"], token=token)).json()
    (kind,) = set(fields) - {"content"}
    assert (found["kind"], found[kind], found["content"]) == (kind, fields[kind], fields.get("content", ""))


KIND_FIELDS = ("template", "interactive", "location", "reaction", "reply_to", "content", "file_id")
PARTS = (
    "kind", "name", "language", "parameters", "body", "header", "buttons", "button", "sections", "rows", "id", "title",
    "description", "url", "latitude", "longitude", "address", "message_id", "emoji",
)  # fmt: skip
OBJECTS = st.recursive(
    JSON_VALUES
    | st.sampled_from(["buttons", "list", "link", "pt_BR", "order", NOBODYS, "👍", 1e308, -90, "https://x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PARTS), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(KIND_FIELDS), OBJECTS, max_size=4), st.sampled_from([WHATSAPP, INSTAGRAM]))
async def test_no_object_of_a_kind_causes_a_500(api: Api, fields: dict[str, Any], address: str) -> None:
    token = await api.somebody()
    answer = await send(api, token, recipient_id=address, **fields)
    assert answer.status in (202, 400, 403), await answer.text()
