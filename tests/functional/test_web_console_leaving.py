"""The console's scripts on a small document: a user who leaves, a full or damaged storage, an upload that ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.console import COMPOSER, copied, played

scripts = pytest.fixture(scope="module")(copied)
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node runs the scripts; it is not installed")

SIGN_OUT = """
const { forgetOutgoing } = await load("outgoing.js");
const signOut = (isTold) => {
  made.close();
  for (const name of Object.keys(sessionStorage)) sessionStorage.removeItem(name);
  api.me = undefined;
  isTold && forgetOutgoing();
};
"""


@pytest.mark.parametrize("is_told", [True, False], ids=["signed-out", "session-over"])
@pytest.mark.parametrize("how", ["answered(0, 'm-1')", "refused(0, 0)", "refused(0, 403)"])
def test_what_a_user_left_behind_is_neither_sent_nor_seen_by_the_next(scripts: Path, how: str, is_told: bool) -> None:
    found = played(
        scripts,
        COMPOSER
        + SIGN_OUT
        + f"""
        await enter("one"); await enter("secret"); type(text, "a draft");
        signOut({str(is_told).lower()});
        api.me = "u-2";
        const next = composer(model, api, "c-1", []);
        await {how};
        next.element.requestSubmit(); await settled();
        const later = composer(model, api, "c-1", []);
        const shown = (one) => [one.element.all("textarea")[0].value, one.element.all("li").length];
        return {{ posted: posted(), texts: [next, later].flatMap(shown), kept: Object.keys(sessionStorage) }};
        """,
    )
    assert found == {"posted": ["one"], "texts": ["", 0, "", 0], "kept": []}


def test_what_waited_when_a_session_was_over_goes_when_its_user_is_back(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + SIGN_OUT
        + """
        await enter("one"); await enter("two");
        signOut(false); await refused(0, 401);
        api.me = "u-1";
        const next = composer(model, api, "c-1", []);
        await settled(); await answered(1, "m-1"); await answered(2, "m-2");
        return { posted: posted(), keys: new Set(api.posted.map(({ key }) => key)).size };
        """,
    )
    assert found == {"posted": ["one", "one", "two"], "keys": 2}


def test_a_first_message_does_not_lead_the_next_user_to_its_conversation(scripts: Path) -> None:
    found = played(
        scripts,
        """
        const { newMessageView } = await load("new.js");
        const begun = [], api = new Calls(), form = newMessageView({ begin: (id) => begun.push(id) }, api).element;
        form.all("input")[0].value = "telegram:1"; form.all("textarea")[0].value = "hello";
        form.requestSubmit(); await settled();
        form.dispatchEvent(new Event("input"));
        form.requestSubmit(); await settled(); // while it is on its way, also after something was typed
        api.me = "u-2"; location.hash = "#/";
        api.posted[0].answer({ conversation_id: "c-1" }); await settled();
        return { hash: location.hash, begun, posted: api.posted.length };
        """,
    )
    assert found == {"hash": "#/", "begun": [], "posted": 1}


FULL = "sessionStorage.setItem = () => { throw new Error('QuotaExceededError'); };"
GARBAGE = """
for (const name of ["outgoing.u-1.c-1", "draft.u-1.c-1", "key.new"])
  sessionStorage.setItem(`chat4all.${name}`, GARBAGE);
"""


@pytest.mark.parametrize(
    "before", [FULL, *(GARBAGE.replace("GARBAGE", repr(one)) for one in ("{oops", "null", "7", "[null, 7, {}]"))]
)
def test_a_full_or_damaged_storage_stops_nothing_and_doubles_nothing(scripts: Path, before: str) -> None:
    found = played(
        scripts,
        before
        + COMPOSER
        + """
        text.value = "";
        await enter("one"); await enter("two"); await answered(0, "m-1"); await answered(1, "m-2");
        const { newMessageView } = await load("new.js");
        const form = newMessageView({ begin: () => {} }, api).element;
        form.all("input")[0].value = "telegram:1"; form.all("textarea")[0].value = "first";
        form.requestSubmit(); await settled();
        return posted();
        """,
    )
    assert found == ["one", "two", "first"]


def test_words_with_a_file_are_in_the_text_after_a_reload(scripts: Path) -> None:
    found = played(
        scripts,
        """
        const words = [{ content: "see this" }, { content: "and this", key: "k-1" }];
        sessionStorage.setItem("chat4all.outgoing.u-1.c-1", JSON.stringify(words));
        """
        + COMPOSER
        + """
        await settled();
        return { text: text.value, posted: posted() };
        """,
    )
    assert found == {"text": "see this", "posted": ["and this"]}


def test_a_message_whose_upload_has_ended_lets_those_behind_it_go(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + """
        const { outgoingOf } = await load("outgoing.js");
        const result = Promise.reject(Object.assign(new Error("gone"), { status: 0 }));
        outgoingOf(api, "c-1").add({ content: "see this", reply: null, attached: { result, close() {} } });
        const kept = Object.keys(sessionStorage).map((name) => sessionStorage.getItem(name));
        await enter("two");
        const then = { text: text.value, kept: kept.map((one) => JSON.parse(one)), waiting: waiting() };
        await enter(""); await settled();
        return { ...then, posted: posted() };
        """,
    )
    assert found["kept"] == [[{"content": "see this"}]], "the words outlive a reload, the file does not"
    assert (found["text"], found["waiting"]) == ("see this", ["two"])


def test_what_waits_in_a_conversation_that_was_left_goes_when_the_network_is_back(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + """
        await enter("one"); await enter("two");
        made.close();
        await refused(0, 0);
        const before = posted();
        dispatchEvent(new Event("online")); await settled();
        await answered(1, "m-1"); await answered(2, "m-2");
        return { before, posted: posted(), sent, kept: Object.keys(sessionStorage) };
        """,
    )
    assert found == {"before": ["one"], "posted": ["one", "one", "two"], "sent": ["one", "two"], "kept": []}


def test_a_try_that_was_under_way_when_the_network_came_back_is_made_once_more(scripts: Path) -> None:
    found = played(
        scripts,
        COMPOSER
        + """
        await enter("one");
        dispatchEvent(new Event("online")); await settled();
        await refused(0, 0); const again = posted();
        await refused(1, 0);
        return { again, posted: posted(), keys: new Set(api.posted.map(({ key }) => key)).size, waiting: waiting() };
        """,
    )
    assert found == {"again": ["one", "one"], "posted": ["one", "one"], "keys": 1, "waiting": ["one"]}
