"""Forms as other people's clients write them, and as no client should."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from aiohttp import ClientResponse

from support.api import Api
from web.uploads.multipart import MAX_HEADERS_BYTES, MAX_PREAMBLE_BYTES

CONVERSATION = b'--b\r\nContent-Disposition: form-data; name="conversation_id"\r\n\r\nc-1\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.txt"\r\n'
END = b"\r\n--b--\r\n"
KIND = "multipart/form-data; boundary=b"
ENDLESS = 2 * 1024**3


async def sent(api: Api, body: bytes, kind: str = KIND) -> Any:
    """Return the answer to a form of a new user."""
    return await api.call("POST", "/v1/files", token=await api.somebody(), data=body, headers={"Content-Type": kind})


async def content_of(api: Api, answer: ClientResponse) -> bytes:
    assert answer.status == 201, await answer.text()
    return bytes(api.file_store.objects[(await answer.json())["storage_path"]][0])


@pytest.mark.parametrize(
    "charset", ["UTF-8", "utf-8", "us-ascii", "iso-8859-1", "nonsense", "x" * 31, "x" * 32, "x" * 4_000]
)
@pytest.mark.parametrize("is_first", [True, False])
async def test_a_form_may_say_its_charset(api: Api, charset: str, is_first: bool) -> None:
    field = f'--b\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n{charset}\r\n'.encode()
    begin = field + CONVERSATION if is_first else CONVERSATION + field
    assert await content_of(api, await sent(api, begin + FILE + b"\r\nhi" + END)) == b"hi"


async def test_a_charset_field_without_end_is_a_400(api: Api) -> None:
    field = b'--b\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n' + b"x" * 100_000
    assert (await sent(api, field + b"\r\n" + CONVERSATION + FILE + b"\r\nhi" + END)).status == 400


async def test_a_text_is_read_in_the_charset_that_the_form_or_the_field_says(api: Api) -> None:
    field = b'--b\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\nISO-8859-1\r\n'
    named = CONVERSATION.replace(b"c-1", b"caf\xe9")
    answer = await sent(api, field + named + FILE + b"\r\nhi" + END)
    assert (await answer.json())["conversation_id"] == "caf\u00e9"
    own = named.replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain; charset=windows-1252\r\n\r\n").replace(
        b"caf", b"f"
    )
    answer = await sent(api, own + FILE + b"\r\nhi" + END)
    assert (await answer.json())["conversation_id"] == "f\u00e9"
    assert (await sent(api, named + FILE + b"\r\nhi" + END)).status == 400


@pytest.mark.parametrize("encoding", ["binary", "8bit", "7bit", "BINARY", "8Bit"])
async def test_each_field_may_say_that_it_is_not_encoded(api: Api, encoding: str) -> None:
    said = f"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    body = CONVERSATION.replace(b"\r\n\r\n", said) + FILE.rstrip() + said + b"\xff\x00hi" + END
    assert await content_of(api, await sent(api, body)) == b"\xff\x00hi"


@pytest.mark.parametrize(
    "header",
    [
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
        "Content-Encoding: gzip",
        "Content-Transfer-Encoding: nonsense",
    ],
)
async def test_an_encoded_field_is_a_400_that_names_the_encoding(api: Api, header: str) -> None:
    answer = await sent(api, CONVERSATION + FILE + f"{header}\r\n\r\n".encode() + base64.b64encode(b"hello") + END)
    assert answer.status == 400
    assert header.split(": ")[1] in (await answer.json(content_type=None))["detail"]
    assert not api.file_store.objects


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/related; boundary=c",
        "multipart/mixed",
        "multipart/form-data; boundary=b",
        "message/rfc822",
        "nonsense",
        "text/html; charset=\xff",
        "a/b; c; d",
    ],
)
async def test_a_file_of_any_type_is_a_file(api: Api, kind: str) -> None:
    page = b"--c\r\nContent-Type: text/html\r\n\r\n<p>\r\n--c--\r\n"
    body = CONVERSATION + FILE + f"Content-Type: {kind}\r\n\r\n".encode("latin-1") + page + END
    assert await content_of(api, await sent(api, body)) == page


@pytest.mark.parametrize(
    "given",
    [
        rb"C:\Users\me\report.txt",
        rb"C:\\Users\\me\\report.txt",
        b"/home/me/report.txt",
        b"report.txt.",
        b"..\\report.txt",
    ],
)
async def test_a_file_is_called_what_the_last_part_of_its_path_says(api: Api, given: bytes) -> None:
    answer = await sent(api, CONVERSATION + FILE.replace(b"x.txt", given) + b"\r\nhi" + END)
    assert (await answer.json())["filename"] == "report.txt"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"Content-Disposition\r\n",
        b"Content-Disposition: \r\n",
        b"Content-Disposition: form-data\r\n",
        b'Content-Disposition: form-data; name="file\r\n',
        b'Content-Disposition: form-data; name="file"; name="file"\r\n',
        b'Content-Disposition: form-data; name="file"; =\r\n',
        b"Content-Disposition: form-data; name=\"\xff\"; filename*=x''%\r\nContent-Length: -1\r\n",
        b'Content-Disposition: form-data; name="file"; filename="a"\r\n\xff: x\r\n',
        b'Content-Disposition: form-data; name="file"; filename="a\x00"\r\n',
        b"Content-Disposition: form-data; name*0*=x\r\n",
        b"A: b\r\n" * 200,
    ],
)
async def test_whatever_a_part_says_wrongly_is_a_400(api: Api, head: bytes) -> None:
    answer = await sent(api, CONVERSATION + b"--b\r\n" + head + b"\r\nhi" + END)
    assert answer.status == 400
    assert not api.file_store.objects
    assert not api.files.rows


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 71,
        'multipart/form-data; boundary="',
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=b; boundary=c",
        "multipart/mixed; boundary=b",
        "multipart/",
        "",
        "\xff",
    ],
)
async def test_a_content_type_that_is_no_form_s_is_a_400(api: Api, kind: str) -> None:
    assert (await sent(api, CONVERSATION + FILE + b"\r\nhi" + END, kind)).status == 400


@pytest.mark.parametrize(
    "kind",
    [
        'multipart/form-data; boundary="b"',
        "Multipart/Form-Data;boundary=b;charset=UTF-8",
        "multipart/form-data; charset=utf-8; Boundary=b",
    ],
)
async def test_a_form_s_content_type_has_parameters_in_any_order(api: Api, kind: str) -> None:
    assert await content_of(api, await sent(api, CONVERSATION + FILE + b"\r\nhi" + END, kind)) == b"hi"


@pytest.mark.parametrize(
    "begin",
    [
        b"\n" * (MAX_PREAMBLE_BYTES + 100),
        b"\r\n" * MAX_PREAMBLE_BYTES,
        CONVERSATION + b"--b" + b" " * 200,
        CONVERSATION + FILE + b"X: " + b"x" * MAX_HEADERS_BYTES,
        CONVERSATION + FILE + b"X: x\r\n" * MAX_HEADERS_BYTES,
        CONVERSATION * 20,
        b'--b\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n' + b"\n" * 5_000,
        b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\n' + b"\n" * 5_000,
    ],
    ids=["lines", "empty lines", "padding", "a header", "headers", "fields", "charset", "another field"],
)
async def test_what_is_no_file_is_refused_after_a_few_kib_and_before_the_rest_comes(api: Api, begin: bytes) -> None:
    """No other request can wait for what is never read: the client here sends the beginning and no more."""
    status, _ = await begun(api, begin)
    assert status == 400
    assert api.services.upload_limit.under_way == 0


async def test_what_follows_the_last_boundary_is_not_waited_for(api: Api) -> None:
    status, body = await begun(api, CONVERSATION + FILE + b"\r\nhi" + END + b"\n" * 100)
    assert status == 201
    assert json.loads(body)["size_bytes"] == 2


async def begun(api: Api, begin: bytes) -> tuple[int, bytes]:
    """Return the answer to a form of 2 GiB of which only the beginning is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {await api.somebody()}\r\n"
    writer.write(f"{head}Content-Type: {KIND}\r\nContent-Length: {ENDLESS}\r\n\r\n".encode() + begin)
    async with asyncio.timeout(5):
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in answer.lower().split(b"\r\n") if line[:15] == b"content-length:")
        body = await reader.readexactly(length)
    writer.transport.abort()
    return int(answer[9:12]), body


