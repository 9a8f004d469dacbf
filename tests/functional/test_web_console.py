"""The console's page and files over HTTP."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from app.settings import InvalidSetting
from support.api import Api
from web.console.files import FOLDER, PAGE, console_files, policy

MOST_BYTES = 250_000
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.js"))


async def test_the_page_comes_with_a_policy_that_lets_in_nothing_foreign(api: Api) -> None:
    answer = await api.session.get("/")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


async def test_each_file_that_the_page_and_its_scripts_name_is_served(api: Api) -> None:
    page = await (await api.session.get("/")).text()
    names = set(re.findall(r'"console/([^"]+)"', page))
    for script in SCRIPTS:
        text = (FOLDER / script).read_text()
        names |= set(re.findall(r'from "\./([^"]+)"', text)) | set(re.findall(r'"console/([^"]+)"', text))
    assert {"app.js", "style.css", "icon.svg", "model.js"} <= names
    for name in sorted(names):
        answer = await api.session.get(f"/console/{name}")
        assert answer.status == 200, name
        again = await api.session.get(f"/console/{name}", headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status == 304


@pytest.mark.parametrize("name", ["files.py", "__init__.py", "..%2ffiles.py", "none.js", "%00"])
async def test_nothing_else_is_served(api: Api, name: str) -> None:
    assert (await api.session.get(f"/console/{name}")).status in (400, 404)


def test_the_page_and_all_its_files_are_small() -> None:
    assert sum(len(file.body) for file in console_files().values()) < MOST_BYTES


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8090; script-src *", "javascript:1", "http://a/b", "'unsafe-inline'"]
)
def test_the_telephones_address_cannot_widen_the_policy(url: str) -> None:
    with pytest.raises(InvalidSetting):
        policy(url)


def test_the_page_names_the_telephones_and_may_frame_them() -> None:
    url = "http://127.0.0.1:8090"
    assert f'content="{url}"'.encode() in console_files(url)[PAGE].body
    assert f"frame-src {url};" in policy(url)
    assert "frame-src 'none';" in policy()


def test_no_script_makes_markup_of_text() -> None:
    for script in SCRIPTS:
        text = (FOLDER / script).read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), script


def test_both_languages_have_the_same_words() -> None:
    text = (FOLDER / "words.js").read_text()
    table = text.partition("export const LANGUAGE_KEY")[0]
    english, portuguese = (set(re.findall(r"(\w+): \"", part)) for part in table.split("pt: {"))
    assert english == portuguese


def test_each_word_that_a_script_says_is_there() -> None:
    known = set(re.findall(r"(\w+): \"", (FOLDER / "words.js").read_text()))
    for script in SCRIPTS:
        said = set(re.findall(r'say\("(\w+)"\)', (FOLDER / script).read_text()))
        assert said <= known, script


@pytest.mark.skipif(shutil.which("node") is None, reason="node checks the syntax; it is not installed")
@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_can_be_parsed(script: str) -> None:
    source = (FOLDER / script).read_bytes()
    checked = subprocess.run(
        ["node", "--check", "--input-type=module", "-"], input=source, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr.decode()
