"""Names and keys of files, whatever a client calls them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.files import (
    FALLBACK_NAME,
    MAX_FILENAME_BYTES,
    extension_of,
    file_id_of,
    incomplete_part_key,
    safe_filename,
    staging_key,
    storage_key,
)

FILE_ID = "0193f2a0-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ana\\foto.JPG", "foto.JPG"),
        ("férias na praia.jpeg", "férias na praia.jpeg"),
        ("e\u0301.txt", "é.txt"),
        ("a\r\nSet-Cookie: x=1.txt", "a Set-Cookie_ x=1.txt"),
        ('a"b.txt', "a_b.txt"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("nul\x00l.txt", "null.txt"),
        (".bashrc", "bashrc"),
        ("..", FALLBACK_NAME),
        ("", FALLBACK_NAME),
        ("/", FALLBACK_NAME),
        ("   ", FALLBACK_NAME),
        ("___", FALLBACK_NAME),
        ("name. . ", "name"),
        ("\ud800.txt", "txt"),
        ("👩\u200d👧.png", "👩\u200d👧.png"),
    ],
)
def test_a_name_becomes_safe(given_name: str, safe: str) -> None:
    assert safe_filename(given_name) == safe


@given(st.text(st.characters(), max_size=400))
@example("x" * 300 + ".pdf")
@example("á" * 300 + "." + "b" * 300)
@example("a" * 254 + " .b")
def test_any_name_is_safe_and_stays_what_it_is(name: str) -> None:
    safe = safe_filename(name)
    assert 0 < len(safe.encode()) <= MAX_FILENAME_BYTES
    assert not set('/\\\r\n\x00"') & set(safe)
    assert not safe.startswith(".")
    assert unicodedata.is_normalized("NFC", safe)
    assert safe_filename(safe) == safe


def test_a_long_name_keeps_its_extension() -> None:
    assert safe_filename("x" * 300 + ".pdf") == "x" * 251 + ".pdf"


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.PDF", ".pdf"), ("a.tar.gz", ".gz"), ("a", ""), ("a.p df", ""), ("a.ção", ""), ("a." + "b" * 13, "")],
)
def test_the_extension_is_plain_or_none(name: str, extension: str) -> None:
    assert extension_of(name) == extension


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128), st.text(max_size=20))
@example(".uploads", "")
@example("..", "")
@example("a/../../b", "")
@example("á" * 128, "")
def test_a_key_is_two_safe_segments_apart_from_all_others(conversation_id: str, name: str) -> None:
    key = storage_key(conversation_id, FILE_ID, safe_filename(name))
    folder, _, rest = key.partition("/")
    assert rest.startswith(FILE_ID)
    assert "/" not in rest
    assert key.isascii()
    assert not folder.startswith(".")
    assert len(folder) <= 200
    assert file_id_of(key) == FILE_ID


def test_keys_of_unfinished_uploads_tell_whose_they_are() -> None:
    assert file_id_of(staging_key(FILE_ID)) == file_id_of(incomplete_part_key(FILE_ID, 3)) == FILE_ID


@given(st.text(min_size=1, max_size=128), st.text(min_size=1, max_size=128))
def test_two_conversations_do_not_share_a_folder(one: str, other: str) -> None:
    same = storage_key(one, FILE_ID, "a") == storage_key(other, FILE_ID, "a")
    assert same == (one == other)
