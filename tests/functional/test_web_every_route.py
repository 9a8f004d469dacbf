"""Who may call what: every route with a stranger's token, an expired one, one of another key, a forged one, and none.

A new route needs an entry in ``ROUTES`` below: ``PUBLIC`` if it needs no token, else an ``Access``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import FormData, WSMsgType
from jose import jwt

from app.kafka.codec import encode
from domain.ports import Admin
from domain.records import DeadLetter, DeliveryRequested
from fakes.message_log import NOW_MS
from support.api import Api
from web.uploads.tus import OFFSET_STREAM

FORBIDDEN = frozenset({403, 404})
FINE = frozenset({200, 201, 202, 204, 207})


@dataclass(frozen=True)
class Access:
    """A route behind a token. In ``path``, ``query`` and ``body`` stand names of ``World.names`` in braces.

    ``member``: what somebody gets who is in the conversation, which proves that the request is a good one.
    ``stranger``: what others may get, ``FORBIDDEN`` where it is about a conversation; ``FINE`` where everybody has
    such a thing of their own. Nobody else ever gets to read what is secret. ``nobody``: without a valid token.
    """

    path: str = ""
    query: str = ""
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    form: Any = None  # in place of a body, its values texts or the bytes of a file
    member: int = 200
    stranger: frozenset[int] = FORBIDDEN
    nobody: frozenset[int] = field(default_factory=lambda: frozenset({401}))


PUBLIC = None


def for_admins(path: str = "", body: object = None) -> Access:
    return Access(path, body=body, stranger=frozenset({403}))


def for_providers(path: str) -> Access:
    nobody = frozenset({404})
    return Access(path, member=404, stranger=nobody, nobody=nobody)


LETTER = "/v1/admin/dead-letters/0-0"
ACCOUNT = "/v1/admin/channels/whatsapp/default"

MESSAGE = {"conversation_id": "{conversation}", "recipient_id": "telegram:5", "content": "hi"}
TUS = {"Tus-Resumable": "1.0.0"}
IN_CONVERSATION = f"conversation_id {base64.b64encode(b'the-conversation').decode()}"
ROUTES: dict[str, Access | None] = {
    "POST /users": PUBLIC,
    "POST /auth/register": PUBLIC,
    "POST /auth/login": PUBLIC,
    "POST /auth/token": PUBLIC,
    "POST /auth/refresh": PUBLIC,
    "POST /auth/logout": Access(body={"refresh_token": "{refresh_token}"}, member=204),
    "GET /v1/users/me": Access(stranger=FINE),
    "POST /v1/users/identities": Access(body={"platform": "telegram", "value": "@another"}, member=201, stranger=FINE),
    "GET /v1/users/identities": Access(stranger=FINE),
    "DELETE /v1/users/identities/{platform}/{value}": Access("/v1/users/identities/telegram/@secret_handle"),
    "POST /v1/messages": Access(body=MESSAGE, member=202),
    # each message has its own answer; a stranger's are 403s (test_web_batches)
    "POST /v1/messages/batch": Access(body={"messages": [MESSAGE]}, member=207, stranger=frozenset({207})),
    "GET /v1/messages": Access(query="?conversation_id={conversation}"),
    "GET /v1/messages/{message_id}": Access("/v1/messages/{message}"),
    "GET /v1/messages/{message_id}/trace": Access("/v1/messages/{message}/trace"),
    "POST /v1/messages/{message_id}/read": Access("/v1/messages/{incoming}/read"),
    "GET /v1/conversations/{conversation_id}/messages": Access("/v1/conversations/{conversation}/messages"),
    "POST /v1/conversations": Access(body={"participants": ["telegram:5"]}, member=201, stranger=FINE),
    "GET /v1/conversations": Access(stranger=FINE),
    "GET /v1/conversations/{conversation_id}": Access("/v1/conversations/{conversation}"),
    "POST /v1/groups": Access(body={"name": "another"}, member=201, stranger=FINE),
    "GET /v1/groups/{group_id}": Access("/v1/groups/{group}"),
    "POST /v1/groups/{group_id}/members": Access("/v1/groups/{group}/members", body={"user_id": "telegram:5"}),
    "DELETE /v1/groups/{group_id}/members/{user_id}": Access("/v1/groups/{group}/members/telegram:7"),
    "PUT /v1/groups/{group_id}/admins/{user_id}": Access("/v1/groups/{group}/admins/{owner}"),
    # as plain HTTP; as a WebSocket see below
    "GET /notifications": Access(member=426, stranger=frozenset({426})),
    "POST /v1/files": Access(form={"conversation_id": "{conversation}", "file": b"another file"}, member=201),
    "GET /v1/files/{file_id}": Access("/v1/files/{file}"),
    "POST /v1/files/{file_id}/copy": Access("/v1/files/{file}/copy", body={"conversation_id": "mine"}, member=201),
    "DELETE /v1/files/{file_id}": Access("/v1/files/{file}", member=204),
    "GET /v1/files/{file_id}/download": Access("/v1/files/{file}/download"),
    "GET /v1/files/{file_id}/content": Access("/v1/files/{file}/content"),
    # its signature stands for a token: without one, nobody gets it (more in test_web_downloads)
    "GET /v1/files/{file_id}/link": Access("/v1/files/{file}/link", member=403, nobody=frozenset({403})),
    "OPTIONS /v1/uploads": PUBLIC,
    "POST /v1/uploads": Access(headers={**TUS, "Upload-Length": "3", "Upload-Metadata": IN_CONVERSATION}, member=201),
    "OPTIONS /v1/uploads/{upload_id}": PUBLIC,
    "HEAD /v1/uploads/{upload_id}": Access("/v1/uploads/{upload}", headers=TUS),
    "PATCH /v1/uploads/{upload_id}": Access(
        "/v1/uploads/{upload}", headers={**TUS, "Upload-Offset": "0", "Content-Type": OFFSET_STREAM}, member=204
    ),
    "DELETE /v1/uploads/{upload_id}": Access("/v1/uploads/{upload}", headers=TUS, member=204),
    "GET /v1/admin/dead-letters": for_admins(),
    "GET /v1/admin/dead-letters/{letter_id}": for_admins(LETTER),
    "POST /v1/admin/dead-letters/{letter_id}/redrive": for_admins(f"{LETTER}/redrive"),
    "POST /v1/admin/dead-letters/{letter_id}/discard": for_admins(f"{LETTER}/discard"),
    "POST /v1/admin/dead-letters/redrive": for_admins(body={"all": True}),
    "POST /v1/admin/dead-letters/discard": for_admins(body={"all": True}),
    "GET /v1/admin/channels": for_admins(),
    "GET /v1/admin/users/{user}": for_admins("/v1/admin/users/{owner}"),
    "GET /v1/admin/flow": for_admins(),
    "POST /v1/admin/channels/{channel}/{account}/pause": for_admins(f"{ACCOUNT}/pause"),
    "POST /v1/admin/channels/{channel}/{account}/resume": for_admins(f"{ACCOUNT}/resume"),
    # for providers: the signature stands for a token, and no account has a secret here (more in test_web_webhooks)
    "GET /webhooks/{channel}": for_providers("/webhooks/telegram"),
    "POST /webhooks/{channel}": for_providers("/webhooks/telegram"),
    "GET /webhooks/{channel}/{account}": for_providers("/webhooks/telegram/default"),
    "POST /webhooks/{channel}/{account}": for_providers("/webhooks/telegram/default"),
    "GET /health": PUBLIC,
    "GET /health/ready": PUBLIC,
    "GET /actuator/health": PUBLIC,
    "GET /metrics": PUBLIC,
    "GET /actuator/prometheus": PUBLIC,
    "GET /openapi.json": PUBLIC,
    "GET /docs": PUBLIC,
    "GET /": PUBLIC,
    "GET /console/{name}": PUBLIC,
}
GUARDED = [name for name, access in ROUTES.items() if access is not None]
INVALID = [
    "none",
    "of another key",
    "unsigned",
    "unsigned with a signature",
    "changed",
    "no token",
    "expired",  # moves the clock, so it comes last
]
SECRETS = ("secret content", "secret group", "secret description", "secret@example.org", "secret_handle", "secret_name")


def routes_of(api: Api) -> Iterator[str]:
    for route in api.app.router.routes():
        methods = {other.method for other in route.resource}
        if route.method != "HEAD" or "GET" not in methods:
            yield f"{route.method} {route.resource.canonical}"


class World:
    """A conversation, a group and whatever else a stranger must not reach, and tokens of all kinds."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.names: dict[str, str] = {}
        self.tokens: dict[str, str | None] = {"none": None}

    async def begin(self) -> None:
        api = self.api
        body = {"username": "owner", "password": "correct horse battery", "email": "secret@example.org"}
        assert (await api.call("POST", "/users", body)).status == 201
        handle = {"platform": "telegram", "value": "@secret_handle"}
        owner, stranger = await api.login("owner"), await api.login(await api.register())
        assert (await api.call("POST", "/v1/users/identities", handle, owner["token"])).status == 201
        sent = await api.send(owner["token"], "the-conversation", "secret content")
        body = {"name": "secret group", "description": "secret description", "initial_members": ["telegram:7"]}
        group = await (await api.call("POST", "/v1/groups", body, owner["token"])).json()
        to_owner = {"conversation_id": "incoming", "recipient_id": owner["user_id"], "content": "secret content"}
        incoming = await (await api.call("POST", "/v1/messages", to_owner, await api.somebody())).json()
        form = FormData(default_to_multipart=True)
        form.add_field("conversation_id", "the-conversation")
        form.add_field("file", b"secret content of a file", filename="secret_name.txt")
        file = await (await api.call("POST", "/v1/files", token=owner["token"], data=form)).json()
        headers = {**TUS, "Upload-Length": "3", "Upload-Metadata": IN_CONVERSATION}
        begun = await api.call("POST", "/v1/uploads", token=owner["token"], headers=headers)
        await api.admins.grant(Admin(owner["user_id"], "owner", 0, "root"))
        request = DeliveryRequested(
            "m", "the-conversation", "u", "whatsapp:+5511999990000", "secret content", None, 1, 1
        )
        letter = DeadLetter("whatsapp-outbound", 0, 0, "expired", "", b"the-conversation", encode(request), NOW_MS)
        await api.record_log.write("dead-letters", 0, letter.key, encode(letter))
        self.names = {
            "file": file["file_id"],
            "upload": begun.headers["Location"].rpartition("/")[2],
            "conversation": "the-conversation",
            "message": sent["message_id"],
            "incoming": incoming["message_id"],
            "group": group["group_id"],
            "owner": owner["user_id"],
            "stranger": stranger["user_id"],
            "refresh_token": owner.get("refresh_token", ""),
        }
        claims, header = jwt.get_unverified_claims(owner["token"]), jwt.get_unverified_header(owner["token"])
        parts = [json.dumps(part).encode() for part in ({**header, "alg": "none"}, claims)]
        unsigned = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        head, _, signature = owner["token"].split(".")
        changed = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "somebody"}).encode()).decode().rstrip("=")
        self.tokens |= {
            "owner": owner["token"],
            "stranger": stranger["token"],
            "of another key": jwt.encode(claims, "another key, long enough for HS256", "HS256", headers=header),
            "unsigned": f"{unsigned}.",
            "unsigned with a signature": f"{unsigned}.{signature}",
            "changed": f"{head}.{changed}.{signature}",
            "expired": owner["token"],
            "no token": "nonsense",
        }

    async def call(self, name: str, token: str) -> Any:
        """Return the answer of the route ``name``."""
        access, (method, pattern) = ROUTES[name], name.split(" ", 1)
        assert access is not None
        path = self._filled((access.path or pattern) + access.query)
        body: Any = json.loads(self._filled(json.dumps(access.body)))
        if access.form is not None:
            data = FormData(default_to_multipart=True)
            for field_name, value in access.form.items():
                is_file = isinstance(value, bytes)
                data.add_field(field_name, value if is_file else self._filled(value), filename="f" if is_file else None)
            more = {"data": data}
        else:
            more = {"json": body, "headers": access.headers}
        if token == "expired":
            self.api.clock.now_ms += self.api.settings.jwt_ttl_seconds * 1000
        return await self.api.call(method, path, token=self.tokens[token], **more)

    def _filled(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace("{" + name + "}", value)
        return text


@pytest.fixture
async def world(api: Api) -> World:
    world = World(api)
    await world.begin()
    return world


async def test_every_route_has_an_entry_here(api: Api) -> None:
    found = list(routes_of(api))
    assert len(found) == len(set(found)), "a route is there twice"
    assert set(found) - set(ROUTES) == set(), "new routes: say above who may call them"
    assert set(ROUTES) - set(found) == set(), "routes that are no more"


@pytest.mark.parametrize("name", GUARDED)
async def test_who_takes_part_gets_in(world: World, name: str) -> None:
    answer = await world.call(name, "owner")
    assert answer.status == ROUTES[name].member, await answer.text()


@pytest.mark.parametrize("name", GUARDED)
async def test_a_stranger_reaches_nothing_of_others(world: World, name: str) -> None:
    answer = await world.call(name, "stranger")
    assert answer.status in ROUTES[name].stranger, await answer.text()
    text = (await answer.text()).replace(answer.url.raw_path, "")  # what they said themselves
    assert not [secret for secret in SECRETS if secret in text]
    # and nothing of it was done, either
    assert not [message for message, _, _ in world.api.log.records if message.sender_id == world.names["stranger"]]
    assert len([records for records in world.api.record_log.topics.values() if records]) == 1
    assert len((await world.api.conversations.get(world.names["group"])).members) == 2


@pytest.mark.parametrize("name", GUARDED)
async def test_without_a_valid_token_nothing_is_reached(world: World, name: str) -> None:
    before = len(world.api.log.records), len(world.api.conversations.members)
    for kind in INVALID:
        answer = await world.call(name, kind)
        assert answer.status in ROUTES[name].nobody, (kind, await answer.text())
        text = (await answer.text()).replace(answer.url.raw_path, "")
        assert not [secret for secret in SECRETS if secret in text], kind
        assert (len(world.api.log.records), len(world.api.conversations.members)) == before, kind
        assert len([records for records in world.api.record_log.topics.values() if records]) == 1, kind


@pytest.mark.parametrize("name", [name for name, access in ROUTES.items() if access is PUBLIC])
async def test_what_is_public_needs_no_token_and_tells_no_secret(world: World, name: str) -> None:
    method, path = name.split(" ")
    answer = await world.api.call(method, path.format(upload_id="x", name="app.js"), {} if method == "POST" else None)
    assert answer.status not in (401, 403, 404, 405)
    text = await answer.text()
    assert not [secret for secret in (*SECRETS, *world.names.values()) if secret and secret in text]


@pytest.mark.parametrize("kind", INVALID)
async def test_without_a_valid_token_a_websocket_is_closed(world: World, kind: str) -> None:
    if kind == "expired":
        world.api.clock.now_ms += world.api.settings.jwt_ttl_seconds * 1000
    async with world.api.session.ws_connect(f"/notifications?token={world.tokens[kind] or ''}") as socket:
        frame = await socket.receive(5)
    assert (frame.type, frame.data) == (WSMsgType.CLOSE, 1008)
