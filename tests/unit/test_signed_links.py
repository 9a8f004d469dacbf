"""Links that we sign ourselves, and the header that goes with a download."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import content_disposition_filename, parse_content_disposition
from hypothesis import example, given
from hypothesis import strategies as st

from domain.disposition import attachment_header
from domain.signed_links import LinkState, link_key, signed_path, validate

KEY = link_key("a secret of at least thirty-two characters")
EXPIRES_S = 1_800_000_000
BEFORE_MS = EXPIRES_S * 1000 - 1


def query_of(path: str) -> tuple[str, str]:
    query = parse_qs(urlsplit(path).query)
    return query["expires"][0], query["signature"][0]


def judged(path: str, file_id: str = "f-1", now_ms: int = BEFORE_MS, keys: tuple[bytes, ...] = (KEY,)) -> LinkState:
    return validate(keys, file_id, *query_of(path), now_ms)


def test_a_link_holds_until_the_second_it_names():
    path = signed_path(KEY, "f-1", EXPIRES_S)
    assert path.startswith(f"/v1/files/f-1/link?expires={EXPIRES_S}&signature=")
    assert judged(path) is LinkState.GOOD
    assert judged(path, now_ms=BEFORE_MS + 1) is LinkState.EXPIRED


def test_a_link_of_another_file_or_time_or_key_is_forged():
    path = signed_path(KEY, "f-1", EXPIRES_S)
    assert judged(path, file_id="f-2") is LinkState.FORGED
    assert judged(path.replace(str(EXPIRES_S), str(EXPIRES_S + 1))) is LinkState.FORGED
    assert judged(path, keys=(link_key("another"),)) is LinkState.FORGED
    assert judged(path, keys=()) is LinkState.FORGED


def test_a_link_of_an_earlier_secret_holds_while_that_is_accepted():
    assert judged(signed_path(KEY, "f-1", EXPIRES_S), keys=(link_key("new"), KEY)) is LinkState.GOOD


def test_changing_any_digit_of_a_signature_forges_the_link():
    expires, signature = query_of(signed_path(KEY, "f-1", EXPIRES_S))
    for place, digit in enumerate(signature):
        other = "0" if digit != "0" else "1"
        changed = signature[:place] + other + signature[place + 1 :]
        assert validate((KEY,), "f-1", expires, changed, BEFORE_MS) is LinkState.FORGED


@pytest.mark.parametrize("expires", ["", " 1", "1 ", "+1", "-1", "1e9", "１", "9" * 13, "0x1", f"{EXPIRES_S}\n"])
def test_an_expiry_that_is_no_number_is_forged(expires):
    signature = query_of(signed_path(KEY, "f-1", EXPIRES_S))[1]
    assert validate((KEY,), "f-1", expires, signature, BEFORE_MS) is LinkState.FORGED


@pytest.mark.parametrize("change", [str.upper, lambda s: s[:-1], lambda s: s + "0", lambda s: s + "\n", lambda s: "é"])
def test_a_signature_that_is_none_is_forged(change):
    expires, signature = query_of(signed_path(KEY, "f-1", EXPIRES_S))
    assert validate((KEY,), "f-1", expires, change(signature), BEFORE_MS) is LinkState.FORGED


def test_an_expired_forgery_is_a_forgery():
    assert judged(signed_path(KEY, "f-1", EXPIRES_S), file_id="f-2", now_ms=BEFORE_MS + 1) is LinkState.FORGED


@given(st.text(), st.text())
def test_whatever_is_sent_is_judged(expires, signature):
    assert validate((KEY,), "f-1", expires, signature, BEFORE_MS) is LinkState.FORGED


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("a.pdf", 'attachment; filename="a.pdf"'),
        ("ação.pdf", "attachment; filename=\"acao.pdf\"; filename*=UTF-8''a%C3%A7%C3%A3o.pdf"),
        ("日本.png", "attachment; filename=\"file.png\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.png"),
        ('a"b\\c.txt', "attachment; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%5Cc.txt"),
        ("a;b.txt", "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%3Bb.txt"),
        ("50%.txt", "attachment; filename=\"50_.txt\"; filename*=UTF-8''50%25.txt"),
        ("a\r\nX: y", "attachment; filename=\"a__X_ y\"; filename*=UTF-8''a%0D%0AX%3A%20y"),
    ],
)
def test_the_header_of_a_download(filename, header):
    assert attachment_header(filename) == header


@given(st.text())
@example(";;")
def test_no_name_ends_the_header_or_is_lost(filename):
    header = attachment_header(filename)
    assert header.isascii()
    assert header.isprintable()
    kind, parameters = parse_content_disposition(header)
    assert kind == "attachment"
    assert content_disposition_filename(parameters) == (filename or "file").encode(errors="replace").decode()
