"""How a message with a file goes to each channel."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.manifest import CAPABILITIES
from domain.attachments import (
    MB,
    MediaKind,
    human_size,
    media_plan,
    split,
    text_fault,
    utf8_bytes,
    utf16_units,
)
from domain.files import MAX_FILE_BYTES, File, FileMetadata
from domain.graphemes import clusters
from domain.recipients import CHANNELS
from storage.s3 import S3FileStore
from storage.s3_config import S3Config

URL = "https://files.example.org/c-1/f-1?signature=0"
OFFICE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def of(mimetype: str, size_bytes: int = 1_000, filename: str = "a.bin") -> FileMetadata:
    return FileMetadata(filename, size_bytes, mimetype, f"sha256:{'0' * 64}", "c-1/f-1")


def test_it_is_known_of_every_channel_what_it_takes() -> None:
    assert set(CAPABILITIES) == set(CHANNELS)


@pytest.mark.parametrize(
    ("channel", "mimetype", "size_bytes", "kind"),
    [
        ("whatsapp", "image/jpeg", 5 * MB, MediaKind.IMAGE),
        ("whatsapp", "image/jpeg", 5 * MB + 1, MediaKind.LINK),
        ("whatsapp", "image/png", 1, MediaKind.IMAGE),
        ("whatsapp", "image/png", 0, MediaKind.LINK),
        ("whatsapp", "image/webp", 1_000, MediaKind.LINK),
        ("whatsapp", "audio/mpeg", 16 * MB, MediaKind.AUDIO),
        ("whatsapp", "audio/mpeg", 16 * MB + 1, MediaKind.LINK),
        ("whatsapp", "audio/x-m4a", 1_000, MediaKind.AUDIO),
        ("whatsapp", "video/mp4", 16 * MB, MediaKind.VIDEO),
        ("whatsapp", "video/mp4", 16 * MB + 1, MediaKind.LINK),
        ("whatsapp", "application/pdf", 100 * MB, MediaKind.DOCUMENT),
        ("whatsapp", "application/pdf", 100 * MB + 1, MediaKind.LINK),
        ("whatsapp", OFFICE, 1_000, MediaKind.DOCUMENT),
        ("whatsapp", "text/plain; charset=utf-8", 1_000, MediaKind.DOCUMENT),
        ("whatsapp", "application/zip", 1_000, MediaKind.LINK),
        ("whatsapp", "application/octet-stream", 1_000, MediaKind.LINK),
        ("instagram", "image/jpeg", 8 * MB, MediaKind.IMAGE),
        ("instagram", "image/jpeg", 8 * MB + 1, MediaKind.LINK),
        ("instagram", "IMAGE/GIF", 1_000, MediaKind.IMAGE),
        ("instagram", "audio/x-wav", 25 * MB, MediaKind.AUDIO),
        ("instagram", "audio/wav", 25 * MB + 1, MediaKind.LINK),
        ("instagram", "video/quicktime", 25 * MB, MediaKind.VIDEO),
        ("instagram", "video/quicktime", 25 * MB + 1, MediaKind.LINK),
        ("instagram", "application/pdf", 1_000, MediaKind.LINK),
        ("telegram", "image/jpeg", 10 * MB, MediaKind.IMAGE),
        ("telegram", "image/jpeg", 10 * MB + 1, MediaKind.DOCUMENT),
        ("telegram", "video/mp4", 50 * MB, MediaKind.VIDEO),
        ("telegram", "audio/mpeg", 1_000, MediaKind.AUDIO),
        ("telegram", "application/zip", 50 * MB, MediaKind.DOCUMENT),
        ("telegram", "application/zip", 50 * MB + 1, MediaKind.LINK),
        ("telegram", "application/zip", MAX_FILE_BYTES, MediaKind.LINK),
    ],
)
def test_a_file_goes_as_what_the_channel_takes_or_as_a_link(
    channel: str, mimetype: str, size_bytes: int, kind: MediaKind
) -> None:
    found = media_plan(CAPABILITIES[channel], of(mimetype, size_bytes), "look", URL)
    assert found is not None
    assert found.kind is kind
    assert any(URL in text for text in found.texts) is (kind is MediaKind.LINK)


@pytest.mark.parametrize(
    ("channel", "mimetype", "content", "caption", "texts"),
    [
        ("whatsapp", "image/png", "", "", ()),
        ("whatsapp", "image/png", "look", "look", ()),
        ("whatsapp", "image/png", "x" * 1_024, "x" * 1_024, ()),
        ("whatsapp", "image/png", "x" * 1_025, "", ("x" * 1_025,)),
        ("whatsapp", "image/png", "\U0001f600" * 513, "", ("\U0001f600" * 513,)),
        ("whatsapp", "audio/mpeg", "listen", "", ("listen",)),
        ("whatsapp", "application/pdf", "x" * 5_000, "", ("x" * 4_096, "x" * 904)),
        ("instagram", "image/png", "look", "", ("look",)),
        ("instagram", "image/png", "é" * 600, "", ("é" * 499, "é" * 101)),
        ("telegram", "image/png", "look", "look", ()),
        ("telegram", "audio/mpeg", "x" * 1_025, "", ("x" * 1_025,)),
    ],
)
def test_a_text_is_the_caption_where_it_fits_and_else_a_message_of_its_own(
    channel: str, mimetype: str, content: str, caption: str, texts: tuple[str, ...]
) -> None:
    found = media_plan(CAPABILITIES[channel], of(mimetype), content, URL)
    assert found is not None
    assert (found.caption, found.texts) == (caption, texts)


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("", (f"big.iso (2.1 GB)\n{URL}",)),
        ("here it is", (f"here it is\n\nbig.iso (2.1 GB)\n{URL}",)),
        ("word " * 190 + "end", ("word " * 190 + "end", f"big.iso (2.1 GB)\n{URL}")),
        ("word " * 300, ("word " * 199, "word " * 101, f"big.iso (2.1 GB)\n{URL}")),
    ],
)
def test_a_link_stands_below_the_text_or_by_itself_if_both_are_too_long(content: str, texts: tuple[str, ...]) -> None:
    found = media_plan(
        CAPABILITIES["instagram"], of("application/x-iso9660-image", MAX_FILE_BYTES, "big.iso"), content, URL
    )
    assert found is not None
    assert found.texts == texts


def test_a_long_link_goes_without_the_files_name_and_one_that_fits_nowhere_does_not_go() -> None:
    found = media_plan(
        CAPABILITIES["instagram"], of("application/pdf", filename="n" * 200), "look", f"https://x/{'s' * 900}"
    )
    assert found is not None
    assert found.texts == ("look", f"https://x/{'s' * 900}")
    assert media_plan(CAPABILITIES["instagram"], of("application/pdf"), "look", f"https://x/{'s' * 990}") is None
    assert media_plan(CAPABILITIES["whatsapp"], of("application/zip"), "look", f"https://x/{'s' * 990}") is not None


def seen(text: str) -> str:
    """All of a text that can be seen."""
    return "".join(text.split())


@given(
    channel=st.sampled_from(sorted(CAPABILITIES)),
    mimetype=st.sampled_from(["image/png", "audio/mpeg", "video/mp4", "application/pdf", "application/zip", "x/y"]),
    size_bytes=st.integers(0, MAX_FILE_BYTES) | st.integers(0, 20).map(lambda n: n * MB),
    content=st.text(max_size=40) | st.builds(lambda text, n: text * n, st.text(max_size=200), st.integers(1, 60)),
    url=st.integers(20, 1_200).map(lambda n: "https://x/".ljust(n, "s")),
)
def test_no_limit_is_ever_exceeded_and_no_text_lost(
    channel: str, mimetype: str, size_bytes: int, content: str, url: str
) -> None:
    capabilities = CAPABILITIES[channel]
    found = media_plan(CAPABILITIES[channel], of(mimetype, size_bytes), content, url)
    if found is None:
        assert len(url) > capabilities.max_text
        return
    assert all(0 < sum(map(capabilities.cost, text)) <= capabilities.max_text for text in found.texts)
    if found.kind is MediaKind.LINK:
        assert found.caption == ""
        assert found.texts[-1].endswith(url)
        assert seen("".join(found.texts)).startswith(seen(content))
    else:
        taken = [takes for takes in capabilities.media if takes.kind is found.kind]
        assert 0 < size_bytes <= max(takes.max_bytes for takes in taken)
        assert sum(map(capabilities.cost, found.caption)) <= max(takes.max_caption for takes in taken)
        assert seen(found.caption + "".join(found.texts)) == seen(content)


@given(st.text(max_size=300), st.integers(4, 50), st.sampled_from([utf8_bytes, utf16_units]))
@example(" aaaaaaaaa\U0001f600", 10, utf16_units)
@example("a" * 21, 10, utf8_bytes)
def test_pieces_of_a_text_are_within_the_limit_and_together_the_text(text: str, limit: int, cost: object) -> None:
    assert callable(cost)
    pieces = split(text, limit, cost)
    assert all(sum(map(cost, piece)) <= limit for piece in pieces)
    assert seen("".join(pieces)) == seen(text)
    assert all(piece in text for piece in pieces)


SEEN_AS_ONE = [
    "👨‍👩‍👧",
    "👩🏽‍🚀",
    "❤️‍🔥",
    "🇧🇷",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "1️⃣",
    "e\u0301\u0323",
    "한",
    "\u1112\u1161\u11ab",
    "\r\n",
    "क्षि",
    "नि",
    "กำ",
    "ำ",
    "か\u3099",
    "ｶﾞ",
    "\u0600١",
    "ก้ำ",
    "த்",
    "a",
]


@pytest.mark.parametrize("one", SEEN_AS_ONE)
def test_what_a_person_sees_as_one_character_is_one_cluster(one: str) -> None:
    assert list(clusters(one)) == [one]
    assert list(clusters(f"x{one}"))[-1] == one or one == "ำ"  # this one writes itself behind any letter
    assert list(clusters(f"{one} x"))[:1] == [one]


def test_flags_are_pairs_and_letters_are_by_themselves() -> None:
    assert list(clusters("🇧🇷🇵🇹🇦")) == ["🇧🇷", "🇵🇹", "🇦"]
    assert list(clusters("ab\n\n한국👍👍")) == ["a", "b", "\n", "\n", "한", "국", "👍", "👍"]
    assert list(clusters("")) == []


@given(st.lists(st.sampled_from([*SEEN_AS_ONE[:-1], " ", "x", "é"]), max_size=60), st.integers(40, 80))
def test_no_character_as_a_person_sees_it_is_cut(parts: list[str], limit: int) -> None:
    text = "\u2009".join(parts)
    ends, where = set(), 0
    for part in parts:
        ends |= {where, where + len(part)}
        where += len(part) + 1
    for cost in (utf8_bytes, utf16_units):
        where = 0
        for piece in split(text, limit, cost):
            assert cost(piece) <= limit
            where = text.index(piece, where)
            assert where in ends
            where += len(piece)


@given(st.text(max_size=200))
def test_clusters_are_the_text(text: str) -> None:
    assert "".join(clusters(text)) == text


def test_a_character_that_is_longer_than_a_text_may_be_is_cut_all_the_same() -> None:
    pieces = split("e" + "\u0301" * 100, 50, utf8_bytes)
    assert "".join(pieces) == "e" + "\u0301" * 100
    assert all(utf8_bytes(piece) <= 50 for piece in pieces)


@pytest.mark.parametrize(
    ("address", "text", "says"),
    [
        ("instagram:@maria", "x" * 999, None),
        ("instagram:@maria", "x" * 1000, "instagram takes at most 999 bytes of UTF-8 in a text; this one has 1000"),
        ("instagram:@maria", "é" * 499, None),
        ("instagram:@maria", "é" * 500, "this one has 1000"),
        ("whatsapp:+5511999990000", "é" * 4096, None),
        ("whatsapp:+5511999990000", "x" * 4097, "whatsapp takes at most 4096 characters in a text; this one has 4097"),
        ("telegram:5", "👍" * 2048, None),
        ("telegram:5", "👍" * 2049, "telegram takes at most 4096 characters in a text; this one has 4098"),
        ("internal:u-1", "x" * 10_240, None),
    ],
)
def test_a_text_is_measured_as_its_channel_does(address: str, text: str, says: str | None) -> None:
    fault = text_fault(address, text, CAPABILITIES)
    assert fault is None if says is None else says in (fault or "")


def test_a_text_is_cut_between_words() -> None:
    assert split("one two three", 8, utf8_bytes) == ("one two ", "three")


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (48_211, "48.2 kB"), (2 * 1024**3, "2.1 GB")],
)
def test_sizes_are_told_as_people_read_them(size_bytes: int, text: str) -> None:
    assert human_size(size_bytes) == text


@pytest.mark.parametrize("channel", sorted(CAPABILITIES))
def test_a_link_into_a_bucket_fits_every_channel_once_its_longest_name_is_left_out(channel: str) -> None:
    """As ``agents/attachments.py`` makes it, for the longest path there is."""
    store = S3FileStore(
        S3Config(url="https://files.eu-central-1.example.org", bucket="b" * 63, access_key="k" * 20, secret_key="s")
    )
    longest = of("application/zip", MAX_FILE_BYTES, f"{'é' * 120}.zip")
    file = File("f" * 36, "c", "u", replace(longest, storage_path=f"{'c' * 200}/{'f' * 36}.{'x' * 12}"), 0)
    plain = replace(file, metadata=replace(file.metadata, filename="file.zip"))
    url = store.link(plain, 7 * 86_400, 1_763_848_800_123)
    assert media_plan(CAPABILITIES[channel], longest, "x" * 10_240, url) is not None
    with_name = store.link(file, 7 * 86_400, 1_763_848_800_123)
    assert (media_plan(CAPABILITIES[channel], longest, "", with_name) is None) is (channel == "instagram")
