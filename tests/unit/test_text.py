"""What names and texts may hold."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat4all.cli.output import printable
from domain.files import safe_filename
from domain.text import fault_of, fault_of_id, is_blank

NAMES = [
    "Família 👨‍👩‍👧",
    "می‌خواهم",  # Persian, with a zero-width non-joiner
    "क्‍ष",
    "Les\u00a0amis",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # England's flag, made of tags
    "🇧🇷❤️",
    "\U0001fae9 \U0001faea \U0003fffd",  # newer than this Python's Unicode, or not assigned yet
    "e\u0301\u0323",
    "\ue000",
    "\u202aMaria\u202c \u2068João\u2069",
    "בית\u200e 5",
]


@pytest.mark.parametrize("name", NAMES)
def test_what_people_name_things_is_a_name(name: str) -> None:
    assert fault_of(name) is None
    assert not is_blank(name)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("a\x00", "U+0000"),
        ("a\nb", "U+000A"),
        ("a\x1b[2J", "U+001B"),
        ("a\x7f", "U+007F"),
        ("a\x85", "U+0085"),
        ("a\u2028b", "U+2028"),
        ("a\ud800", "U+D800"),
        ("a\udfff", "U+DFFF"),
        ("a\ufffe", "U+FFFE"),
        ("a\ufdd0", "U+FDD0"),
        ("a\U0010ffff", "U+10FFFF"),
        ("gpj.\u202eexe", "U+202E"),
        ("\u202dabc\u202c", "U+202D"),
        ("\u202aMaria", "must end each direction"),
        ("\u2067Maria", "must end each direction"),
        ("\u2069\u2068", "must end each direction"),
        ("\u202c", "must end each direction"),
    ],
)
def test_what_is_no_text_or_turns_what_stands_beside_it_is_no_name(name: str, fault: str) -> None:
    assert fault in (fault_of(name) or "")


def test_an_id_holds_what_is_seen_and_what_words_and_emoji_need() -> None:
    for text in ("c-1", "Família 👨‍👩‍👧", "می‌خواهم", "Les\u00a0amis", NAMES[4]):
        assert fault_of_id(text) is None
    for text in ("a\u200bb", "a\u00ad", "\ufeffa", "\u202aa\u202c", "a\u2060"):
        assert "invisible" in (fault_of_id(text) or "")
    assert "control" in (fault_of_id("a\nb") or "")


def test_a_description_may_have_lines() -> None:
    assert fault_of("a\r\n\tb", allowed="\t\n\r") is None
    assert fault_of("a\x0bb", allowed="\t\n\r") is not None


BLANK = " \t\n\u00a0\u2003\u3000\u200b\u200d\u2060\ufeff\u00ad\u2800\u3164\ufe0f\U000e0061\u202a\u2069\u034f"


@given(st.text(st.sampled_from(BLANK)), st.sampled_from("a.é中👍🇧\ue000\U0003fffd"))
def test_white_space_and_what_nobody_sees_are_blank_and_anything_else_is_not(blank: str, seen: str) -> None:
    assert is_blank(blank)
    assert not is_blank(blank + seen + blank)


@pytest.mark.parametrize("name", [name for name in NAMES if not set(name) & set("\u202a\u2068\u200e\ue000\u00a0")])
def test_a_file_keeps_the_name_that_people_gave_it(name: str) -> None:
    assert safe_filename(f"{name}.pdf") == unicodedata.normalize("NFC", f"{name}.pdf")


def test_a_terminal_shows_names_and_obeys_no_control_character_in_them() -> None:
    assert printable("Família 👨‍👩‍👧 می‌خواهم\u00a0\U0003fffd") == "Família 👨‍👩‍👧 می‌خواهم\u00a0\U0003fffd"
    assert printable("a\x1b[2J\n\u202eb\u2028\ud800") == "a\\x1b[2J\\n\\u202eb\\u2028\\ud800"
