"""Direct conversations: a message to somebody without a conversation's id, in a thread that nobody else can take."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import FormData

from domain.direct import direct_id
from domain.ports import LogPosition, NewParticipant
from domain.routing import decide
from support.api import Api
from support.waiting import until

PHONE = "whatsapp:+5511999990000"
NOBODY = "0193e2f0-0000-7000-8000-000000000000"


class Person:
    """A user with a token; ``say`` sends and returns the answer."""

    def __init__(self, api: Api, session: dict[str, Any], name: str) -> None:
        self.api, self.name, self.user_id, self.token = api, name, session["user_id"], session["token"]

    async def say(self, recipient: str | None = None, conversation_id: str | None = None, **more: object) -> Any:
        body = {"content": "hi", "recipient_id": recipient, "conversation_id": conversation_id, **more}
        headers = {"Idempotency-Key": more["key"]} if "key" in more else {}
        body.pop("key", None)
        return await self.api.call("POST", "/v1/messages", body, self.token, headers=headers)

    async def said(self, *args: object, **more: object) -> str:
        """Send what is accepted, and return the conversation's id."""
        answer = await self.say(*args, **more)
        assert answer.status == 202, await answer.text()
        return str((await answer.json())["conversation_id"])

    async def get(self, path: str, status: int = 200) -> Any:
        answer = await self.api.call("GET", path, token=self.token)
        assert answer.status == status, await answer.text()
        return await answer.json(content_type=None)

    async def post(self, path: str, body: object, status: int) -> Any:
        answer = await self.api.call("POST", path, body, self.token)
        assert answer.status == status, await answer.text()
        return await answer.json(content_type=None)


async def person(api: Api, name: str | None = None) -> Person:
    name = await api.register(name)
    return Person(api, await api.login(name), name)


@pytest.fixture
async def ana(api: Api) -> Person:
    return await person(api, "ana")


@pytest.fixture
async def bruno(api: Api) -> Person:
    return await person(api, "bruno")


@pytest.fixture
async def eve(api: Api) -> Person:
    return await person(api, "eve")


async def test_two_users_who_write_to_each_other_have_one_thread(api: Api, ana: Person, bruno: Person) -> None:
    there = await ana.said(bruno.user_id)
    assert there == await bruno.said(ana.user_id) == await bruno.said(f"internal:{ana.user_id}")
    assert there == await bruno.said(conversation_id=there)
    shown = await bruno.get(f"/v1/conversations/{quote(there, safe='')}")
    assert shown["participants"] == sorted([ana.user_id, bruno.user_id])
    assert (shown["created_by"], shown["message_count"], shown["is_group"]) == (ana.user_id, 4, False)
    assert [one["conversation_id"] for one in (await bruno.get("/v1/conversations"))["conversations"]] == [there]
    assert len((await ana.get(f"/v1/messages?conversation_id={there}"))["messages"]) == 4
    assert [message.recipient_users for message, *_ in api.log.records] == [
        (bruno.user_id,),
        (ana.user_id,),
        (ana.user_id,),
        (ana.user_id,),
    ]


async def test_a_user_and_an_address_have_one_thread_however_the_address_is_written(ana: Person, eve: Person) -> None:
    there = await ana.said(PHONE)
    assert there == await ana.said("WhatsApp:+55 (11) 99999-0000")
    assert there != await ana.said("whatsapp:+5511999990001") != await eve.said(PHONE) != there
    assert (await ana.get(f"/v1/conversations/{there}"))["participants"] == sorted([ana.user_id, PHONE])


async def test_a_thread_begun_by_writing_to_a_number_goes_on_without_naming_it(api: Api, ana: Person) -> None:
    there = await ana.said(PHONE)
    await ana.said(conversation_id=there)
    assert api.log.records[-1][0].recipients == (PHONE,)


async def test_whoever_writes_to_themselves_has_notes_for_themselves(api: Api, ana: Person) -> None:
    there = await ana.said(ana.user_id)
    assert (await ana.get(f"/v1/conversations/{there}"))["participants"] == [ana.user_id]
    assert api.log.records[-1][0].recipients == (f"internal:{ana.user_id}",)
    assert await ana.said(conversation_id=there) == there


async def test_without_recipient_and_id_it_is_said_which_of_the_two_to_give(ana: Person) -> None:
    for body in ({"content": "x"}, {"content": "x", "recipient_id": "", "conversation_id": None}):
        problem = await ana.post("/v1/messages", body, 400)
        assert [one["field"] for one in problem["errors"]] == ["conversation_id"]
        assert "recipient_id" in problem["errors"][0]["detail"]


