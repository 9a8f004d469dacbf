"""Whom a message goes to: an address, a user, everyone in the conversation; and what its recipients tell back."""

from __future__ import annotations

from typing import Any

import pytest

from domain.ports import LogPosition, MirrorEntry
from domain.records import MessageAccepted, StatusChanged
from domain.routing import decide
from domain.status import Fact
from support.api import Api

NOBODY = "0193e2f0-0000-7000-8000-000000000000"


class People:
    """A sender, one who linked WhatsApp, one who linked Instagram, and one who linked nothing."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.ids: dict[str, str] = {}
        self.tokens: dict[str, str] = {}

    async def come(self) -> None:
        for name in ("sender", "whats", "insta", "inside"):
            session = await self.api.login(await self.api.register())
            self.ids[name], self.tokens[name] = session["user_id"], session["token"]
        await self.link("whats", "whatsapp", "+5511999990000")
        await self.link("insta", "instagram", "@maria")

    async def link(self, name: str, platform: str, value: str) -> None:
        body = {"platform": platform, "value": value}
        answer = await self.api.call("POST", "/v1/users/identities", body, self.tokens[name])
        assert answer.status == 201

    async def begin(self, conversation_id: str, *names: str, addresses: tuple[str, ...] = ()) -> None:
        body = {"conversation_id": conversation_id, "participants": [*(self.ids[name] for name in names), *addresses]}
        answer = await self.api.call("POST", "/v1/conversations", body, self.tokens["sender"])
        assert answer.status == 201, await answer.text()

    async def post(
        self, conversation_id: str, recipient: object = ..., sender: str = "sender", **changes: object
    ) -> Any:
        body = self.api.message(conversation_id, recipient_id=self.ids.get(recipient, recipient), **changes)
        return await self.api.call("POST", "/v1/messages", body, self.tokens[sender])

    async def send(self, *args: object, **changes: object) -> MessageAccepted:
        """Return the record of a message that is accepted."""
        answer = await self.post(*args, **changes)
        assert answer.status == 202, await answer.text()
        return self.api.log.records[-1][0]  # type: ignore[no-any-return]

    async def routed(self, message: MessageAccepted) -> None:
        """What the core role would report."""
        for fact in decide(message, self.position(message)).facts:
            self.api.recent.add_fact(fact)

    def position(self, message: MessageAccepted) -> LogPosition:
        return next(position for record, position, _ in self.api.log.records if record == message)

    def happens(self, message: MessageAccepted, address: str, status: str, code: str | None = None) -> None:
        position, count = self.position(message), len(message.targets)
        change = StatusChanged(
            message.message_id,
            message.conversation_id,
            status,
            position.accepted_at_ms + 10,
            position.accepted_at_ms,
            position.offset,
            address.partition(":")[0],
            1,
            None,
            code,
            None,
            address if count > 1 else "",
            count,
        )
        self.api.recent.add_fact(change)

    async def show(self, message: MessageAccepted, name: str = "sender", path: str = "") -> Any:
        answer = await self.api.call("GET", f"/v1/messages/{message.message_id}{path}", token=self.tokens[name])
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def read(self, message: MessageAccepted, name: str) -> Any:
        return await self.api.call("POST", f"/v1/messages/{message.message_id}/read", token=self.tokens[name])


@pytest.fixture
async def people(api: Api) -> People:
    made = People(api)
    await made.come()
    return made


async def test_without_a_recipient_it_goes_to_everyone_but_the_sender_where_each_is_reached(people: People) -> None:
    await people.begin("c-1", "whats", "insta", "inside", addresses=("telegram:5",))
    message = await people.send("c-1")
    assert message.recipient_id == ""
    assert dict(zip(message.recipients, message.recipient_users, strict=True)) == {
        "whatsapp:+5511999990000": people.ids["whats"],
        "instagram:@maria": people.ids["insta"],
        f"internal:{people.ids['inside']}": people.ids["inside"],
        "telegram:5": "",
    }


@pytest.mark.parametrize(
    ("name", "address"), [("whats", "whatsapp:+5511999990000"), ("insta", "instagram:@maria"), ("inside", None)]
)
async def test_a_user_is_reached_on_the_linked_channel_or_inside(people: People, name: str, address: str) -> None:
    message = await people.send("new", name)
    user_id = people.ids[name]
    assert (message.recipient_id, message.recipient_users) == (user_id, (user_id,))
    assert message.recipients == (address or f"internal:{user_id}",)
    shown = await people.show(message, name)
    assert (shown["recipient_id"], "deliveries" in shown) == (user_id, False)


async def test_of_several_identities_the_first_linked_counts_until_it_is_unlinked(people: People) -> None:
    people.api.clock.now_ms += 1_000
    await people.link("whats", "instagram", "@a_newer_one")
    assert (await people.send("c-1", "whats")).recipients == ("whatsapp:+5511999990000",)
    path = "/v1/users/identities/whatsapp/+5511999990000"
    assert (await people.api.call("DELETE", path, token=people.tokens["whats"])).status == 200
    assert (await people.send("c-1", "whats")).recipients == ("instagram:@a_newer_one",)


async def test_internal_before_a_user_id_means_the_user(people: People) -> None:
    message = await people.send("c-1", f"internal:{people.ids['inside'].upper()}")
    assert message.recipient_id == people.ids["inside"]


async def test_a_participant_who_linked_an_address_that_takes_part_too_gets_it_once(people: People) -> None:
    await people.begin("c-1", "whats", addresses=("whatsapp:+5511999990000",))
    message = await people.send("c-1")
    assert (message.recipients, message.recipient_users) == (("whatsapp:+5511999990000",), (people.ids["whats"],))


@pytest.mark.parametrize("recipient", [NOBODY, "user:nobody_here"])
async def test_a_message_for_nobody_is_refused_and_begins_no_conversation(people: People, recipient: object) -> None:
    answer = await people.post("c-1", recipient)
    assert answer.status == 400
    assert [error["field"] for error in (await answer.json(content_type=None))["errors"]] == ["recipient_id"]
    assert people.api.log.records == []
    assert people.api.conversations.members == {}


async def test_a_user_outside_the_conversation_cannot_be_written_to_in_it(people: People) -> None:
    await people.begin("c-1", "whats")
    assert (await people.post("c-1", "inside")).status == 400
    assert (await people.post("c-1", "whats", sender="inside")).status == 403
    assert (await people.post("c-1", sender="inside")).status == 403


async def test_in_a_batch_only_the_message_for_nobody_is_refused(people: People) -> None:
    await people.begin("c-1", "inside")
    bodies = [people.api.message("c-1", recipient_id=who) for who in (..., people.ids["whats"], "telegram:5")]
    answer = await people.api.call("POST", "/v1/messages/batch", {"messages": bodies}, people.tokens["sender"])
    assert [result["status"] for result in (await answer.json())["results"]] == [202, 400, 202]
    assert [message.recipients for message, _, _ in people.api.log.records] == [
        (f"internal:{people.ids['inside']}",),
        (),
    ]


async def test_while_cassandra_is_away_what_was_known_is_enough(people: People) -> None:
    await people.begin("c-1", "whats", "inside")
    known = await people.send("c-1")
    for store in (people.api.conversations, people.api.identities, people.api.users):
        store.available = False
    assert (await people.send("c-1")).recipients == known.recipients
    assert (await people.send("c-1", "telegram:5")).recipients == ()
    assert (await people.post("c-2")).status == 503


async def test_the_same_key_finds_the_same_message_though_somebody_has_joined(people: People) -> None:
    await people.begin("c-1", "inside")
    body = people.api.message("c-1", recipient_id=...)
    headers = {"Idempotency-Key": "k"}
    answers = []
    for _ in range(2):
        answers.append(await people.api.call("POST", "/v1/messages", body, people.tokens["sender"], headers=headers))
        await people.link("inside", "telegram", "@now_linked")
    assert [answer.status for answer in answers] == [202, 202]
    assert (await answers[0].json()) == (await answers[1].json())
    assert len(people.api.log.records) == 1


async def test_each_recipient_is_shown_and_one_word_for_all(people: People) -> None:
    await people.begin("c-1", "whats", "insta", "inside")
    message = await people.send("c-1")
    await people.routed(message)
    assert (await people.show(message))["status"] == "ACCEPTED"
    people.happens(message, "whatsapp:+5511999990000", "READ")
    people.happens(message, "instagram:@maria", "FAILED", "blocked")
    shown = await people.show(message)
    assert shown["recipient_id"] is None
    assert {one["recipient_id"]: (one["channel"], one["status"]) for one in shown["deliveries"]} == {
        people.ids["whats"]: ("whatsapp", "READ"),
        people.ids["insta"]: ("instagram", "FAILED"),
        people.ids["inside"]: ("internal", "SENT"),
    }
    assert (shown["status"], shown["read_at"], shown["failure"]) == ("SENT", None, None)
    assert "+5511999990000" not in str(shown), "what somebody linked is nobody else's business"
    assert (await people.read(message, "inside")).status == 200
    assert (await people.show(message))["status"] == "READ"
    listed = await people.api.call("GET", "/v1/messages?conversation_id=c-1", token=people.tokens["sender"])
    (row,) = (await listed.json())["messages"]
    assert (row["status"], "deliveries" in row) == ("READ", False)


async def test_a_message_that_failed_for_all_but_one_is_read_and_says_for_how_many(people: People) -> None:
    others = tuple(f"telegram:{number}" for number in range(100_000, 100_254))
    await people.begin("c-1", "inside", addresses=others)
    message = await people.send("c-1")
    accepted = {"ACCEPTED": 255, "SENT": 0, "DELIVERED": 0, "READ": 0, "FAILED": 0}
    assert (await people.show(message))["counts"] == accepted
    await people.routed(message)
    for address in others:
        people.happens(message, address, "FAILED", "blocked")
    assert (await people.read(message, "inside")).status == 200
    expected = {"ACCEPTED": 0, "SENT": 0, "DELIVERED": 0, "READ": 1, "FAILED": 254}
    shown = await people.show(message)
    assert (shown["status"], shown["counts"]) == ("READ", expected)
    assert [one["status"] for one in shown["deliveries"]].count("FAILED") == 254
    await people.api.mirror()
    await people.api.messages.write(
        [
            MirrorEntry(
                message.message_id,
                "c-1",
                people.position(message),
                None,
                [
                    Fact("READ", 5, recipient_id=f"internal:{people.ids['inside']}", recipient_count=255),
                    *(Fact("FAILED", 5, recipient_id=address, recipient_count=255) for address in others),
                ],
            )
        ]
    )
    for _ in ("from memory", "from the store"):
        listed = await people.api.call("GET", "/v1/messages?conversation_id=c-1", token=people.tokens["sender"])
        (row,) = (await listed.json())["messages"]
        assert (row["status"], row["counts"]) == ("READ", expected)
        path = f"/v1/messages/{message.message_id}/trace"
        trace = await (await people.api.call("GET", path, token=people.tokens["sender"])).json()
        assert (trace["status"], trace["counts"]) == ("READ", expected)
        people.api.forget_recent()


async def test_a_message_to_one_has_no_counts(people: People) -> None:
    message = await people.send("c-1", "inside")
    await people.routed(message)
    assert (await people.show(message)).get("counts") is None


async def test_reading_is_told_at_once_and_the_first_time_stays(people: People) -> None:
    message = await people.send("c-1", "inside")
    await people.routed(message)
    first = await (await people.read(message, "inside")).json()
    assert (first["message_id"], first["status"]) == (message.message_id, "READ")
    assert (await people.show(message))["read_at"] == first["read_at"]
    people.api.clock.now_ms += 5_000
    assert await (await people.read(message, "inside")).json() == first
    assert len(people.api.log.facts) == 1


async def test_what_another_process_was_told_before_counts(people: People) -> None:
    message = await people.send("c-1", "inside")
    position = people.position(message)
    earlier = StatusChanged(
        message.message_id,
        "c-1",
        "READ",
        position.accepted_at_ms + 1,
        position.accepted_at_ms,
        position.offset,
        "internal",
    )
    people.api.tailer.unseen_facts.append(earlier)
    people.api.clock.now_ms += 5_000
    assert (await (await people.read(message, "inside")).json())["timestamp"] == position.accepted_at_ms + 1
    assert people.api.log.facts == []


async def test_who_reads_sees_that_whichever_process_answers(people: People) -> None:
    message = await people.send("c-1", "inside")
    position = people.position(message)
    read = StatusChanged(message.message_id, "c-1", "READ", 9, position.accepted_at_ms, position.offset, "internal")
    people.api.tailer.unseen_facts.append(read)
    assert (await people.show(message, "inside"))["status"] == "READ"


async def test_only_a_recipient_can_have_read_it(people: People) -> None:
    await people.begin("c-1", "whats", "inside")
    message = await people.send("c-1", "inside")
    assert (await people.read(message, "sender")).status == 403
    assert (await people.read(message, "whats")).status == 403
    assert (await people.read(message, "insta")).status == 404
    assert people.api.log.facts == []


async def test_who_linked_the_address_it_went_to_may_say_so_too(people: People) -> None:
    await people.begin("c-1", "whats")
    message = await people.send("c-1", "whatsapp:+5511999990000")
    assert (await people.read(message, "whats")).status == 200
    assert (await people.show(message))["status"] == "READ"


async def test_what_failed_cannot_be_read(people: People) -> None:
    message = await people.send("c-1", "whats")
    people.happens(message, "whatsapp:+5511999990000", "FAILED", "blocked")
    answer = await people.read(message, "whats")
    assert answer.status == 409
    assert "blocked" in (await answer.json(content_type=None))["error"]


async def test_reading_without_kafka_is_told_to_be_tried_again(people: People) -> None:
    message = await people.send("c-1", "inside")
    people.api.log.available = False
    assert (await people.read(message, "inside")).status == 503
    assert (await people.show(message))["status"] == "ACCEPTED"


async def test_a_trace_tells_what_is_on_record_and_where(people: People) -> None:
    await people.begin("c-1", "whats", "inside")
    message = await people.send("c-1")
    await people.routed(message)
    people.happens(message, "whatsapp:+5511999990000", "FAILED", "blocked")
    trace = await people.show(message, path="/trace")
    position = people.position(message)
    first, *later = trace["events"]
    assert (first["event"], first["topic"], first["offset"]) == ("ACCEPTED", "messages", position.offset)
    assert first["timestamp"] == position.accepted_at_ms
    assert {(e["event"], e["topic"], e["recipient_id"], e["attempt"], e["provider_status"]) for e in later} == {
        ("SENT", "status-updates", people.ids["inside"], None, None),
        ("FAILED", "status-updates", people.ids["whats"], 1, "blocked"),
    }
    assert "+5511999990000" not in str(trace)


async def test_an_address_that_two_users_link_is_nobodys_until_one_unlinks_it(api: Api) -> None:
    people = People(api)
    await people.come()
    await people.begin("g-1", "whats", "insta", "inside")
    await people.link("inside", "whatsapp", "+5511999990000")
    message = await people.send("g-1", None)
    inside = {f"internal:{people.ids[name]}" for name in ("whats", "inside")}
    assert set(message.recipients) == {*inside, "instagram:@maria"}
    api.clock.now_ms += 1
    await people.link("whats", "telegram", "@whats")
    message = await people.send("g-1", "whats")
    assert message.recipients == ("telegram:@whats",)
    path = "/v1/users/identities/whatsapp/+5511999990000"
    assert (await api.call("DELETE", path, token=people.tokens["inside"])).status == 200
    await people.link("whats", "telegram", "@other")  # what is known of one's own links is asked for anew
    message = await people.send("g-1", "whats")
    assert message.recipients == ("whatsapp:+5511999990000",)


async def test_who_links_an_address_that_another_links_reads_nothing_for_its_owner(api: Api) -> None:
    people = People(api)
    await people.come()
    await people.begin("c-1", "inside", addresses=("whatsapp:+5511999990000",))
    await people.link("inside", "whatsapp", "+5511999990000")
    message = await people.send("c-1", "whatsapp:+5511999990000")
    path = f"/v1/messages/{message.message_id}/read"
    assert (await api.call("POST", path, token=people.tokens["inside"])).status == 403


@pytest.mark.parametrize(
    ("address", "longest", "says"),
    [
        ("instagram:@joao", 999, "instagram takes at most 999 bytes"),
        ("whatsapp:+5511988887777", 4096, "whatsapp takes at most 4096 characters"),
        ("telegram:5", 4096, "telegram takes at most 4096 characters"),
    ],
)
async def test_a_text_over_the_channels_limit_is_a_400_and_one_at_the_limit_is_not(
    api: Api, address: str, longest: int, says: str
) -> None:
    people = People(api)
    await people.come()
    await people.begin("g-1", "inside", addresses=(address,))
    for recipient in (address, None):  # the address by name, and among everyone
        answer = await people.post("g-1", recipient, content="x" * (longest + 1))
        assert answer.status == 400
        (error,) = (await answer.json(content_type=None))["errors"]
        assert error["field"] == "content"
        assert says in error["detail"]
        assert (await people.send("g-1", recipient, content="x" * longest)).content == "x" * longest
    long = api.message("g-1", recipient_id=address, content="x" * (longest + 1))
    short = api.message("g-1", recipient_id=address, content="x")
    answer = await api.call("POST", "/v1/messages/batch", [long, short], people.tokens["sender"])
    assert [one["status"] for one in (await answer.json())["results"]] == [400, 202]


async def test_a_text_refused_for_its_length_begins_no_conversation(api: Api) -> None:
    people = People(api)
    await people.come()
    assert (await people.post("new-1", "instagram:@joao", content="x" * 1000)).status == 400
    assert await api.conversations.participants("new-1") is None


async def test_a_users_own_link_limits_nobodys_texts_it_is_read_inside(api: Api) -> None:
    people = People(api)
    await people.come()
    await people.begin("g-1", "insta", "whats")
    message = await people.send("g-1", None, content="x" * 1000)
    inside = f"internal:{people.ids['insta']}"
    assert dict(zip(message.recipients, message.recipient_users, strict=True)) == {
        inside: people.ids["insta"],
        "whatsapp:+5511999990000": people.ids["whats"],
    }
    assert (await people.send("g-1", "insta", content="x" * 1000)).recipients == (inside,)
    assert (await people.send("g-1", "insta", content="x" * 999)).recipients == ("instagram:@maria",)
