"""What the console says of a refused call, in both languages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from domain import errors
from support.console import copied, played
from web import errors as web_errors

scripts = pytest.fixture(scope="module")(copied)
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node runs the scripts; it is not installed")

# codes that a page never meets: of other clients, of workers, of the protocol
OF_OTHERS = {
    "delivery-failed",
    "idempotency-key-reused",
    "malformed-record",
    "not-deliverable",
    "unsupported-content-encoding",
    "unsupported-media-type",
    "unsupported-transfer-coding",
    "unsupported-tus-version",
    "upgrade-required",
    "wrong-offset",
}


def said(scripts: Path, language: str, code: str, detail: str) -> str:
    found: str = played(
        scripts,
        f"""
        localStorage.setItem("chat4all.language", "{language}");
        const {{ refusalOf }} = await load("reasons.js");
        return refusalOf({{ type: "urn:chat4all:problem:{code}", detail: "{detail}" }});
        """,
    )
    return found


def test_in_english_the_api_has_the_word(scripts: Path) -> None:
    assert said(scripts, "en", "not-allowed", "you take no part") == "you take no part"


def test_in_portuguese_a_sentence_stands_before_it(scripts: Path) -> None:
    assert said(scripts, "pt", "not-allowed", "you take no part") == "Você não pode fazer isto (you take no part)."
    assert said(scripts, "pt", "opted-out", "x") == "Esta pessoa não quer mais estas mensagens (x)."
    assert said(scripts, "pt", "new-code", "something new") == "something new"


def test_every_code_that_a_page_can_meet_has_its_sentence(scripts: Path) -> None:
    classes = [each for module in (errors, web_errors) for each in vars(module).values() if isinstance(each, type)]
    codes = {each.code for each in classes if issubclass(each, errors.Chat4AllError)} - OF_OTHERS
    found = played(
        scripts,
        f"""
        localStorage.setItem("chat4all.language", "pt");
        const {{ refusalOf }} = await load("reasons.js");
        const codes = {sorted(codes)!r};
        return codes.filter((code) => refusalOf({{ type: `urn:chat4all:problem:${{code}}`, detail: "x" }}) === "x");
        """,
    )
    assert found == []