RESERVED = [
    "direct:",
    f"direct:{'0' * 32}",
    "Direct:x",
    "DIRECT:x",
    " direct:x",
    "\uff44irect:x",
    "\uff24IRECT\uff1ax",
]


@pytest.mark.parametrize("wanted", RESERVED)
async def test_no_door_creates_a_conversation_under_a_reserved_id(api: Api, ana: Person, wanted: str) -> None:
    body = {"conversation_id": wanted, "participants": [PHONE]}
    problem = await ana.post("/v1/conversations", body, 400)
    assert [one["field"] for one in problem["errors"]] == ["conversation_id"]
    assert (await ana.say(None, wanted)).status == 403
    assert (await ana.say(PHONE, wanted)).status == 403
    assert (await ana.say(ana.user_id, wanted)).status == 403
    batch = await ana.post("/v1/messages/batch", [{"conversation_id": wanted, "content": "hi"}], 207)
    assert batch["results"][0]["status"] == 403
    form = {"conversation_id": wanted, "file": b"x"}
    assert (await api.call("POST", "/v1/files", token=ana.token, data=form)).status == 403
    metadata = f"conversation_id {b64encode(wanted.encode()).decode()}"
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "1", "Upload-Metadata": metadata}
    assert (await api.call("POST", "/v1/uploads", token=ana.token, headers=headers)).status == 403
    assert api.conversations.members == {}
    assert api.log.records == []


async def test_a_stranger_who_computes_the_id_does_not_learn_whether_the_two_talk(
    api: Api, ana: Person, bruno: Person, eve: Person
) -> None:
    there, not_there = await ana.said(bruno.user_id), direct_id(ana.user_id, PHONE)
    answers = []
    for guess in (there, not_there):
        path = quote(guess, safe="")
        file = {"conversation_id": guess, "file": b"x"}
        told = [
            await eve.get(f"/v1/conversations/{path}", 403),
            await eve.get(f"/v1/conversations/{path}/messages", 403),
            await eve.get(f"/v1/messages?conversation_id={path}", 403),
            await eve.post("/v1/messages", {"conversation_id": guess, "content": "x"}, 403),
            await eve.post("/v1/messages", {"conversation_id": guess, "recipient_id": PHONE, "content": "x"}, 403),
            await eve.post("/v1/messages", {"conversation_id": guess, "file_id": NOBODY}, 400),
            await eve.post("/v1/conversations", {"conversation_id": guess, "participants": [PHONE]}, 400),
            await (await api.call("POST", "/v1/files", token=eve.token, data=file)).json(content_type=None),
            await eve.get(f"/v1/groups/{path}", 404),
        ]
        answers.append([one["detail"] for one in told])
    assert answers[0] == answers[1]


async def test_a_direct_conversation_stays_one_of_two(api: Api, ana: Person, bruno: Person, eve: Person) -> None:
    there = await ana.said(bruno.user_id)
    for recipient in (PHONE, eve.user_id):
        answer = await ana.say(recipient, there)
        assert answer.status == 400
        assert [one["field"] for one in (await answer.json(content_type=None))["errors"]] == ["recipient_id"]
    await ana.post(f"/v1/groups/{there}/members", {"user_id": eve.user_id}, 404)
    assert (await ana.get(f"/v1/conversations/{there}"))["participants"] == sorted([ana.user_id, bruno.user_id])
    assert await ana.said(bruno.user_id, there) == there


@pytest.mark.parametrize("guest", ["nobody", "ana", "bruno", "both"])
async def test_who_guessed_the_id_in_an_older_release_is_in_no_direct_conversation(
    api: Api, ana: Person, bruno: Person, eve: Person, guest: str
) -> None:
    """A release before the reserved ids let clients choose them; the sides follow from the id all the same."""
    squatted = direct_id(ana.user_id, bruno.user_id)
    guests = {"nobody": [], "ana": [ana.user_id], "bruno": [bruno.user_id], "both": [ana.user_id, bruno.user_id]}
    await api.conversations.create(squatted, [*guests[guest], eve.user_id], 0, created_by=eve.user_id)
    before = await refusals_of(eve, squatted)
    assert await ana.said(bruno.user_id) == squatted
    assert await refusals_of(eve, squatted) == before == {403}
    assert (await ana.get(f"/v1/conversations/{squatted}"))["participants"] == sorted([ana.user_id, bruno.user_id])
    assert len((await bruno.get(f"/v1/messages?conversation_id={squatted}"))["messages"]) == 1
    assert (await eve.get("/v1/conversations"))["conversations"] == []
    assert [message.sender_id for message, *_ in api.log.records] == [ana.user_id]


