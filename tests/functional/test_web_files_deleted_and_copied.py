"""Files that are deleted, and files that are forwarded to another conversation without coming in again."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import FormData

from domain.ports import Upload
from support.api import Api

DATA = bytes(range(256)) * 40


async def member(api: Api) -> tuple[str, str]:
    """Return the token and the id of a new user."""
    session = await api.login(await api.register())
    return session["access_token"], session["user_id"]


async def uploaded(api: Api, token: str, conversation_id: str = "c-1", data: bytes = DATA) -> dict[str, Any]:
    form = FormData()
    form.add_field("conversation_id", conversation_id)
    form.add_field("file", data, filename="report.pdf")
    answer = await api.call("POST", "/v1/files", token=token, data=form)
    assert answer.status == 201, await answer.text()
    return dict(await answer.json())


async def group_of(api: Api, token: str, *members: str) -> str:
    answer = await api.call("POST", "/v1/groups", {"name": "g", "initial_members": list(members)}, token)
    return str((await answer.json())["group_id"])


async def statuses(api: Api, token: str, file_id: str) -> list[int]:
    paths = ("", "/download", "/content")
    return [(await api.call("GET", f"/v1/files/{file_id}{path}", token=token)).status for path in paths]


async def delete(api: Api, token: str, file_id: str) -> int:
    return int((await api.call("DELETE", f"/v1/files/{file_id}", token=token)).status)


async def copied(api: Api, token: str, file_id: str, conversation_id: str, status: int = 201) -> dict[str, Any]:
    answer = await api.call("POST", f"/v1/files/{file_id}/copy", {"conversation_id": conversation_id}, token)
    assert answer.status == status, await answer.text()
    return dict(await answer.json(content_type=None))


# deleted


async def test_a_deleted_file_is_gone_for_all_who_could_have_it_and_unknown_to_others(api: Api) -> None:
    (token, _), (other, other_id), (stranger, _) = [await member(api) for _ in range(3)]
    group = await group_of(api, token, other_id)
    file_id = (await uploaded(api, token, group))["file_id"]
    link = (await (await api.call("GET", f"/v1/files/{file_id}/download", token=token)).json())["download_url"]
    assert await delete(api, token, file_id.upper()) == 204
    assert await statuses(api, token, file_id) == await statuses(api, other, file_id) == [410] * 3
    assert await statuses(api, stranger, file_id) == [404] * 3
    assert (await api.call("GET", link)).status == 410
    assert api.file_store.objects == {}
    assert api.files.rows[file_id].deleted_at_ms == api.clock()


async def test_deleting_again_is_as_good_as_once_and_finishes_what_broke_off(api: Api) -> None:
    token, _ = await member(api)
    file_id = (await uploaded(api, token))["file_id"]
    api.file_store.failing = {"discard"}
    assert await delete(api, token, file_id) == 503
    assert await statuses(api, token, file_id) == [410] * 3
    api.file_store.failing = set()
    assert [await delete(api, token, file_id) for _ in range(2)] == [204, 204]
    assert api.file_store.objects == {}


async def test_who_may_delete_a_file(api: Api) -> None:
    (token, user_id), (other, other_id), (admin, _), (stranger, _) = [await member(api) for _ in range(4)]
    group = await group_of(api, admin, user_id, other_id)
    file_id = (await uploaded(api, token, group))["file_id"]
    assert await delete(api, other, file_id) == 403
    assert await delete(api, stranger, file_id) == 404
    assert await statuses(api, other, file_id) == [200] * 3
    assert await delete(api, admin, file_id) == 204
    talk = {"participants": [other_id], "conversation_id": "c-2"}
    assert (await api.call("POST", "/v1/conversations", talk, token)).status == 201
    file_id = (await uploaded(api, token, "c-2"))["file_id"]
    assert await delete(api, other, file_id) == 403
    assert await delete(api, token, file_id) == 204


async def test_who_left_the_group_may_still_delete_what_is_theirs(api: Api) -> None:
    (token, user_id), (admin, _) = [await member(api) for _ in range(2)]
    group = await group_of(api, admin, user_id)
    file_id = (await uploaded(api, token, group))["file_id"]
    await api.call("DELETE", f"/v1/groups/{group}/members/{user_id}", token=admin)
    assert await statuses(api, token, file_id) == [404] * 3
    assert await delete(api, token, file_id) == 204
    assert await statuses(api, admin, file_id) == [410] * 3


@pytest.mark.parametrize("odd", ["x", "..", "0193e2f0-0000-7000-8000-000000000000", "%00", "\u00e9"])
async def test_a_file_that_is_not_there_cannot_be_deleted_nor_copied(api: Api, odd: str) -> None:
    token, _ = await member(api)
    assert await delete(api, token, odd) in (404, 405)
    answer = await api.call("POST", f"/v1/files/{odd}/copy", {"conversation_id": "c-1"}, token)
    assert answer.status in (404, 405)


async def test_an_upload_under_way_is_no_file_to_delete(api: Api) -> None:
    token, user_id = await member(api)
    upload = Upload("0193e2f0-0000-7000-8000-000000000001", "c-1", user_id, "a", 9, api.clock(), api.clock() + 9_999)
    await api.files.begin(upload)
    assert await delete(api, token, upload.upload_id) == 404
    assert api.files.rows[upload.upload_id] == upload


async def test_a_message_that_names_a_deleted_file_keeps_what_was_known_of_it(api: Api) -> None:
    token, _ = await member(api)
    file = await uploaded(api, token)
    body = api.message(file_id=file["file_id"])
    sent = await (await api.call("POST", "/v1/messages", body, token)).json()
    assert await delete(api, token, file["file_id"]) == 204
    shown = await (await api.call("GET", f"/v1/messages/{sent['message_id']}", token=token)).json()
    assert shown["file_id"] == file["file_id"]
    assert shown["file_metadata"]["checksum"] == file["checksum"]
    refused = await api.call("POST", "/v1/messages", body, token)
    assert refused.status == 400
    assert (await refused.json(content_type=None))["errors"] == [{"field": "file_id", "detail": "the file was deleted"}]


async def test_another_process_learns_of_a_deletion_soon_and_at_once_when_the_bytes_are_gone(
    two: tuple[Api, Api],
) -> None:
    one, other = two
    token, _ = await member(one)
    file_id = (await uploaded(one, token))["file_id"]
    assert await statuses(other, token, file_id) == [200] * 3
    assert await delete(one, token, file_id) == 204
    assert (await other.call("GET", f"/v1/files/{file_id}/content", token=token)).status == 410
    assert await statuses(other, token, file_id) == [410] * 3


async def test_what_is_remembered_of_a_file_holds_for_a_while_and_longer_while_the_store_is_away(
    two: tuple[Api, Api],
) -> None:
    one, other = two
    token, _ = await member(one)
    file_id = (await uploaded(one, token))["file_id"]
    assert (await other.call("GET", f"/v1/files/{file_id}", token=token)).status == 200
    assert await delete(one, token, file_id) == 204
    other.files.available = False
    one.clock.now_ms += 31_000
    assert (await other.call("GET", f"/v1/files/{file_id}", token=token)).status == 200
    other.files.available = True
    assert (await other.call("GET", f"/v1/files/{file_id}", token=token)).status == 410


async def test_an_upload_whose_file_was_deleted_is_gone(api: Api) -> None:
    token, _ = await member(api)
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": "2",
        "Upload-Metadata": "conversation_id Yy0x",
        "Content-Type": "application/offset+octet-stream",
    }
    made = await api.call("POST", "/v1/uploads", token=token, data=b"hi", headers=headers)
    target = made.headers["Location"]
    assert await delete(api, token, target.rpartition("/")[2]) == 204
    for method in ("HEAD", "DELETE"):
        answer = await api.call(method, target, token=token, headers={"Tus-Resumable": "1.0.0"})
        assert answer.status == 410, method


# copied


async def test_a_copy_is_a_file_of_its_own_whose_bytes_did_not_come_through_the_api(api: Api) -> None:
    (token, _), (other, other_id) = [await member(api) for _ in range(2)]
    group = await group_of(api, token, other_id)
    source = await uploaded(api, token, group)
    received = api.services.metrics.file_bytes_received.count
    copy = await copied(api, other, source["file_id"], "elsewhere")
    assert api.services.metrics.file_bytes_received.count == received
    same = ("filename", "size_bytes", "mimetype", "checksum")
    assert [copy[name] for name in same] == [source[name] for name in same]
    assert (copy["conversation_id"], copy["uploader_id"]) == ("elsewhere", other_id)
    assert copy["file_id"] != source["file_id"]
    assert copy["storage_path"] == f"elsewhere/{copy['file_id']}.pdf"
    path = f"/v1/files/{copy['file_id']}/content"
    async with api.session.get(path, headers={"Authorization": f"Bearer {other}"}) as content:
        assert await content.read() == DATA
    assert await statuses(api, token, copy["file_id"]) == [404] * 3
    sent = await api.call("POST", "/v1/messages", api.message("elsewhere", file_id=copy["file_id"]), other)
    assert sent.status == 202


async def test_a_copy_outlives_its_source_and_the_source_its_copy(api: Api) -> None:
    token, _ = await member(api)
    source = (await uploaded(api, token))["file_id"]
    first, second = [(await copied(api, token, source, "c-2"))["file_id"] for _ in range(2)]
    assert await delete(api, token, first) == 204
    assert await statuses(api, token, source) == [200] * 3
    assert await delete(api, token, source) == 204
    assert await statuses(api, token, second) == [200] * 3
    assert (await copied(api, token, source, "c-2", 410))["type"].endswith(":gone")
    assert (await copied(api, token, second, "c-1"))["conversation_id"] == "c-1"


async def test_who_may_copy_a_file_and_where_to(api: Api) -> None:
    (token, _), (stranger, _) = [await member(api) for _ in range(2)]
    file_id = (await uploaded(api, token))["file_id"]
    await api.send(stranger, "theirs")
    await copied(api, stranger, file_id, "theirs", 404)
    await copied(api, token, file_id, "theirs", 403)
    assert len(api.files.rows) == len(api.file_store.objects) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"conversation_id": ""},
        {"conversation_id": ".."},
        {"conversation_id": 5},
        {"conversation_id": "c-2", "conversation": "c-3"},
        [],
        None,
    ],
)
async def test_a_copy_needs_a_conversation_that_can_be(api: Api, body: object) -> None:
    token, _ = await member(api)
    file_id = (await uploaded(api, token))["file_id"]
    assert (await api.call("POST", f"/v1/files/{file_id}/copy", body, token)).status == 400


async def test_a_copy_that_breaks_off_leaves_what_the_sweeper_clears_away(api: Api) -> None:
    token, _ = await member(api)
    file = await uploaded(api, token)
    api.file_store.failing = {"copy"}
    await copied(api, token, file["file_id"], "c-2", 503)
    (left,) = [row for row in api.files.rows.values() if isinstance(row, Upload)]
    assert left.expires_at_ms <= api.clock() + api.settings.upload_hold_seconds * 1000
    assert not left.size_bytes  # nobody goes on with it
    api.file_store.failing = set()
    del api.file_store.objects[file["storage_path"]]
    await copied(api, token, file["file_id"], "c-2", 404)


async def test_a_file_is_forwarded_to_a_person(api: Api) -> None:
    (token, _), (other, other_id) = [await member(api) for _ in range(2)]
    file_id = (await uploaded(api, token))["file_id"]
    answer = await api.call("POST", f"/v1/files/{file_id}/copy", {"recipient_id": other_id}, token)
    assert answer.status == 201, await answer.text()
    copy = await answer.json()
    assert await statuses(api, other, copy["file_id"]) == [200] * 3
    body = api.message(..., recipient_id=other_id, file_id=copy["file_id"])
    assert (await api.call("POST", "/v1/messages", body, token)).status == 202
    both = {"recipient_id": other_id, "conversation_id": "c-2"}
    assert (await api.call("POST", f"/v1/files/{file_id}/copy", both, token)).status == 400
