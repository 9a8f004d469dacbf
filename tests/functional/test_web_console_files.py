"""The console's uploads: they go on after a break, with a new token, and after a reload."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.console import copied, played

SERVER = """
// a tus server that keeps `kept` bytes of a file of 10; `faults`: what happens to the next calls
const calls = [], faults = [];
let kept = null, answersWith = "f-1";
globalThis.XMLHttpRequest = class {
  upload = {};
  headers = {};
  open(method, path) { Object.assign(this, { method, path }); }
  setRequestHeader(name, value) { this.headers[name] = value; }
  getResponseHeader(name) { return { Location: `/v1/uploads/${answersWith}`, "Upload-Offset": String(kept) }[name]; }
  abort() { this.onabort?.(); }
  send(body) {
    const { "Upload-Offset": offset = "", Authorization: token } = this.headers;
    calls.push([this.method, offset, token].filter((word) => word !== "").join(" "));
    const fault = faults.shift();
    if (fault?.status) return this.#answer(fault.status);
    if (this.method === "POST") kept = 0;
    if (this.method === "HEAD" && kept === null) return this.#answer(404);
    if (this.method === "PATCH") {
      kept = fault ? kept + fault.bytes : 10;
      this.upload.onprogress?.({ loaded: fault?.bytes ?? body.size });
    }
    if (fault) return this.onerror();
    this.#answer({ POST: 201, HEAD: 200, PATCH: 204, DELETE: 204 }[this.method]);
  }
  #answer(status) { Object.assign(this, { status, responseText: "{}" }); this.onload(); }
};
globalThis.setTimeout = ((after) => (done, ms) => after(done, 0))(setTimeout);
const file = { name: "a.txt", size: 10, lastModified: 1, slice: (from) => ({ size: 10 - from }) };
const { Upload } = await load("uploads.js");
const api = { token: "t", authorized: (call) => call() };
"""

scripts = pytest.fixture(scope="module")(copied)
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node runs the scripts; it is not installed")


def test_an_upload_that_breaks_off_goes_on_from_where_the_server_stands(scripts: Path) -> None:
    found = played(
        scripts,
        SERVER
        + """
        faults.push(undefined, { bytes: 4 });
        const upload = new Upload(api, "c-1", file);
        return { id: await upload.result, calls, state: upload.state, share: upload.share };
        """,
    )
    assert found["calls"] == ["POST Bearer t", "PATCH 0 Bearer t", "HEAD Bearer t", "PATCH 4 Bearer t"]
    assert (found["id"], found["state"], found["share"]) == ("f-1", "done", 1)


def test_the_same_file_chosen_again_after_a_reload_goes_on(scripts: Path) -> None:
    found = played(
        scripts,
        SERVER
        + """
        faults.push(undefined, { bytes: 3 });
        const first = new Upload(api, "c-1", file);
        await new Promise((done) => first.addEventListener("change", () => first.state === "waiting" && done()));
        first.pause();
        calls.length = 0;
        const second = new Upload(api, "c-1", { ...file });
        return { id: await second.result, calls, kept: Object.keys(sessionStorage) };
        """,
    )
    assert found == {"id": "f-1", "calls": ["HEAD Bearer t", "PATCH 3 Bearer t"], "kept": []}


def test_an_upload_that_the_server_has_forgotten_begins_anew(scripts: Path) -> None:
    found = played(
        scripts,
        SERVER
        + """
        sessionStorage.setItem('chat4all.upload.["c-1","a.txt",10,1]', "f-0");
        const upload = new Upload(api, "c-1", file);
        return { id: await upload.result, calls };
        """,
    )
    assert found == {"id": "f-1", "calls": ["HEAD Bearer t", "POST Bearer t", "PATCH 0 Bearer t"]}


def test_an_upload_goes_on_with_a_new_access_token(scripts: Path) -> None:
    found = played(
        scripts,
        SERVER
        + """
        globalThis.fetch = async () => ({ ok: true, text: async () => '{"access_token":"new"}' });
        sessionStorage.setItem("chat4all.session", '{"access_token":"old","refresh_token":"r"}');
        const { Api } = await load("api.js");
        faults.push(undefined, { status: 401 });
        const upload = new Upload(new Api(), "c-1", file);
        return { id: await upload.result, calls };
        """,
    )
    assert found["id"] == "f-1"
    assert found["calls"] == ["POST Bearer old", "PATCH 0 Bearer old", "HEAD Bearer new", "PATCH 0 Bearer new"]


def test_a_refusal_is_final_and_a_cancelled_upload_is_removed_at_the_server(scripts: Path) -> None:
    found = played(
        scripts,
        SERVER
        + """
        faults.push({ status: 413 });
        const refused = await new Upload(api, "c-1", file).result.catch((error) => error.status);
        const many = calls.length;
        faults.push(undefined, { bytes: 2 });
        const upload = new Upload(api, "c-1", file);
        await new Promise((done) => upload.addEventListener("change", () => upload.state === "waiting" && done()));
        upload.cancel();
        const why = await upload.result.catch((error) => error.message);
        return { refused, many, why, last: calls.at(-1), kept: Object.keys(sessionStorage) };
        """,
    )
    assert found == {"refused": 413, "many": 1, "why": "cancelled", "last": "DELETE Bearer t", "kept": []}