async def refusals_of(stranger: Person, conversation_id: str) -> set[int]:
    """Return the statuses of everything that a stranger with the id may try."""
    statuses = {(await stranger.say(None, conversation_id)).status}
    for method, path in (
        ("GET", f"/v1/conversations/{conversation_id}"),
        ("GET", f"/v1/messages?conversation_id={conversation_id}"),
        ("GET", f"/v1/conversations/{conversation_id}/messages"),
    ):
        statuses.add((await stranger.api.call(method, path, token=stranger.token)).status)
    file = {"conversation_id": conversation_id, "file": b"x"}
    statuses.add((await stranger.api.call("POST", "/v1/files", token=stranger.token, data=file)).status)
    return statuses


@pytest.mark.parametrize("is_away", [False, True])
async def test_a_stranger_is_refused_at_every_process_before_and_after_the_first_message(
    two: tuple[Any, Any], is_away: bool
) -> None:
    one, other = two
    ana, bruno, eve = await person(one, "ana"), await person(one, "bruno"), await person(one, "eve")
    await ana.said(PHONE)  # what a message to a person asks of the store is known
    there = direct_id(ana.user_id, bruno.user_id)
    eves = [Person(api, {"user_id": eve.user_id, "token": eve.token}, "eve") for api in (one, other)]
    assert [await refusals_of(each, there) for each in eves] == [{403}, {403}]
    if is_away:
        await ana.get("/v1/users/me")
        await ana.say(bruno.user_id, "c-1")  # bruno is known as a user
        one.conversations.available = False
    assert await ana.said(bruno.user_id) == there
    for api in (one, other):
        for message, position, _ in one.log.records:
            api.services.live.hub.on_message(0, position.offset, message, position)
    assert [await refusals_of(each, there) for each in eves] == [{503 if is_away else 403}] * 2
    one.conversations.available = True
    assert [await refusals_of(each, there) for each in eves] == [{403}, {403}]
    assert all(message.sender_id == ana.user_id for message, *_ in one.log.records)


async def test_the_answer_to_a_first_message_says_that_every_process_has_the_conversation(
    two: tuple[Any, Any],
) -> None:
    one, other = two
    ana, bruno = await person(one, "ana"), await person(one, "bruno")
    begin, started, may_go_on = one.conversations.begin_direct, asyncio.Event(), asyncio.Event()

    async def slow(*args: object) -> None:
        started.set()
        await may_go_on.wait()
        await begin(*args)

    one.conversations.begin_direct = slow
    saying = asyncio.create_task(ana.said(bruno.user_id))
    await started.wait()
    await until(lambda: one.log.records)  # the message does not wait for the row
    assert not saying.done()
    may_go_on.set()
    there = await saying
    at_other = Person(other, {"user_id": bruno.user_id, "token": bruno.token}, "bruno")
    assert [c["conversation_id"] for c in (await at_other.get("/v1/conversations"))["conversations"]] == [there]
    assert len((await at_other.get(f"/v1/messages?conversation_id={there}"))["messages"]) == 1


async def test_a_direct_conversation_is_written_once_however_often_a_process_begins_anew(
    two: tuple[Any, Any],
) -> None:
    one, other = two
    ana, bruno = await person(one, "ana"), await person(one, "bruno")
    there = await ana.said(bruno.user_id)
    assert await Person(other, {"user_id": ana.user_id, "token": ana.token}, "ana").said(bruno.user_id) == there
    assert len(await one.conversations.of_user(ana.user_id, 10)) == 1


async def test_both_sides_are_in_it_from_the_first_moment_whoever_is_first(
    two: tuple[Any, Any],
) -> None:
    one, other = two
    ana, bruno = await person(one, "ana"), await person(one, "bruno")
    there = Person(other, {"user_id": bruno.user_id, "token": bruno.token}, "bruno")
    seen: set[tuple[str, ...]] = set()
    begin = one.conversations.begin_direct

    async def slow(conversation_id: str, sides: list[str], at_ms: int, created_by: str) -> None:
        await asyncio.sleep(0)
        seen.add(tuple(sides))
        await begin(conversation_id, sides, at_ms, created_by)

    one.conversations.begin_direct = slow
    said = await asyncio.gather(*(side.said(to) for side, to in ((ana, bruno.user_id), (there, ana.user_id)) * 5))
    assert len(set(said)) == 1
    assert seen == {tuple(sorted([ana.user_id, bruno.user_id]))}


