"""Messages with files: which files may be sent, where, and what is told of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientResponse

from domain.errors import StoreUnavailable
from domain.files import File, FileMetadata
from domain.ids import uuid7
from domain.ports import Upload
from support.api import Api
from support.waiting import pass_time
from web.messages.attached_files import NO_SUCH_FILE

NOWHERE = "0193e2f0-0000-7000-8000-000000000000"
KEY = {"Idempotency-Key": "order-7"}


def whole_file(api: Api, conversation_id: str = "c-1", filename: str = "a.pdf") -> File:
    """A file that was uploaded."""
    file_id = uuid7(api.clock(), bytes([len(api.files.rows)] * 10))
    metadata = FileMetadata(filename, 3, "application/pdf", f"sha256:{'0f' * 32}", f"{conversation_id}/{file_id}.pdf")
    made = api.files.rows[file_id] = File(file_id, conversation_id, "somebody", metadata, api.clock())
    return made


async def post(api: Api, token: str, file_id: object, conversation_id: str = "c-1", **more: object) -> Any:
    """Return the answer to a message with a file."""
    headers = more.pop("headers", {})
    body = api.message(conversation_id, file_id=file_id, **more)
    return await api.call("POST", "/v1/messages", body, token, headers=headers)


async def fields_of(answer: ClientResponse) -> list[tuple[str, str]]:
    assert answer.status == 400, await answer.text()
    return [(error["field"], error["detail"]) for error in (await answer.json(content_type=None))["errors"]]


async def results_of(answer: ClientResponse) -> list[Any]:
    assert answer.status == 207
    return list((await answer.json())["results"])


@pytest.mark.parametrize("content", ["look", "", ..., None])
async def test_a_file_goes_into_the_record_with_all_that_is_known_of_it(api: Api, content: object) -> None:
    token = await api.somebody()
    await api.send(token)
    file = whole_file(api)
    answer = await post(api, token, file.file_id.upper(), content=content)
    assert answer.status == 202
    message = api.log.records[-1][0]
    assert (message.file_id, message.file) == (file.file_id, file.metadata)
    assert message.content == ("look" if content == "look" else "")


@pytest.mark.parametrize("is_mirrored", [False, True])
async def test_who_reads_the_message_is_told_of_its_file(api: Api, is_mirrored: bool) -> None:
    token = await api.somebody()
    plain = await api.send(token)
    file = whole_file(api)
    sent = await (await post(api, token, file.file_id)).json()
    if is_mirrored:
        await api.mirror()
        api.forget_recent()
    shown = await (await api.call("GET", f"/v1/messages/{sent['message_id']}", token=token)).json()
    expected = {
        "filename": "a.pdf",
        "size_bytes": 3,
        "mimetype": "application/pdf",
        "checksum": file.metadata.checksum,
    }
    assert (shown["file_id"], shown["file_metadata"]) == (file.file_id, expected)
    listed = await (await api.call("GET", "/v1/messages?conversation_id=c-1", token=token)).json()
    assert [(one["message_id"], one["file_metadata"]) for one in listed["messages"]] == [
        (plain["message_id"], None),
        (sent["message_id"], expected),
    ]


@pytest.mark.parametrize("absent", [None, "", ...])
async def test_without_a_file_there_must_be_content(api: Api, absent: object) -> None:
    token = await api.somebody()
    assert (await post(api, token, absent)).status == 202
    assert api.log.records[-1][0].file_id is None
    for empty in ("", None, ...):
        assert [field for field, _ in await fields_of(await post(api, token, absent, content=empty))] == ["content"]


@pytest.mark.parametrize("file_id", ["f-1", 7, ["x"], {"id": NOWHERE}, f"{NOWHERE}\n", "../" + NOWHERE, True])
async def test_what_is_no_id_of_a_file_is_refused_before_anybody_is_asked(api: Api, file_id: object) -> None:
    token = await api.somebody()
    api.files.available = False
    assert [field for field, _ in await fields_of(await post(api, token, file_id))] == ["file_id"]


async def test_a_file_that_is_not_there_not_whole_or_elsewhere_is_refused_with_the_same_words(api: Api) -> None:
    token, other = await api.somebody(), await api.somebody()
    await api.send(token)
    await api.send(other, "c-2")
    await api.send(token, "c-3")
    unfinished = uuid7(api.clock(), bytes(range(10)))
    await api.files.begin(Upload(unfinished, "c-1", "somebody", "a.pdf", None, api.clock(), api.clock() + 9_999))
    for file_id in (NOWHERE, unfinished, whole_file(api, "c-2").file_id, whole_file(api, "c-3").file_id):
        assert await fields_of(await post(api, token, file_id)) == [("file_id", NO_SUCH_FILE)]
    assert len(api.log.records) == 3


async def test_a_stranger_learns_nothing_about_files(api: Api) -> None:
    owner, stranger = await api.somebody(), await api.somebody()
    await api.send(owner)
    texts = set()
    for file_id in (whole_file(api).file_id, NOWHERE):
        answer = await post(api, stranger, file_id)
        assert answer.status == 403
        texts.add((await answer.json(content_type=None))["detail"])
    assert len(texts) == 1


async def test_a_refused_file_creates_no_conversation(api: Api) -> None:
    token = await api.somebody()
    assert await fields_of(await post(api, token, whole_file(api).file_id, "new")) == [("file_id", NO_SUCH_FILE)]
    assert api.conversations.members == {}


async def test_any_participant_may_send_a_file_of_the_conversation(api: Api) -> None:
    owner, member = await api.login(await api.register()), await api.login(await api.register())
    body = {"conversation_id": "c-1", "participants": [member["user_id"]]}
    assert (await api.call("POST", "/v1/conversations", body, owner["token"])).status == 201
    file = whole_file(api)
    for token in (owner["token"], member["token"]):
        assert (await post(api, token, file.file_id, recipient_id=...)).status == 202
    assert {message.file for message, _, _ in api.log.records} == {file.metadata}
    assert api.log.records[0][0].recipients == (f"internal:{member['user_id']}",)


async def test_while_the_store_is_away_only_messages_with_an_unknown_file_wait(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    known, unknown = whole_file(api), whole_file(api)
    assert (await post(api, token, known.file_id)).status == 202
    api.files.available = False
    assert (await post(api, token, known.file_id)).status == 202
    assert (await post(api, token, unknown.file_id)).status == 503
    assert (await post(api, token, None)).status == 202
    api.files.available = True
    assert (await post(api, token, unknown.file_id)).status == 202


async def test_a_file_that_becomes_whole_can_be_sent_at_once(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    file = whole_file(api)
    del api.files.rows[file.file_id]
    assert (await post(api, token, file.file_id)).status == 400
    api.files.rows[file.file_id] = file
    assert (await post(api, token, file.file_id)).status == 202


async def test_in_a_batch_a_bad_file_is_its_own_messages_affair(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    good, elsewhere = whole_file(api), whole_file(api, "c-2")
    ids = [None, NOWHERE, good.file_id, elsewhere.file_id, "f-1", good.file_id, None]
    messages = [api.message(file_id=file_id, content=f"{n}") for n, file_id in enumerate(ids)]
    found = await results_of(await api.call("POST", "/v1/messages/batch", {"messages": messages}, token))
    assert [one["status"] for one in found] == [202, 400, 202, 400, 400, 202, 202]
    assert found[1]["problem"]["errors"] == found[3]["problem"]["errors"]
    assert [message.content for message, _, _ in api.log.records[1:]] == ["0", "2", "5", "6"]


async def test_in_a_batch_the_absence_of_the_store_is_the_affair_of_those_with_files(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    known, unknown = whole_file(api), whole_file(api)
    assert (await post(api, token, known.file_id)).status == 202
    api.files.available = False
    messages = [api.message(file_id=file_id) for file_id in (None, unknown.file_id, known.file_id, None)]
    found = await results_of(await api.call("POST", "/v1/messages/batch", {"messages": messages}, token))
    assert [one["status"] for one in found] == [202, 503, 202, 202]


async def test_a_store_that_says_nothing_costs_a_batch_about_one_time_out(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    files = [whole_file(api) for _ in range(100)]
    asked = 0

    async def silent(file_id: str) -> File | None:
        nonlocal asked
        asked += 1
        await pass_time(0.2)
        raise StoreUnavailable("no answer")

    api.files.get = silent
    messages = [api.message(file_id=file.file_id) for file in files]
    async with asyncio.timeout(2):
        found = await results_of(await api.call("POST", "/v1/messages/batch", {"messages": messages}, token))
    assert {one["status"] for one in found} == {503}
    assert asked < 40
    del api.files.get
    found = await results_of(await api.call("POST", "/v1/messages/batch", {"messages": messages}, token))
    assert {one["status"] for one in found} == {202}


async def test_the_same_key_with_another_file_is_another_message(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    one, other = whole_file(api), whole_file(api)
    first = await post(api, token, one.file_id, headers=KEY)
    again = await post(api, token, one.file_id.upper(), headers=KEY)
    assert await first.json() == await again.json()
    for different in (other.file_id, None):
        answer = await post(api, token, different, headers=KEY)
        assert answer.status == 422
    assert len(api.log.records) == 2


async def test_a_repeated_request_is_answered_from_memory_while_the_store_is_away(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    file = whole_file(api)
    first = await post(api, token, file.file_id, headers=KEY)
    api.services.known_files._known.pop(file.file_id)
    api.files.available = False
    again = await post(api, token, file.file_id, headers=KEY)
    assert again.status == 202
    assert await first.json() == await again.json()


async def test_items_of_a_batch_with_one_key_and_two_files_are_not_the_same(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    one, other = whole_file(api), whole_file(api)
    messages = [
        api.message(file_id=file_id, idempotency_key="k") for file_id in (one.file_id, one.file_id, other.file_id)
    ]
    found = await results_of(await api.call("POST", "/v1/messages/batch", {"messages": messages}, token))
    assert [result["status"] for result in found] == [202, 202, 422]


async def test_a_file_beside_a_template_is_its_header(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    file, template = whole_file(api), {"name": "order", "language": "pt_BR", "parameters": {"body": ["7"]}}
    wanted = {"template": template, "content": ..., "recipient_id": "whatsapp:+5511999990000"}
    answer = await post(api, token, file.file_id, **wanted)
    assert answer.status == 202, await answer.text()
    message = api.log.records[-1][0]
    assert (message.kind, message.body, message.file) == ("template", template, file.metadata)
    shown = await (await api.call("GET", f"/v1/messages/{message.message_id}", token=token)).json()
    assert (shown["kind"], shown["file_id"]) == ("template", file.file_id)
    song = whole_file(api, filename="a.mp3")
    api.files.rows[song.file_id] = replace(song, metadata=replace(song.metadata, mimetype="audio/mpeg"))
    [(field, fault)] = await fields_of(await post(api, token, song.file_id, **wanted))
    assert (field, "as the header of a template" in fault) == ("template", True)
    [(field, fault)] = await fields_of(await post(api, token, file.file_id, **{**wanted, "recipient_id": "telegram:1"}))
    assert (field, fault) == ("template", "telegram has no templates")
