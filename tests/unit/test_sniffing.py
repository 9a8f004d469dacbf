"""A file's type by its bytes."""

from __future__ import annotations

import io
import random
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.uploads.sniffing import sniffed_type


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name in names:
            opened.writestr(name, "<x/>")
    return file.getvalue()


DOCX = archive("[Content_Types].xml", "word/document.xml")
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("head", "name", "mimetype"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "photo.png", "image/png"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "photo.exe", "image/png"),
        (bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + bytes(99), "p.jpg", "image/jpeg"),
        (b"%PDF-1.7\n" + bytes(99), "a.pdf", "application/pdf"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(99), "v.mp4", "video/mp4"),
        (b"ID3\x03\0\0\0\0\0\0" + bytes(99), "m.mp3", "audio/mpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "p.webp", "image/webp"),
        (DOCX, "letter.docx", WORD),
        (b"MZ\x90\0" + bytes(500), "photo.jpg", "application/vnd.microsoft.portable-executable"),
        (b"<!DOCTYPE html><html><script>", "photo.jpg", "text/html"),
        (b"hello\n", "notes.txt", "text/plain"),
        (b"alert(1)", "run.js", "text/plain"),
        (b"a;b\n1;2\n", "table.csv", "text/csv"),
        (b'{"a": 1}', "a.json", "application/json"),
        ("olá, família".encode()[:-1], "a", "text/plain"),
        (b"\0\x01\x02", "a.txt", "application/octet-stream"),
        (b"", "a.png", "application/octet-stream"),
    ],
)
def test_the_bytes_decide(head: bytes, name: str, mimetype: str) -> None:
    assert sniffed_type(head, name) == mimetype


def test_noise_is_called_nothing_that_a_browser_would_show() -> None:
    noise = random.Random(5)
    found = {sniffed_type(noise.randbytes(2_000), "photo.jpg") for _ in range(200)}
    assert found == {"application/octet-stream"}


@given(st.binary(max_size=300), st.text(max_size=30))
def test_any_bytes_have_one_type_fit_for_a_header(head: bytes, name: str) -> None:
    mimetype = sniffed_type(head, name)
    assert mimetype.count("/") == 1
    assert mimetype.isascii()
    assert mimetype.isprintable()
    assert " " not in mimetype