async def test_a_key_stands_for_one_direct_message(ana: Person, bruno: Person) -> None:
    first = await ana.say(PHONE, key="k-1")
    again = await ana.say(PHONE, key="k-1")
    named = await ana.say(PHONE, (await first.json())["conversation_id"], key="k-1")
    assert await first.json() == await again.json() == await named.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await ana.say("whatsapp:+5511999990001", key="k-1")).status == 422
    assert (await ana.say(PHONE, "c-1", key="k-1")).status == 422
    assert (await ana.say(f"user:{bruno.name}", key="k-2")).status == 202
    replay = await ana.say(bruno.user_id, key="k-2")
    assert replay.headers["Idempotent-Replayed"] == "true"


async def test_a_batch_may_leave_ids_out(ana: Person, bruno: Person) -> None:
    batch = [
        {"recipient_id": PHONE, "content": "1"},
        {"recipient": "user:BRUNO", "content": "2"},
        {"content": "3"},
        {"recipient_id": "user:nobody_at_all", "content": "4"},
        {"conversation_id": "alone", "content": "5"},
    ]
    results = (await ana.post("/v1/messages/batch", batch, 207))["results"]
    assert [one["status"] for one in results] == [202, 202, 400, 400, 202]
    assert results[1]["message"]["conversation_id"] == direct_id(ana.user_id, bruno.user_id)
    assert "nobody_at_all" in results[3]["problem"]["detail"]


async def test_a_batch_without_cassandra_refuses_only_what_names_unknown_users(api: Api, ana: Person) -> None:
    await ana.said(PHONE)
    for store in (api.users, api.conversations):
        store.available = False
    batch = [{"recipient_id": PHONE, "content": "1"}, {"recipient_id": "user:somebody", "content": "2"}]
    results = (await ana.post("/v1/messages/batch", batch, 207))["results"]
    assert [one["status"] for one in results] == [202, 503]


async def test_a_direct_conversation_is_found_by_its_side_before_anything_is_sent(
    api: Api, ana: Person, bruno: Person
) -> None:
    made = await ana.post("/v1/conversations", {"recipient_id": "user:bruno"}, 201)
    again = await bruno.post("/v1/conversations", {"recipient_id": ana.user_id}, 200)
    assert made == again
    assert made["conversation_id"] == direct_id(ana.user_id, bruno.user_id)
    file = {"conversation_id": made["conversation_id"], "file": b"x"}
    uploaded = await (await api.call("POST", "/v1/files", token=ana.token, data=file)).json()
    assert await ana.said(bruno.user_id, file_id=uploaded["file_id"]) == made["conversation_id"]
    assert (await bruno.get(f"/v1/files/{uploaded['file_id']}"))["conversation_id"] == made["conversation_id"]
    for body in ({"recipient_id": NOBODY}, {"recipient_id": "user:nobody_at_all"}):
        await ana.post("/v1/conversations", body, 400)
    for more in ({"participants": [PHONE]}, {"name": "x"}, {"conversation_id": "c-1"}):
        problem = await ana.post("/v1/conversations", {"recipient_id": PHONE, **more}, 400)
        assert [one["field"] for one in problem["errors"]] == list(more)


