"""Scenarios over the console's scripts, on a small document of Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from web.console.files import FOLDER

HARNESS = Path(__file__).parent / "console.mjs"
SECONDS = 60.0

# The composer of a conversation, and what its tests do with it.
COMPOSER = """
const { composer } = await load("compose.js");
const api = new Calls(), sent = [], model = { sent: async (id, message) => sent.push(message.content) };
api.me = "u-1";
const made = composer(model, api, "c-1", []);
const [text] = made.element.all("textarea");
const waiting = () => made.element.all("li").map((one) => one.children[1].textContent);
const fault = () => made.element.all("p")[0].textContent;
const enter = async (words) => { type(text, words); press(text, "Enter"); await settled(); };
const answered = async (n, id) => { api.posted[n].answer({ message_id: id }); await settled(); };
const refused = async (n, status) => {
  api.posted[n].refuse(Object.assign(new Error("no"), { status })); await settled();
};
const posted = () => api.posted.map(({ body }) => body.content);
"""


def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the scripts, which Node takes for modules; to be made a fixture."""
    folder = tmp_path_factory.mktemp("console")
    for script in FOLDER.glob("*.js"):
        shutil.copy(script, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def played(scripts: Path, scenario: str) -> Any:
    """Return what the scenario, the body of an async function, returns. ``console.mjs`` says what it can use."""
    done = subprocess.run(
        ["node", str(HARNESS), str(scripts), scenario], capture_output=True, check=False, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
