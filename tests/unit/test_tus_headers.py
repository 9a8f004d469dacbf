"""The headers of tus: what they mean, and that nothing else than a 4xx comes of those that mean nothing."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.files import File, FileMetadata, safe_filename
from domain.ports import Upload
from web.errors import FieldErrors, UnsupportedMediaType, UnsupportedTusVersion
from web.http.problems import problem_of
from web.uploads import tus
from web.uploads.hashing import WantedDigest
from web.uploads.tus import Creation

SHA256 = f"sha256:{'0f' * 32}"
# as aiohttp gives bytes that are not UTF-8
ANY_TEXT = st.text(st.characters(exclude_characters="\r\n\0"), max_size=60)
NAMES = ["Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum", "Upload-Defer-Length"]
VALUES = st.one_of(
    ANY_TEXT,
    st.binary(max_size=60).map(lambda data: data.decode("utf-8", "surrogateescape")),
    st.integers().map(str),
    st.lists(st.tuples(st.sampled_from(["filename", "conversation_id", "checksum", "x"]), st.binary(max_size=30))).map(
        lambda pairs: ",".join(f"{name} {b64encode(value).decode()}" for name, value in pairs)
    ),
    st.tuples(st.sampled_from(["sha1", "SHA256", "md5", "crc32"]), st.binary(max_size=40)).map(
        lambda pair: f"{pair[0]} {b64encode(pair[1]).decode()}"
    ),
)


def encoded(**values: str) -> str:
    return ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in values.items())


@pytest.mark.parametrize(
    ("length", "metadata", "made"),
    [
        ("0", encoded(conversation_id="c"), Creation(0, "c", "file", "")),
        ("007", encoded(conversation_id="c", filename="../a.txt"), Creation(7, "c", "a.txt", "")),
        (" 7 ", f" {encoded(conversation_id='c')} , filename ", Creation(7, "c", "file", "")),
        ("7", encoded(filename="olá 日本.pdf", conversation_id="família"), Creation(7, "família", "olá 日本.pdf", "")),
        ("7", encoded(conversation_id="c", checksum=SHA256.upper()), Creation(7, "c", "file", SHA256)),
        ("7", encoded(conversation_id="c", filetype="x/y") + ",is_confidential", Creation(7, "c", "file", "")),
        ("7", encoded(conversation_id="c", filename="a\r\nSet-Cookie: b"), Creation(7, "c", "a Set-Cookie_ b", "")),
    ],
)
def test_what_begins_an_upload(length: str, metadata: str, made: Creation) -> None:
    assert tus.creation_of({"Upload-Length": length, "Upload-Metadata": metadata}) == made


@pytest.mark.parametrize(
    ("metadata", "wrong"),
    [
        ("conversation_id Yw", "Upload-Metadata"),
        ("conversation_id Yw== Yw==", "Upload-Metadata"),
        (" ,conversation_id Yw==", "Upload-Metadata"),
        ("conversation_id Yw==,conversation_id Yw==", "Upload-Metadata"),
        ("conversation_id Yw==,filename /w==", "filename"),
        ("conversation_id Yw==,checksum Yw==", "checksum"),
        ("Conversation_Id Yw==", "conversation_id"),
    ],
)
def test_metadata_that_is_none(metadata: str, wrong: str) -> None:
    with pytest.raises(FieldErrors) as caught:
        tus.creation_of({"Upload-Length": "1", "Upload-Metadata": metadata})
    assert [name for name, _ in caught.value.found] == [wrong]


@pytest.mark.parametrize("value", ["0\x1f", "\x1c7", "7\u2003", "٧", "1_0", "+1", "-1", "", " ", "9" * 30])
def test_an_offset_that_is_no_number_of_bytes(value: str) -> None:
    with pytest.raises(InvalidInput):
        tus.offset_of({"Upload-Offset": value})
    assert tus.offset_of({"Upload-Offset": "\t 7 "}) == 7


@pytest.mark.parametrize("algorithm", tus.ALGORITHMS)
def test_a_checksum_is_read(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"x", usedforsecurity=False).digest()
    for name in (algorithm, algorithm.upper()):
        value = f" {name}  {b64encode(digest).decode()} "
        assert tus.digest_of({"Upload-Checksum": value}) == WantedDigest(algorithm, digest)
    assert tus.digest_of({}) is None


@pytest.mark.parametrize("value", ["", "sha1", "sha1 ", "sha1 x", "sha512 AAAA", "sha256 AAAA", f"sha1={'A' * 28}"])
def test_a_checksum_that_is_none(value: str) -> None:
    with pytest.raises(InvalidInput):
        tus.digest_of({"Upload-Checksum": value})


def test_only_one_version_and_one_type_will_do() -> None:
    tus.check_version({"Tus-Resumable": " 1.0.0 "})
    tus.check_media_type(tus.OFFSET_STREAM)
    for given_version in ({}, {"Tus-Resumable": "1.0"}, {"Tus-Resumable": "1.0.0, 1.0.0"}):
        with pytest.raises(UnsupportedTusVersion) as caught:
            tus.check_version(given_version)
        assert problem_of(caught.value).headers == {"Tus-Version": "1.0.0"}
    with pytest.raises(UnsupportedMediaType):
        tus.check_media_type("application/json")


def test_a_time_is_written_as_http_writes_it() -> None:
    assert tus.http_date(1_763_848_800_999) == "Sat, 22 Nov 2025 22:00:00 GMT"


@given(headers=st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_whatever_comes_is_understood_or_refused(headers: dict[str, str]) -> None:
    calls: list[tuple[Any, type[Exception], type | None]] = [
        (tus.creation_of, InvalidInput, Creation),
        (tus.offset_of, InvalidInput, int),
        (tus.digest_of, InvalidInput, WantedDigest),
        (tus.check_version, UnsupportedTusVersion, None),
    ]
    for read, refusal, kind in calls:
        try:
            made = read(headers)
        except refusal:
            continue
        assert made is None or (kind is not None and isinstance(made, kind))


@given(
    size=st.integers(0, 10**18 - 1),
    filename=st.text(max_size=40).map(safe_filename),
    conversation_id=st.text(
        st.characters(min_codepoint=33, exclude_categories=["C", "Z"]), min_size=1, max_size=40
    ).filter(
        lambda name: name not in {".", ".."}  # no conversation has such an id
    ),
    checksum=st.sampled_from(["", SHA256]),
)
def test_what_head_tells_would_begin_the_same_again(
    size: int, filename: str, conversation_id: str, checksum: str
) -> None:
    upload = Upload("u", conversation_id, "me", filename, size, 0, 0, expected_checksum=checksum)
    told = tus.facts_of(upload)
    assert all(value.isascii() and value.isprintable() for value in told.values())
    assert tus.creation_of(told) == Creation(size, conversation_id, filename, checksum)
    file = File("u", conversation_id, "me", FileMetadata(filename, size, "a/b", SHA256, "c/u"), 0)
    assert tus.creation_of(tus.facts_of(file)) == Creation(size, conversation_id, filename, SHA256)
    assert tus.headers_of(file) == {"Upload-Offset": str(size)}
