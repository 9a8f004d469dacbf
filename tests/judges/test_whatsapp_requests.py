"""Each request of our WhatsApp connector validates against Meta's own OpenAPI description (v23.0).

What the description leaves out, or has wrong, and what these tests therefore do:

* a kind's schema forbids the fields of its own envelope (``allOf`` with ``additionalProperties: false``), so nothing
  at all would validate: the envelope and the kind are validated each by its schema, and no other field may be there;
* ``biz_opaque_callback_data`` and, for a business-scoped id, ``recipient`` in place of ``to`` are not described;
* ``interactive`` has no ``cta_url``: its body is validated, and not its action;
* ``index`` of a template's button has the pattern ``^[2-6, 11-14]$``, which refuses 0, the first button;
* a form's field ``type``, ``typing_indicator`` and ``parameter_name`` are not described; additional fields are allowed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.whatsapp.connector import WhatsAppConnector
from domain.attachments import MediaKind, MediaPlan
from domain.errors import Unavailable
from domain.files import FileMetadata
from domain.inbound import Media
from domain.outcomes import Sent
from domain.ports import Attachment
from domain.records import DeliveryRequested

from .meta import Meta

REQUEST = DeliveryRequested("m-1", "c-1", "u", "whatsapp:+5511999990000", "hi", None, 1, 0)
NOT_DESCRIBED = {"biz_opaque_callback_data", "recipient"}
TEMPLATE = {
    "name": "order",
    "language": "pt_BR",
    "parameters": {"header": ["h"], "body": {"day": "x"}, "buttons": {"1": "tail"}},
}
MENU = {
    "kind": "list",
    "button": "Open",
    "sections": [{"title": "A", "rows": [{"id": "1", "title": "One", "description": "first"}]}],
}


@dataclass
class Recorder:
    """A server that takes everything, and what it took."""

    requests: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        is_form = request.content_type.startswith("multipart/")
        body: Any = dict(await request.post()) if is_form else await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path, dict(request.query), body))
        return web.json_response(
            {"id": "77", "messages": [{"id": "wamid.1"}], "contacts": [{"input": "1", "wa_id": "5511999990000"}]}
        )


@pytest.fixture(scope="module")
def meta(judges: Path) -> Meta:
    return Meta(judges)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def connector(recorder: Recorder) -> AsyncIterator[WhatsAppConnector]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", recorder.take)
    async with TestServer(app) as server:
        options = {"phone_number_id": "1065", "base_url": str(server.make_url("/v26.0"))}
        made = WhatsAppConnector(options, "token")
        yield made
        await made.close()


def file_of(kind: MediaKind, caption: str = "") -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        yield b"x"

    metadata = FileMetadata("a.pdf", 1, "application/pdf", "sha256:0", "k")
    return Attachment(MediaPlan(kind, caption, ("more",)), metadata, "https://files.example.org/1", read)


def message_faults(meta: Meta, document: dict[str, Any]) -> list[str]:
    """Return what the description finds wrong with a message."""
    kind = document["type"].capitalize()
    envelope, own = meta.schemas[f"{kind}Message"]["allOf"]
    described = {*meta.schemas["BaseMessageProperties"]["properties"], *own["properties"]}
    others = {*document} - described - NOT_DESCRIBED
    faults = [f"not described: {name}" for name in sorted(others)]
    whole = {"to": "of a business-scoped id", **document} if "recipient" in document else document
    faults += meta.faults(envelope, {name: value for name, value in whole.items() if name not in NOT_DESCRIBED})
    kinds = {name: value for name, value in document.items() if name in own["properties"]}
    interactive = kinds.get("interactive", {})
    if interactive.get("type") == "cta_url":
        return faults + meta.faults(meta.schema("BodyObject"), interactive["body"])
    return faults + meta.faults({**own, "components": meta.components}, kinds)


@pytest.mark.parametrize(
    ("changes", "file"),
    [
        pytest.param({}, None, id="text"),
        pytest.param({"target_id": "wamid.0", "reply_to": "m"}, None, id="reply"),
        pytest.param({"recipient_id": "whatsapp:BR.1502576394655843"}, None, id="business-scoped id"),
        pytest.param({"kind": "template", "body": TEMPLATE}, None, id="template"),
        pytest.param({"kind": "template", "body": {"name": "n", "language": "en"}}, None, id="template alone"),
        *(
            pytest.param(
                {"kind": "template", "body": {"name": "n", "language": "en", "parameters": {"body": ["x"]}}},
                replace(file_of(kind), handle=handle),
                id=f"template with {kind} by {'id' if handle else 'link'}",
            )
            for kind in (MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.DOCUMENT)
            for handle in (None, "77")
        ),
        pytest.param(
            {"kind": "interactive", "body": {"kind": "buttons", "buttons": [{"id": "y", "title": "Yes"}]}},
            None,
            id="buttons",
        ),
        pytest.param({"kind": "interactive", "body": MENU}, None, id="list"),
        pytest.param(
            {"kind": "interactive", "body": {"kind": "link", "title": "Go", "url": "https://x.org"}}, None, id="link"
        ),
        pytest.param({"kind": "location", "body": {"latitude": 1, "longitude": 2.5, "name": "A"}}, None, id="location"),
        pytest.param(
            {"kind": "reaction", "body": {"message_id": "m", "emoji": "👍"}, "target_id": "wamid.0"},
            None,
            id="reaction",
        ),
        pytest.param({}, file_of(MediaKind.IMAGE, "look"), id="image by link"),
        pytest.param({}, replace(file_of(MediaKind.VIDEO, "look"), handle="77"), id="video by id"),
        pytest.param({}, replace(file_of(MediaKind.AUDIO), handle="77"), id="audio"),
        pytest.param({}, replace(file_of(MediaKind.DOCUMENT, "look"), handle="77"), id="document"),
        pytest.param({}, file_of(MediaKind.LINK), id="link to a file"),
    ],
)
async def test_each_kind_of_message(
    meta: Meta, recorder: Recorder, connector: WhatsAppConnector, changes: dict[str, Any], file: Attachment | None
) -> None:
    assert isinstance(await connector.send(replace(REQUEST, **changes), 1, file), Sent)
    assert recorder.requests
    for method, path, query, body in recorder.requests:
        assert (method, path, query) == ("POST", "/v26.0/1065/messages", {})
        assert message_faults(meta, body) == []


async def test_a_read_mark(meta: Meta, recorder: Recorder, connector: WhatsAppConnector) -> None:
    await connector.mark_read("wamid.0", is_typing=True)
    [(method, path, _, body)] = recorder.requests
    assert (method, path) == ("POST", "/v26.0/1065/messages")
    assert meta.faults(meta.schema("MarkMessageRequestPayload"), body) == []


async def test_files_and_history_are_asked_for_as_described(
    meta: Meta, recorder: Recorder, connector: WhatsAppConnector
) -> None:
    await connector.upload(file_of(MediaKind.DOCUMENT))
    await connector.history("wamid.1")
    with pytest.raises(Unavailable):  # the recorder names no url
        async with aclosing(connector.fetch(Media("77"), 10)) as chunks:
            await anext(chunks)
    upload, history, media = recorder.requests
    assert upload[:3] == ("POST", "/v26.0/1065/media", {})
    assert {"file", "messaging_product"} <= {*upload[3]}
    for (method, path, query, _), operation in (
        (history, "/{Version}/{Phone-Number-ID}/message_history"),
        (media, "/{Version}/{Media-ID}"),
    ):
        assert method == "GET"
        assert path == operation.format_map({"Version": "v26.0", "Phone-Number-ID": "1065", "Media-ID": "77"})
        assert {*query} <= meta.query_names(operation)
