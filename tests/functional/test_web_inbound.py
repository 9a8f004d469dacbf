"""What a person writes, as the API shows it: live, in lists, and marked as read; also before the mirror has it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from agents.mirror_inbound import InboundMirror
from app.kafka.codec import decode
from domain.files import FileMetadata
from domain.ids import file_id_of_inbound, inbound_message_id
from domain.inbound import ReadMarked
from domain.kinds import INBOUND
from domain.ports import MirrorEntry
from domain.records import MessageAccepted
from support.api import Api
from support.waiting import until
from support.watching import watch

ANA = "whatsapp:+5511999990000"
CONVERSATION = "inbound:1"
MESSAGE_ID = inbound_message_id("whatsapp", "shop", "wamid.1")
WRITTEN = MessageAccepted(
    MESSAGE_ID,
    CONVERSATION,
    ANA,
    "",
    "oi",
    account="shop",
    direction=INBOUND,
    sender_name="Ana",
    provider_id="wamid.1",
    sent_at_ms=1,
    members=("user:maria", ANA),
)


async def maria(api: Api) -> dict[str, Any]:
    return await api.login(await api.register("Maria"))


async def test_a_new_persons_message_is_live_to_the_inbox_before_the_conversation_is_stored(api: Api) -> None:
    inbox, other = await watch(api, (await maria(api))["token"]), await watch(api, await api.somebody())
    api.live_log.message(WRITTEN)
    frame = await inbox.frame()
    assert (frame["message_id"], frame["conversation_id"], frame["content"]) == (MESSAGE_ID, CONVERSATION, "oi")
    api.live_log.message(replace(WRITTEN, message_id="m-2", members=("user:nobody", "user:maria", ANA)))
    assert (await inbox.frame())["message_id"] == "m-2"
    await other.quiet()


async def test_a_conversation_that_was_looked_for_too_early_is_found_all_the_same(api: Api) -> None:
    logged_in = await maria(api)
    inbox = await watch(api, logged_in["token"])
    api.live_log.message(replace(WRITTEN, message_id="m-0", members=()))  # nobody knows who takes part
    await until(lambda: api.services.participants.known(CONVERSATION) is not None)
    api.live_log.message(WRITTEN)
    assert (await inbox.frame())["message_id"] == MESSAGE_ID


async def test_it_is_in_the_list_at_once_for_the_inbox_alone(api: Api) -> None:
    logged_in = await maria(api)
    api.live_log.message(WRITTEN)
    answer = await api.call("GET", f"/v1/messages?conversation_id={CONVERSATION}", token=logged_in["token"])
    assert answer.status == 200, await answer.text()
    (shown,) = (await answer.json())["messages"]
    assert (shown["sender_id"], shown["content"]) == (ANA, "oi")
    stranger = await api.call("GET", f"/v1/messages?conversation_id={CONVERSATION}", token=await api.somebody())
    assert stranger.status == 403


async def test_its_conversation_is_listed_at_once_and_once_when_the_mirror_has_it(api: Api) -> None:
    logged_in = await maria(api)
    older = await (await api.call("POST", "/v1/conversations", {"participants": [ANA]}, logged_in["token"])).json()

    async def listed(token: str) -> list[str]:
        answer = await api.call("GET", "/v1/conversations", token=token)
        assert answer.status == 200, await answer.text()
        return [one["conversation_id"] for one in (await answer.json())["conversations"]]

    position = api.live_log.message(WRITTEN)
    shown = await api.call("GET", f"/v1/conversations/{CONVERSATION}", token=logged_in["token"])
    assert shown.status == 200, await shown.text()
    conversation = await shown.json()
    assert (conversation["participants"], conversation["message_count"]) == ([logged_in["user_id"], ANA], 1)
    before = await listed(logged_in["token"])
    assert set(before) == {CONVERSATION, older["conversation_id"]}
    stranger = await api.somebody()
    assert await listed(stranger) == []
    assert (await api.call("GET", f"/v1/conversations/{CONVERSATION}", token=stranger)).status == 403
    entries = [MirrorEntry(MESSAGE_ID, CONVERSATION, position, WRITTEN)]
    await InboundMirror(api.conversations, api.users, api.files).write(entries)
    assert sorted(await listed(logged_in["token"])) == sorted(before)


async def test_the_inbox_may_answer_before_the_mirror_has_the_conversation(api: Api) -> None:
    logged_in = await maria(api)
    api.live_log.message(WRITTEN)
    sent = await api.call(
        "POST", "/v1/messages", {"conversation_id": CONVERSATION, "content": "oi, Ana"}, logged_in["token"]
    )
    assert sent.status == 202, await sent.text()
    (message, _, _) = api.log.records[-1]
    assert message.targets == (ANA,)


async def test_its_file_can_be_had_before_the_mirror_has_its_row(api: Api) -> None:
    logged_in = await maria(api)
    file_id = file_id_of_inbound(MESSAGE_ID)
    file = FileMetadata("a.txt", 2, "text/plain", f"sha256:{sha256(b'oi').hexdigest()}", f"inbound%3A1/{file_id}.txt")
    await api.file_store.put(file.storage_path, b"oi", "text/plain")
    api.live_log.message(replace(WRITTEN, file_id=file_id, file=file))
    answer = await api.call("GET", f"/v1/files/{file_id}", token=logged_in["token"])
    assert answer.status == 200, await answer.text()
    assert (await answer.json())["conversation_id"] == CONVERSATION
    content = await api.call("GET", f"/v1/files/{file_id}/content", token=logged_in["token"])
    assert await content.text() == "oi"
    assert (await api.call("GET", f"/v1/files/{file_id}", token=await api.somebody())).status == 404


async def test_nobody_can_take_the_conversation_of_a_person_before_they_write(api: Api) -> None:
    token = await api.somebody()
    for path, body in (
        ("/v1/messages", Api.message(CONVERSATION)),
        ("/v1/conversations", {"participants": [ANA], "conversation_id": CONVERSATION}),
    ):
        assert (await api.call("POST", path, body, token)).status in (400, 403)


@pytest.mark.parametrize("is_mirrored", [False, True])
async def test_a_participant_marks_it_as_read_and_the_channel_is_told_once(api: Api, is_mirrored: bool) -> None:
    logged_in = await maria(api)
    position = api.live_log.message(WRITTEN)
    if is_mirrored:
        entries = [MirrorEntry(MESSAGE_ID, CONVERSATION, position, WRITTEN)]
        await InboundMirror(api.conversations, api.users, api.files).write(entries)
        await api.messages.write(entries)
        api.forget_recent()
    for _ in range(2):
        answer = await api.call("POST", f"/v1/messages/{MESSAGE_ID}/read", token=logged_in["token"])
        assert (answer.status, (await answer.json())["status"]) == (200, "READ"), await answer.text()
    assert (await api.call("POST", f"/v1/messages/{MESSAGE_ID}/read", token=await api.somebody())).status == 404
    (fact,) = api.log.facts
    assert (fact.status, fact.recipient_id, fact.recipient_count) == ("READ", "", 1)
    await until(lambda: api.record_log.values("whatsapp-inbound"))
    (record,) = api.record_log.values("whatsapp-inbound")
    assert (record.key, decode(record.value, ReadMarked)) == (b"shop", ReadMarked("shop", "wamid.1", api.clock()))


async def test_the_person_is_shown_each_time_that_an_answer_is_being_written(api: Api) -> None:
    logged_in = await maria(api)
    api.live_log.message(WRITTEN)
    path = f"/v1/messages/{MESSAGE_ID}/read"
    for body in ({"typing": True}, {"typing": True}, {"typing": False}, {}, {"status": "READ"}):
        assert (await api.call("POST", path, body, logged_in["token"])).status == 200
    assert (await api.call("POST", path, {"typing": "yes"}, logged_in["token"])).status == 400
    await until(lambda: len(api.record_log.values("whatsapp-inbound")) == 2)
    marks = [decode(record.value, ReadMarked) for record in api.record_log.values("whatsapp-inbound")]
    assert [one.is_typing for one in marks] == [True, True]
    assert len(api.log.facts) == 1
