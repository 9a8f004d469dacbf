"""Forms taken apart: any cut of the bytes gives the same parts, and every step has a bound."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.files import safe_filename
from web.uploads.field_headers import codec_of, filename_of, parameters_of
from web.uploads.multipart import (
    MAX_HEADERS,
    MAX_HEADERS_BYTES,
    MAX_PADDING_BYTES,
    MAX_PREAMBLE_BYTES,
    FormEnded,
    MalformedForm,
    MultipartParser,
    PartBegun,
    PartEnded,
)

HEAD = b'Content-Disposition: form-data; name="a"\r\n\r\n'
Part = tuple[dict[str, str], bytes]


def parts_of(body: bytes, boundary: bytes = b"b", size: int = 1 << 20) -> list[Part]:
    """Return the parts of a form that comes ``size`` bytes at a time."""
    parser, at, parts = MultipartParser(boundary), 0, []
    while not isinstance(event := parser.next_event(), FormEnded):
        if event is None:
            parser.feed(body[at : at + size])
            at += size
        elif isinstance(event, PartBegun):
            headers, data = dict(event.headers), bytearray()
        elif isinstance(event, bytes):
            assert event
            data += event
        else:
            assert isinstance(event, PartEnded)
            parts.append((headers, bytes(data)))
    return parts


def eaten_before_refusal(begin: bytes, endless: bytes) -> int:
    """Return after how many bytes a form that goes on for ever like this is refused."""
    parser, eaten = MultipartParser(b"b"), 0
    parser.feed(begin)
    while eaten < 100_000:
        try:
            while parser.next_event() is not None:
                pass
        except MalformedForm:
            break
        parser.feed(endless)
        eaten += len(endless)
    return eaten


DATA = st.binary(max_size=60) | st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", b"--b", b"\r\n--", b"b", b"\r\n--c", b"\x00", b" "]),
    max_size=20,
).map(b"".join)


@given(st.lists(DATA.filter(lambda data: b"\r\n--b" not in b"\r\n" + data), max_size=4), st.integers(1, 90))
def test_however_the_bytes_are_cut_the_parts_are_the_same(datas: list[bytes], size: int) -> None:
    body = b"".join(b"--b\r\n" + HEAD + data + b"\r\n" for data in datas) + b"--b--\r\nepilogue"
    assert parts_of(body, size=size) == [({"content-disposition": 'form-data; name="a"'}, data) for data in datas]


@given(DATA, st.integers(1, 20))
def test_any_bytes_are_parts_or_malformed(data: bytes, size: int) -> None:
    for body in (
        data,
        b"--b" + data,
        b"--b\r\n" + data,
        b"--b\r\n" + HEAD + data,
        b"--b\r\n\r\n" + data + b"\r\n--b--",
    ):
        whole, cut = (outcome(body, chunk) for chunk in (1 << 20, size))
        assert whole == cut


def outcome(body: bytes, size: int) -> Any:
    try:
        return parts_of(body, size=size)
    except MalformedForm as error:
        return str(error)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"--b--", []),
        (b"--b--\r\n", []),
        (b"\r\n--b--", []),
        (b"a preamble\r\n--b\r\n\r\nx\r\n--b--", [b"x"]),
        (b"--bnot yet\r\n--b\r\n\r\nx\r\n--b--", None),
        (b"--b \t \r\n\r\nx\r\n--b  \r\n\r\ny\r\n--b--", [b"x", b"y"]),
        (b"--b\r\n\r\n\r\n--b--", [b""]),
        (b"--b\r\n\r\n--b--", [b""]),  # some clients have one line's end for two
        (b"--b\r\nA: b\r\n\r\n--b--", [b""]),
        (b"--b\r\n\r\nx\n--b\r\n--b--", [b"x\n--b"]),
        (b"--b\r\n\r\nx\r\n--b-\r\n--b--", None),
        (b"--b\r\n\r\nx\r\n--", None),
        (b"--b\r\n\r\nx\r\n--b", None),
        (b"--b\r\n\r\nx\r\n--b-", None),
        (b"", None),
        (b"--b", None),
        (b"--b\r\n\r\nx\r\n--bc\r\n", None),
        (b"--b\n\nx\n--b--", None),
        (b"--b\r\nno colon\r\n\r\nx\r\n--b--", None),
        (b"--b\r\na b: c\r\n\r\nx\r\n--b--", None),
        (b"--b\r\n: c\r\n\r\nx\r\n--b--", None),
        (b"--b\r\nA: b\x00\r\n\r\nx\r\n--b--", None),
        (b"--b\r\nA: b\nC: d\r\n\r\nx\r\n--b--", None),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_boundaries_and_headers_are_read_as_rfc_2046_says(body: bytes, expected: list[bytes] | None, size: int) -> None:
    if expected is None:
        with pytest.raises(MalformedForm):
            parts_of(body, size=size)
    else:
        assert [data for _, data in parts_of(body, size=size)] == expected


def test_headers_are_unfolded_and_of_two_the_first_counts() -> None:
    body = b'--b\r\nA: one\r\n  two\r\na: three\r\nB:\t"\xc3\xa9"  \r\n\r\nx\r\n--b--'
    assert parts_of(body) == [({"a": "one  two", "b": '"\u00e9"'}, b"x")]


@pytest.mark.parametrize("endless", [b"\n", b"\r\n", b"x", b"x\r\n", b"\r\n--c\r\n", b"\r"])
def test_a_preamble_has_a_bound(endless: bytes) -> None:
    assert eaten_before_refusal(b"", endless) <= MAX_PREAMBLE_BYTES + 100
    assert [data for _, data in parts_of(b"x" * (MAX_PREAMBLE_BYTES - 100) + b"\r\n--b\r\n\r\nx\r\n--b--")] == [b"x"]


@pytest.mark.parametrize("endless", [b" ", b"\t", b"\r", b"x"])
def test_white_space_after_a_boundary_has_a_bound(endless: bytes) -> None:
    assert eaten_before_refusal(b"--b", endless) <= MAX_PADDING_BYTES + 8
    assert eaten_before_refusal(b"--b\r\n\r\nx\r\n--b", endless) <= MAX_PADDING_BYTES + 8


@pytest.mark.parametrize("endless", [b"A", b"A: b\r\n", b" ", b" \r\n", b"\n"])
def test_the_headers_of_a_part_have_a_bound(endless: bytes) -> None:
    assert eaten_before_refusal(b"--b\r\nA: b\r\n", endless) <= MAX_HEADERS_BYTES + 100


def test_a_part_has_so_many_headers_at_most() -> None:
    for number, fits in ((MAX_HEADERS, True), (MAX_HEADERS + 1, False)):
        body = b"--b\r\n" + b"A: b\r\n" * number + b"\r\nx\r\n--b--"
        assert isinstance(outcome(body, 1000), list) is fits


def test_what_waits_in_the_parser_is_no_more_than_a_boundary() -> None:
    parser = MultipartParser(b"b" * 70)
    parser.feed(b"--" + b"b" * 70 + b"\r\n\r\n")
    for _ in range(100):
        parser.feed((b"\r\n--" + b"b" * 69) * 1000)
        while parser.next_event() is not None:
            pass
        assert len(parser._buffer) < 80


@pytest.mark.parametrize("boundary", [b"", b"x" * 71])
def test_a_boundary_has_one_to_seventy_characters(boundary: bytes) -> None:
    with pytest.raises(MalformedForm):
        MultipartParser(boundary)


@given(st.lists(st.binary(max_size=40).filter(lambda data: b"\n" not in data and b"\r" not in data), min_size=1))
def test_python_s_own_parser_of_mail_finds_the_same_parts(datas: list[bytes]) -> None:
    boundary = b"a boundary that no data has"
    body = b"".join(b"--%b\r\n%b%b\r\n" % (boundary, HEAD, data) for data in datas) + b"--%b--\r\n" % boundary
    head = b'Content-Type: multipart/form-data; boundary="%b"\r\n\r\n' % boundary
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    judged = [part.get_payload(decode=True) for part in message.iter_parts()]
    assert [data for _, data in parts_of(body, boundary)] == judged


# what headers say


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('form-data; name="f"; filename="report.txt"', "report.txt"),
        ("form-data; name=f; filename=report.txt", "report.txt"),
        ("form-data;name=f;filename=a b.txt ", "a b.txt"),
        (r'form-data; name="f"; filename="C:\Users\me\report.txt"', "report.txt"),
        (r'form-data; name="f"; filename="C:\\Users\\me\\report.txt"', "report.txt"),
        (r'form-data; name="f"; filename="\\server\share\report.txt"', "report.txt"),
        (r'form-data; filename="C:\dir\"; name="f"', "file"),
        ('form-data; name="f"; filename="/home/me/report.txt"', "report.txt"),
        ('form-data; name="f"; filename="../../report.txt"', "report.txt"),
        ('form-data; name="f"; filename="report.txt..."', "report.txt"),
        ('form-data; name="f"; filename=" report.txt . "', "report.txt"),
        ('form-data; name="f"; filename="a;b=c.txt"', "a;b=c.txt"),
        (r'form-data; name="f"; filename="say \"hi\".txt"', "say _hi_.txt"),
        ('form-data; name="f"; filename="say %22hi%22.txt"', "say _hi_.txt"),
        ('form-data; name="f"; filename="100%25.txt"', "100%25.txt"),
        ("form-data; name=f; filename*=UTF-8''caf%C3%A9.txt", "caf\u00e9.txt"),
        ("form-data; name=f; filename*=utf-8'de'caf%C3%A9.txt; filename=cafe.txt", "caf\u00e9.txt"),
        ("form-data; name=f; filename=cafe.txt; filename*=iso-8859-1''caf%E9.txt", "caf\u00e9.txt"),
        ("form-data; name=f; filename*=UTF-8''C%3A%5CUsers%5Cme%5Creport.txt", "report.txt"),
        ("form-data; name=f; filename=cafe.txt; filename*=utf-7''caf+AOk-.txt", "cafe.txt"),
        ("form-data; name=f; filename=cafe.txt; filename*=UTF-8''%ff", "cafe.txt"),
        ("form-data; name=f; filename=cafe.txt; filename*=UTF-8", "cafe.txt"),
        ("form-data; name=f; filename*0=long; filename*1=-name.txt", "long-name.txt"),
        ("form-data; name=f; filename*0*=UTF-8''caf%C3; filename*1*=%A9; filename*2=%20.txt", "caf\u00e9%20.txt"),
        ('form-data; name="f"; filename=""', "file"),
        ("form-data; name=f; filename", None),
        ('form-data; name="f"; filename="a', None),
        ("form-data; name=f; name=g", None),
        ('form-data; name="f" x; filename="a"', None),
    ],
)
def test_a_file_is_called_what_its_sender_calls_it(header: str, name: str | None) -> None:
    if name is None:
        with pytest.raises(ValueError, match="form-data"):
            parameters_of(header)
        return
    kind, parameters = parameters_of(header)
    assert (kind, parameters["name"]) == ("form-data", "f")
    found = filename_of(parameters)
    assert found is not None
    assert safe_filename(found) == name


def test_a_field_that_is_no_file_has_no_name() -> None:
    assert filename_of(parameters_of("form-data; name=f")[1]) is None


@given(st.text(max_size=200))
def test_any_header_is_parameters_or_a_value_error(text: str) -> None:
    for value in (text, f"form-data; {text}", f'form-data; filename="{text}"', f"a; filename*=UTF-8''{text}"):
        try:
            filename_of(parameters_of(value)[1])
        except ValueError:
            continue


def test_a_charset_that_nobody_knows_is_utf_8() -> None:
    known = [codec_of(text) for text in ("UTF-8", "ISO-8859-1", "nonsense", "", "x" * 5000, "idna", "zip")]
    assert known == ["utf-8", "latin-1", *["utf-8"] * 5]
