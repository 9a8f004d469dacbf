"""`chat4all send --file`, and messages with files as the commands show them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import Result

from support.api import Api
from support.transfers import PASSWORD, PNG, lines, photo, remembered, told

RECIPIENT = "whatsapp:+5511999999999"
Run = Callable[..., Awaitable[Result]]


@pytest.fixture(autouse=True)
def _now(api: Api) -> None:
    """The commands have the clock of this machine; what expires at the API is to do so by that."""
    api.clock.now_ms = int(time.time() * 1000)


@pytest.fixture
async def ana(run: Run) -> str:
    """The id of a user who has registered, and so is logged in."""
    return str(told(await run("register", "ana", "--password-stdin", "--json", stdin=f"{PASSWORD}\n"))["user_id"])


def content(name: str) -> bytes:
    """Return what is in a file of the current folder."""
    return Path(name).read_bytes()


async def test_a_file_goes_with_a_message(api: Api, run: Run, ana: str) -> None:
    photo()
    send = ("send", RECIPIENT, "look", "--conversation", "c-1", "--wait", "accepted", "--file")
    result = await run(*send, "photo.png")
    assert "(photo.png, 2.0 KiB, image/png)" in result.stdout
    [sent] = lines(await run("messages", "c-1", "--json"))
    assert (sent["content"], sent["file_metadata"]["filename"]) == ("look", "photo.png")
    assert f"look [photo.png, 2.0 KiB, image/png, file {sent['file_id']}]" in (await run("messages", "c-1")).stdout
    assert "[photo.png" in (await run("status", sent["message_id"])).stdout
    again = lines(await run(*send, sent["file_id"], "--json"))
    assert (again[0]["event"], again[0]["file_id"]) == ("file", sent["file_id"])
    assert remembered() == []


async def test_the_text_may_be_left_out_with_a_file(api: Api, run: Run, ana: str) -> None:
    photo()
    rest = ("--file", "photo.png", "--wait", "accepted")
    await run("send", RECIPIENT, *rest)
    await run("conversations", "create", RECIPIENT, "--id", "c-1")
    await run("send", *rest, "--conversation", "c-1")
    await run("send", "telegram: see this", *rest, "--conversation", "c-1")
    await run("send", RECIPIENT, *rest, "--conversation", "c-1")
    listed = lines(await run("messages", "c-1", "--json"))
    assert [(one["recipient_id"], one["content"]) for one in listed] == [
        (None, ""),
        (None, "telegram: see this"),
        (RECIPIENT, ""),
    ]
    assert all(one["file_id"] for one in listed)
    await run("send", *rest, code=2)


async def test_a_user_of_the_system_gets_a_file_in_a_conversation_that_it_begins(api: Api, run: Run, ana: str) -> None:
    bruno = told(await run("register", "bruno", "--password-stdin", "--json", stdin=PASSWORD))["user_id"]
    photo()
    send = ("send", bruno, "--file", "photo.png", "--wait", "accepted", "--as", "ana", "--json")
    [file, _] = lines(await run(*send))
    await run("download", file["file_id"], "-o", "copy", "--as", "bruno")
    assert content("copy") == PNG
    await run(*send)  # another message, in the same conversation


async def test_an_uploaded_file_is_sent_in_its_own_conversation(api: Api, run: Run, ana: str) -> None:
    file = told(await run("upload", str(photo()), "--json"))
    await run("send", RECIPIENT, "--file", file["file_id"], "--wait", "accepted")
    [sent] = lines(await run("messages", file["conversation_id"], "--json"))
    assert sent["file_id"] == file["file_id"]


async def test_a_file_for_somebody_is_uploaded_into_the_direct_conversation(api: Api, run: Run, ana: str) -> None:
    await run("register", "bruno", "--password-stdin", stdin=PASSWORD)
    photo()
    for recipient in (RECIPIENT, "user:bruno"):
        send = ("send", recipient, "--file", "photo.png", "--wait", "accepted", "--as", "ana", "--json")
        [file, _] = lines(await run(*send))
        assert api.log.records[-1][0].conversation_id == file["conversation_id"]
        assert file["conversation_id"].startswith("direct:")
    await run("download", file["file_id"], "-o", "copy", "--as", "bruno")
    assert content("copy") == PNG


async def test_one_file_a_message_and_one_that_is_there(run: Run, ana: str) -> None:
    photo()
    send = ("send", RECIPIENT, "--wait", "accepted", "--file", "photo.png")
    assert "one file at most" in (await run(*send, "--file", "photo.png", code=2)).output
    assert "no such file here" in (await run("send", RECIPIENT, "--file", "phto.png", code=1)).output
    nowhere = "019aaf33-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
    assert "no such file" in (await run("send", RECIPIENT, "--file", nowhere, code=1)).output


async def test_a_send_that_was_refused_does_not_upload_again(api: Api, run: Run, ana: str) -> None:
    photo()
    send = ("send", RECIPIENT, "--conversation", "c-1", "--wait", "accepted", "--file", "photo.png", "--json")
    api.log.available = False
    await run(*send, "--retry", "0", code=3)
    [begun] = remembered()
    api.log.available = True
    assert lines(await run(*send))[0]["file_id"] == begun["upload_id"]
    assert remembered() == []


async def test_one_key_is_one_message_with_one_file(api: Api, run: Run, ana: str) -> None:
    photo()
    send = (
        "send",
        RECIPIENT,
        "--conversation",
        "c-1",
        "--wait",
        "accepted",
        "--file",
        "photo.png",
        "--key",
        "order-17",
    )
    await run(*send)
    await run(*send)
    assert len(lines(await run("messages", "c-1", "--json"))) == 1
    assert len(api.file_store.objects) == 1


async def test_who_is_not_logged_in_sends_files_as_the_demo_user(api: Api, run: Run) -> None:
    photo()
    await run("send", RECIPIENT, "--file", "photo.png", "--wait", "accepted")
    [(message, *_)] = api.log.records
    assert message.file_id