# other people's clients


def is_right(answer: dict[str, Any], data: bytes, name: str = "r\u00e9port 1.bin") -> bool:
    return (answer["filename"], answer["size_bytes"], answer["conversation_id"]) == (name, len(data), "caf\u00e9")


DATA = bytes(range(256)) * 3_000


async def test_requests_sends_files(api: Api) -> None:
    token = await api.somebody()

    def send() -> Any:
        return requests.post(
            f"http://127.0.0.1:{api.port}/v1/files",
            data={"conversation_id": "caf\u00e9"},
            timeout=10,
            files={"file": ("r\u00e9port 1.bin", DATA)},
            headers={"Authorization": f"Bearer {token}"},
        )

    answer = await asyncio.to_thread(send)
    assert answer.status_code == 201
    assert is_right(answer.json(), DATA)


async def test_urllib3_sends_files(api: Api) -> None:
    token = await api.somebody()

    def send() -> Any:
        field = urllib3.fields.RequestField("file", DATA, filename="r\u00e9port 1.bin")
        field.make_multipart(content_type="multipart/related")
        field.headers["Content-Transfer-Encoding"] = "binary"
        conversation = urllib3.fields.RequestField.from_tuples("conversation_id", "caf\u00e9")
        return urllib3.request(
            "POST",
            f"http://127.0.0.1:{api.port}/v1/files",
            fields=[conversation, field],
            headers={"Authorization": f"Bearer {token}"},
        )

    answer = await asyncio.to_thread(send)
    assert answer.status == 201
    assert is_right(answer.json(), DATA)


NODE = """
const [url, token, path] = process.argv.slice(1);
const form = new FormData();
form.set("conversation_id", "caf\u00e9");
form.set("file", new Blob([require("fs").readFileSync(path)]), "r\u00e9port 1.bin");
fetch(url, {method: "POST", body: form, headers: {Authorization: "Bearer " + token}})
  .then(async (answer) => console.log(await answer.text()));
"""


@pytest.mark.parametrize("client", ["curl", "curl --form-escape", "node"])
async def test_curl_and_node_send_files(api: Api, client: str, tmp_path: Path) -> None:
    name, *options = client.split()
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name} here")
    file, token, url = tmp_path / "data", await api.somebody(), f"http://127.0.0.1:{api.port}/v1/files"
    file.write_bytes(DATA)
    if name == "node":
        command = ["node", "-e", NODE, url, token, str(file)]
    else:
        form = [
            "-F",
            "conversation_id=caf\u00e9",
            "-F",
            f"file=@{file};filename=r\u00e9port 1.bin;type=multipart/related",
        ]
        command = ["curl", "-sS", *options, "-H", f"Authorization: Bearer {token}", *form, url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), 20)
    assert is_right(json.loads(output), DATA)