@pytest.mark.parametrize("recipient", [PHONE, "user:bruno", "WhatsApp:+55 (11) 99999-0000"])
async def test_a_file_is_uploaded_for_somebody_by_form_and_in_pieces(
    api: Api, ana: Person, bruno: Person, recipient: str
) -> None:
    there = direct_id(ana.user_id, PHONE if "hats" in recipient else bruno.user_id)
    form = {"recipient_id": recipient, "file": b"x"}
    answer = await api.call("POST", "/v1/files", token=ana.token, data=form)
    assert answer.status == 201, await answer.text()
    by_form = await answer.json()
    metadata = f"recipient_id {b64encode(recipient.encode()).decode()}"
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": "1",
        "Upload-Metadata": metadata,
        "Content-Type": "application/offset+octet-stream",
    }
    answer = await api.call("POST", "/v1/uploads", token=ana.token, headers=headers, data=b"y")
    assert answer.status == 201, await answer.text()
    in_pieces = await ana.get(answer.headers["Location"].replace("uploads", "files"))
    assert by_form["conversation_id"] == in_pieces["conversation_id"] == there
    for file in (by_form, in_pieces):
        assert await ana.said(recipient, file_id=file["file_id"]) == there


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({}, "conversation_id"),
        ({"recipient_id": PHONE, "conversation_id": "c-1"}, "conversation_id"),
        ({"recipient_id": "user:no_such"}, "recipient_id"),
        ({"recipient_id": "pigeon:1"}, "recipient_id"),
    ],
)
async def test_a_file_is_for_a_conversation_or_for_somebody(
    api: Api, ana: Person, form: dict[str, str], field: str
) -> None:
    for order in (list(form.items()), list(reversed(form.items()))):
        data = FormData()
        data.add_field("file", b"x", filename="a.txt")
        for name, value in order:
            data.add_field(name, value)
        answer = await api.call("POST", "/v1/files", token=ana.token, data=data)
        assert answer.status == 400
        assert [one["field"] for one in (await answer.json(content_type=None))["errors"]] == [field]
    metadata = ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in form.items())
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "1", "Upload-Metadata": metadata}
    answer = await api.call("POST", "/v1/uploads", token=ana.token, headers=headers)
    assert answer.status == 400
    assert [one["field"] for one in (await answer.json(content_type=None))["errors"]] == [field]
    assert api.files.rows == {}


async def test_a_file_of_another_conversation_does_not_go_into_a_direct_one(api: Api, ana: Person) -> None:
    uploaded = await (
        await api.call("POST", "/v1/files", token=ana.token, data={"conversation_id": "c-1", "file": b"x"})
    ).json()
    assert (await ana.say(PHONE, file_id=uploaded["file_id"])).status == 400
    assert direct_id(ana.user_id, PHONE) not in api.conversations.members


async def test_without_cassandra_direct_conversations_begin_and_are_written_later(
    api: Api, ana: Person, bruno: Person
) -> None:
    await ana.said(PHONE)
    await ana.said("user:bruno")
    for store in (api.conversations, api.messages, api.users, api.identities):
        store.available = False
    await ana.said(PHONE)
    await ana.said("user:bruno")
    new = await ana.said("whatsapp:+5511999990001")
    for store in (api.conversations, api.messages, api.users, api.identities):
        store.available = True
    await until(lambda: new in api.conversations.members)
    assert (await ana.get(f"/v1/conversations/{new}"))["participants"] == sorted(
        [ana.user_id, "whatsapp:+5511999990001"]
    )


# an address that is written to takes part


async def test_an_address_that_is_written_to_takes_part(api: Api, ana: Person) -> None:
    await ana.said(PHONE, "c-1")
    await ana.said("telegram:5", "c-1")
    assert (await ana.get("/v1/conversations/c-1"))["participants"] == sorted([ana.user_id, PHONE, "telegram:5"])
    await ana.said(None, "c-1")
    assert set(api.log.records[-1][0].recipients) == {PHONE, "telegram:5"}


async def test_an_address_joins_a_conversation_that_was_begun_without_it(api: Api, ana: Person) -> None:
    await ana.said(None, "c-1")
    assert api.log.records[-1][0].recipients == ()
    await ana.said(PHONE, "c-1")
    await ana.said(None, "c-1")
    assert api.log.records[-1][0].recipients == (PHONE,)


async def test_an_address_that_another_process_let_in_is_among_everyone_here(two: tuple[Any, Any]) -> None:
    one, other = two
    ana = await person(one, "ana")
    there = Person(other, {"user_id": ana.user_id, "token": ana.token}, "ana")
    await there.said(None, "c-1")
    await there.said(None, "c-1")  # who takes part is remembered
    await ana.said(PHONE, "c-1")
    message, position, _ = one.log.records[-1]
    other.services.live.hub.on_message(0, position.offset, message, position)  # as its tailer reads it
    await there.said(None, "c-1")
    assert other.log.records[-1][0].recipients == (PHONE,)


async def test_who_joins_during_a_look_up_is_not_lost_by_it(api: Api, ana: Person) -> None:
    await ana.said(None, "c-1")
    get, participants = api.conversations.get, api.services.live.participants
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(conversation_id: str) -> Any:
        found = await get(conversation_id)
        asked.set()
        await go_on.wait()
        return found

    api.conversations.get = slow
    asking = asyncio.create_task(participants.of("c-1"))
    await asked.wait()
    api.conversations.get = get
    await api.conversations.join(
        [NewParticipant("c-1", PHONE, 1)]
    )  # by another process, whose message the tailer reads now
    participants.wrote_to("c-1", PHONE)
    go_on.set()
    await asking
    assert set(await participants.of("c-1")) == {ana.user_id, PHONE}


