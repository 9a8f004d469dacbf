"""What a reader of ``/docs`` sees: its script is run over the API's own description, by Node.js."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from web.description.operations import OPERATIONS
from web.description.operations.operation import FORM
from web.handlers.description import PAGE

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support" / "page.js"
QUERIES = ["file_id", "initial_members", "auth/register", "idempotency-key", "no such word", ""]

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="the page's script needs Node.js to be run")


def shown_on(width: str) -> dict[str, Any]:
    command = ["node", SUPPORT, PAGE.with_name("docs.js"), ROOT / "docs" / "openapi.json", json.dumps(QUERIES), width]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode == 0, ran.stderr
    shown: dict[str, Any] = json.loads(ran.stdout)
    return shown


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    return shown_on("wide")


def test_every_operation_is_shown_once_and_names_its_aliases(page: dict[str, Any]) -> None:
    assert len(page["articles"]) == len({id(operation) for operation in OPERATIONS.values()})
    assert "Also as POST /auth/register." in page["articles"]["create_user"]["text"]
    assert "Also as POST /auth/token." in page["articles"]["create_token"]["text"]
    assert "Also as GET /v1/conversations/{conversation_id}/messages." in page["articles"]["list_messages"]["text"]


def test_every_body_with_fields_has_a_table_of_them_forms_too(page: dict[str, Any]) -> None:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    kinds = set()
    for item in document["paths"].values():
        for operation in item.values():
            if operation["operationId"] not in page["articles"]:
                continue
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
                if "properties" not in schema:
                    continue
                kinds.add(kind)
                tables = page["articles"][operation["operationId"]]["tables"]
                columns = [[row[0] for row in table[1:]] for table in tables]
                assert any(set(schema["properties"]) <= set(column) for column in columns), operation["operationId"]
    assert kinds >= {FORM, "application/json"}
    rows = [row for table in page["articles"]["create_file"]["tables"] for row in table]
    assert [row[1:3] for row in rows if row[0] == "file"] == [["file", "required"]]


def test_the_filter_finds_fields_parameters_and_aliases(page: dict[str, Any]) -> None:
    visible = page["visible"]
    assert {"create_message", "create_file", "show_message"} <= set(visible["file_id"])
    assert visible["initial_members"] == ["create_group"]
    assert "create_user" in visible["auth/register"]
    assert {"create_message", "create_messages"} <= set(visible["idempotency-key"])
    assert visible["no such word"] == []
    assert visible[""] == list(page["articles"])


def test_the_page_says_where_the_token_comes_from(page: dict[str, Any]) -> None:
    assert "TOKEN=$(curl" in page["begin"]
    assert "/auth/login" in page["begin"]
    cut_out = re.search(r"\| (sed '.*')\)", page["begin"])
    assert cut_out is not None
    answer = '{"access_token":"aaa.bbb.ccc","token":"x","user_id":"y"}'
    ran = subprocess.run(["sh", "-c", cut_out[1]], input=answer, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "aaa.bbb.ccc"


def test_errors_that_any_request_may_get_are_told_once(page: dict[str, Any]) -> None:
    for told_once in ("Timeout while reading the body.", "Rate limit exceeded.", "Expect is not 100-continue."):
        assert page["main"].count(told_once) == 1
        assert told_once in page["errors"]
    assert "may_have_been_accepted" in page["errors"]
    message = page["articles"]["create_message"]["text"]
    assert "422 The Idempotency-Key was used with another body." in message
    assert "request_id" not in message, "the fields of an error stand under Errors"
    # where a token is what one asks for, a 401 is an answer of its own
    assert "401 The token is missing or invalid." in page["articles"]["create_token"]["text"]


def test_the_menu_is_open_beside_the_page_and_closed_above_it_on_a_phone(page: dict[str, Any]) -> None:
    assert page["isMenuOpen"]
    assert not shown_on("narrow")["isMenuOpen"]
