"""The console's scripts on a small document: what is written goes out once, and nothing that is typed gets lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.console import copied, played

COMPOSER = """
const { composer } = await load("compose.js");
const api = new Calls(), sent = [];
const made = composer({ sent: async (id, message) => sent.push(message.content) }, api, "c-1", []);
const [text] = made.element.all("textarea"), fault = made.element.children[1];
"""

scripts = pytest.fixture(scope="module")(copied)
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node runs the scripts; it is not installed")


def test_what_is_typed_during_a_send_belongs_to_the_next_message(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + """
        type(text, "hello"); press(text, "Enter"); await settled();
        type(text, " again"); press(text, "Enter"); await settled();
        const during = api.posted.length;
        api.posted[0].answer({ message_id: "m-1" }); await settled();
        const left = text.value, draft = sessionStorage.getItem("chat4all.draft.c-1");
        press(text, "Enter"); await settled();
        return { during, left, draft, bodies: api.posted.map(({ body }) => body.content), sent };
        """,
    )
    assert found["during"] == 1, "a second Enter sends nothing while the first is on its way"
    assert found["left"] == found["draft"] == " again"
    assert found["bodies"] == ["hello", " again"]
    assert found["sent"] == ["hello"]


def test_another_try_has_the_same_key_and_another_message_another_one(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + """
        const enter = async () => { press(text, "Enter"); await settled(); };
        const error = Object.assign(new Error("no"), { status: 503 });
        const failed = async (n) => { api.posted[n].refuse(error); await settled(); };
        type(text, "hello"); await enter(); await failed(0);
        const kept = text.value;
        await enter(); await failed(1);
        made.replyTo({ message_id: "m-0", content: "what?" });
        await enter(); api.posted[2].answer({ message_id: "m-1" }); await settled();
        return { kept, keys: api.posted.map(({ key }) => key), left: text.value, fault: fault.textContent };
        """,
    )
    first, again, answering = found["keys"]
    assert found["kept"] == "hello"
    assert first == again
    assert answering != first, "with a quotation it is another message, and the key would be refused"
    assert (found["left"], found["fault"]) == ("", "")


def test_a_draft_that_is_sent_again_after_a_reload_is_the_same_message(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + """
        type(text, "hello"); press(text, "Enter"); await settled();
        const [later] = composer({ sent: async () => {} }, api, "c-1", []).element.all("textarea");
        press(later, "Enter"); await settled();
        for (const { answer } of api.posted) answer({ message_id: "m-1" });
        await settled();
        type(later, "hello"); press(later, "Enter"); await settled();
        return api.posted.map(({ body, key }) => [body.content, key]);
        """,
    )
    assert [content for content, _ in found] == ["hello"] * 3
    first, again, another = (key for _, key in found)
    assert first == again
    assert another != first, "the same words are another message once the first one was accepted"


def test_the_first_message_of_a_conversation_is_sent_once(scripts: Path) -> None:
    found = played(
        scripts,
        """
        const { newMessageView } = await load("new.js");
        const begun = [], model = { begin: (id, party) => begun.push([id, party.address]) };
        const api = new Calls(), form = newMessageView(model, api).element;
        form.all("input")[0].value = "telegram:1"; form.all("textarea")[0].value = "hello";
        const submit = async () => { form.requestSubmit(); await settled(); };
        await submit(); await submit();
        const during = api.posted.length;
        api.posted[0].refuse(Object.assign(new Error(), { status: 0 })); await settled();
        await submit();
        api.posted[1].answer({ conversation_id: "c-1" }); await settled();
        return { during, keys: api.posted.map(({ key }) => key), hash: location.hash, begun };
        """,
    )
    assert found["during"] == 1
    assert len(found["keys"]) == 2
    assert found["keys"][0] == found["keys"][1], "the server may have it though it did not answer"
    assert found["hash"] == "#/c/c-1"
    assert found["begun"] == [["c-1", "telegram:1"]], "the conversation has its title before it is mirrored"


def test_a_page_that_begins_anew_while_it_loads_opens_one_connection(scripts: Path) -> None:
    found = played(
        scripts,
        """
        const sockets = [], waiting = [];
        globalThis.WebSocket = class { constructor(url) { sockets.push(String(url)); } close() {} };
        globalThis.fetch = () => new Promise((answer) => waiting.push(answer));
        sessionStorage.setItem("chat4all.session", '{"access_token":"t","refresh_token":"r"}');
        await load("app.js");
        const buttons = document.getElementById("app").all("button");
        const language = buttons.find((one) => one.textContent === "Português");
        language.dispatchEvent(new Event("click"));
        for (const answer of waiting) answer({ ok: true, text: async () => '{"conversations":[],"pagination":{}}' });
        await settled();
        setTimeout(() => process.exit(0), 100);
        return [waiting.length, sockets.length];
        """,
    )
    assert found == [2, 1]


def test_a_connection_that_answers_no_ping_is_closed(scripts: Path) -> None:
    found = played(
        scripts,
        """
        const { Live } = await load("live.js"), deeds = [];
        let tick, socket;
        globalThis.setInterval = (each) => { tick = each; };
        globalThis.WebSocket = class {
          static OPEN = 1;
          readyState = 1;
          constructor() { socket = this; }
          send(text) { deeds.push(text); }
          close() { deeds.push("close"); }
        };
        new Live({ token: "t", isSignedIn: true }).start();
        tick(); socket.onmessage({ data: '{"type":"pong"}' });
        tick(); tick();
        return deeds;
        """,
    )
    assert found == ['{"type":"ping"}', '{"type":"ping"}', "close"]


def test_after_a_gap_the_last_messages_are_read_anew(scripts: Path) -> None:
    found = played(
        scripts,
        """
        const { Model } = await load("model.js");
        let last = { message_id: "m-1", timestamp: 1 };
        const get = async (path) => path.endsWith("messages")
          ? { messages: [last], pagination: {} } : { conversations: [{ conversation_id: "c-1" }], pagination: {} };
        const model = new Model({ me: "u", get });
        await model.load();
        const look = async () => { model.wantLast(model.conversations.get("c-1")); await settled(); };
        await look();
        last = { message_id: "m-2", timestamp: 2 };
        await model.take({ type: "resync_required" });
        await look();
        return model.conversations.get("c-1").last.message_id;
        """,
    )
    assert found == "m-2"


def test_a_reaction_that_came_before_its_message_is_shown_once(scripts: Path) -> None:
    found = played(
        scripts,
        """
        const { Model } = await load("model.js");
        const by = { user_id: "u2" }, target = { message_id: "m-1", timestamp: 1, reactions: [{ emoji: "❤", by }] };
        const reaction = { message_id: "m-2", timestamp: 2, kind: "reaction" };
        reaction.reaction = { message_id: "m-1", emoji: "❤" };
        const get = async (path) => path.endsWith("messages")
          ? { messages: [reaction, target], pagination: { next_cursor: null } } : { conversation_id: "c-1" };
        const model = new Model({ me: "u", get });
        await model.take({ type: "new_message", conversation_id: "c-1", sender_id: "u2", sender: by, ...reaction });
        await model.loadMessages("c-1");
        return model.conversations.get("c-1").messages.map((message) => message.message_id);
        """,
    )
    assert found == ["m-1"]


def test_after_signing_out_nothing_of_the_user_stays_but_the_language(scripts: Path) -> None:
    found = played(
        scripts,
        """
        globalThis.fetch = async () => ({ ok: true, text: async () => "{}" });
        sessionStorage.setItem("chat4all.session", '{"access_token":"t","refresh_token":"r"}');
        for (const name of ["draft.c-1", "key.c-1", "upload.x"]) sessionStorage.setItem(`chat4all.${name}`, "secret");
        localStorage.setItem("chat4all.seen.u", "[]");
        localStorage.setItem("chat4all.language", "pt");
        const { Api } = await load("api.js");
        await new Api().signOut();
        return [Object.keys(sessionStorage), Object.keys(localStorage)];
        """,
    )
    assert found == [[], ["chat4all.language"]]


def test_a_first_load_that_fails_is_tried_again_until_it_works(scripts: Path) -> None:
    found = played(
        scripts,
        """
        const sockets = [];
        let asked = 0;
        globalThis.setTimeout = ((after) => (done) => after(done, 0))(setTimeout);
        globalThis.WebSocket = class { constructor(url) { sockets.push(String(url)); } close() {} };
        globalThis.fetch = async (path) => {
          asked += 1;
          if (asked < 4) throw new TypeError("no route");
          return { ok: true, text: async () => '{"conversations":[],"pagination":{}}' };
        };
        sessionStorage.setItem("chat4all.session", '{"access_token":"t","refresh_token":"r"}');
        await load("app.js");
        for (let n = 0; n < 30 && !sockets.length; n += 1) await settled();
        setTimeout(() => process.exit(0), 100);
        return { asked, sockets: sockets.length };
        """,
    )
    assert found == {"asked": 4, "sockets": 1}


def test_an_address_that_is_no_encoding_is_taken_as_it_stands(scripts: Path) -> None:
    found = played(
        scripts,
        """
        globalThis.location.hash = "#/new/%";
        globalThis.WebSocket = class { close() {} };
        globalThis.fetch = async () => ({ ok: true, text: async () => '{"conversations":[],"pagination":{}}' });
        sessionStorage.setItem("chat4all.session", '{"access_token":"t","refresh_token":"r"}');
        await load("app.js");
        await settled(); await settled();
        setTimeout(() => process.exit(0), 100);
        return document.getElementById("view").all("input").find((one) => one.id === "to").value;
        """,
    )
    assert found == "%"
