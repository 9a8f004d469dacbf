"""The console's scripts on a small document: what is written goes out once, and nothing that is typed gets lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.console import COMPOSER, copied, played

scripts = pytest.fixture(scope="module")(copied)
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node runs the scripts; it is not installed")


def test_messages_leave_the_text_at_once_and_go_out_one_after_the_other(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + """
        await enter("one"); await enter("two"); await enter("three");
        type(text, "a draft");
        const during = { posted: posted(), waiting: waiting(), text: text.value };
        await answered(0, "m-1"); await answered(1, "m-2"); await answered(2, "m-3");
        const kept = Object.keys(sessionStorage);
        return { during, posted: posted(), sent, waiting: waiting(), text: text.value, kept };
        """,
    )
    assert found["during"] == {"posted": ["one"], "waiting": ["one", "two", "three"], "text": "a draft"}
    assert found["posted"] == found["sent"] == ["one", "two", "three"]
    assert (found["waiting"], found["text"]) == ([], "a draft")
    assert found["kept"] == ["chat4all.draft.u-1.c-1"]


def test_what_was_not_answered_waits_in_its_order_and_another_try_has_the_same_key(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + """
        await enter("one"); await enter("two"); await refused(0, 503);
        const held = { waiting: waiting(), fault: fault() };
        press(text, "Enter"); await settled(); await refused(1, 0);
        await enter("three"); await answered(2, "m-1"); await answered(3, "m-2"); await answered(4, "m-3");
        return { held, posted: posted(), keys: api.posted.map(({ key }) => key), sent, fault: fault() };
        """,
    )
    assert found["held"] == {"waiting": ["one", "two"], "fault": "no"}
    assert found["posted"] == ["one", "one", "one", "two", "three"]
    assert len(set(found["keys"][:3])) == 1, "the server may have it though it did not answer"
    assert len(set(found["keys"])) == 3
    assert (found["sent"], found["fault"]) == (["one", "two", "three"], "")


def test_what_was_refused_is_in_the_text_again_and_the_next_waits(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + """
        await enter("one"); await enter("two"); type(text, "three");
        await refused(0, 422);
        const draft = JSON.parse(sessionStorage.getItem("chat4all.draft.u-1.c-1"));
        return { text: text.value, waiting: waiting(), draft, posted: posted(), fault: fault() };
        """,
    )
    assert found["text"] == found["draft"] == "one\nthree"
    assert (found["waiting"], found["posted"], found["fault"]) == (["two"], ["one"], "no")


def test_a_message_that_waits_is_taken_back(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + """
        await enter("one"); await enter("two");
        const back = (n) => made.element.all("li")[n].all("button")[0].dispatchEvent(new Event("click"));
        back(0); back(1);
        const left = waiting();
        await answered(0, "m-1");
        return { left, posted: posted() };
        """,
    )
    assert found == {"left": ["one"], "posted": ["one"]}, "but for the one that is on its way"


def test_what_is_on_its_way_goes_on_after_a_reload_with_its_key(scripts: Path) -> None:
    found = played(
        scripts,
        """
        const before = [{ content: "one", reply: null, key: "k-1" }];
        sessionStorage.setItem("chat4all.outgoing.u-1.c-1", JSON.stringify(before));
        """
        + COMPOSER
        + """
        const shown = waiting();
        await settled(); await answered(0, "m-1");
        return { shown, keys: api.posted.map(({ key }) => key), kept: Object.keys(sessionStorage) };
        """,
    )
    assert found == {"shown": ["one"], "keys": ["k-1"], "kept": []}


def test_what_is_on_its_way_goes_on_while_another_conversation_is_open(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + """
        await enter("one"); await enter("two");
        made.close();
        const later = composer(model, api, "c-1", []);
        const shown = later.element.all("li").length;
        await answered(0, "m-1"); await answered(1, "m-2");
        return { shown, posted: posted(), left: later.element.all("li").length };
        """,
    )
    assert found == {"shown": 2, "posted": ["one", "two"], "left": 0}


def test_what_fails_after_its_page_was_left_is_told_on_the_next_one(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + """
        await enter("one");
        made.close();
        const later = composer(model, api, "c-1", []);
        await refused(0, 0);
        const told = later.element.all("p")[0].textContent, submit = later.element.all("button").at(-1);
        const isReady = !submit.disabled;
        later.element.requestSubmit(); await settled(); await answered(1, "m-1");
        return { told, isReady, posted: posted(), sent };
        """,
    )
    assert "does not answer" in found["told"]
    assert found["isReady"], "an empty text may be sent: what waits goes"
    assert (found["posted"], found["sent"]) == (["one", "one"], ["one"])


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