async def test_in_a_group_only_admins_choose_who_takes_part(api: Api, ana: Person) -> None:
    group = (await ana.post("/v1/groups", {"name": "g"}, 201))["group_id"]
    await ana.said(PHONE, group)
    await ana.said(PHONE, group)
    assert (await ana.get(f"/v1/groups/{group}"))["members"] == [ana.user_id]
    await ana.said(None, group)
    assert api.log.records[-1][0].recipients == ()


async def test_a_full_conversation_takes_messages_to_others_and_nobody_more(api: Api, ana: Person) -> None:
    crowd = [f"telegram:{n + 1}" for n in range(255)]
    await ana.post("/v1/conversations", {"conversation_id": "c-1", "participants": crowd}, 201)
    await ana.said(PHONE, "c-1")
    assert PHONE not in (await ana.get("/v1/conversations/c-1"))["participants"]
    message, position, _ = api.log.records[-1]
    api.services.live.hub.on_message(0, position.offset, message, position)
    await ana.said(None, "c-1")
    assert len(api.log.records[-1][0].recipients) == 255


async def test_a_message_to_an_address_that_is_known_to_take_part_asks_nothing(api: Api, ana: Person) -> None:
    calls: list[str] = []

    def counted(name: str) -> Any:
        method = getattr(api.conversations, name)

        async def call(*args: object, **more: object) -> Any:
            calls.append(name)
            return await method(*args, **more)

        return call

    for name in ("membership", "get", "create", "begin_direct", "join", "participants"):
        setattr(api.conversations, name, counted(name))
    await ana.said(PHONE, "c-1")
    assert calls == ["membership", "create"]
    await ana.said(PHONE, "c-1")
    assert len(calls) == 2
    await ana.said("telegram:5", "c-1")
    assert calls[2:] == ["get", "join"]
    for _ in range(3):
        await ana.said("telegram:5", "c-1")
        await ana.said(PHONE, "c-1")
    assert len(calls) == 4
    await ana.said(PHONE)
    await ana.said(PHONE)
    assert calls[4:] == ["get", "begin_direct"]


async def test_without_cassandra_an_address_joins_later_and_its_messages_go_out(api: Api, ana: Person) -> None:
    await ana.said(None, "c-1")
    api.conversations.available = False
    await ana.said(PHONE, "c-1")
    await ana.said(PHONE, "c-1")
    api.conversations.available = True
    api.clock.now_ms += 2_000
    await ana.said(PHONE, "c-1")
    assert PHONE in (await ana.get("/v1/conversations/c-1"))["participants"]


# nobody else is there


async def test_a_message_to_an_empty_everyone_is_sent_in_the_conversation(api: Api, ana: Person) -> None:
    for _ in range(2):
        await ana.said(None, "alone")
    message, position, _ = api.log.records[-1]
    assert (message.recipients, message.recipient_id, message.targets) == ((), "", ())
    routed = decide(message, LogPosition(position.accepted_at_ms, position.offset))
    assert (list(routed.requests), routed.refused) == ([], None)
    for fact in routed.facts:
        api.recent.add_fact(fact)
    shown = await ana.get(f"/v1/messages/{message.message_id}")
    assert (shown["status"], shown["recipient_id"], "deliveries" in shown) == ("SENT", None, False)
    assert shown["sent_at"] == shown["accepted_at"]
    trace = await ana.get(f"/v1/messages/{message.message_id}/trace")
    assert [event["event"] for event in trace["events"]] == ["ACCEPTED", "SENT"]
    assert (await api.call("POST", f"/v1/messages/{message.message_id}/read", token=ana.token)).status == 403


async def test_who_joins_later_sees_what_was_sent_to_nobody(api: Api, ana: Person, bruno: Person) -> None:
    group = (await ana.post("/v1/groups", {"name": "g"}, 201))["group_id"]
    await ana.said(None, group)
    await ana.post(f"/v1/groups/{group}/members", {"user_id": "user:bruno"}, 200)
    assert len((await bruno.get(f"/v1/conversations/{group}/messages"))["messages"]) == 1
