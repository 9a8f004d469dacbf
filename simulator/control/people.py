"""``/phones``: the people, their screens and their manners. ``acts.py`` has their acts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from simulator.accounts import CHANNELS, WHATSAPP
from simulator.control.fields import BadRequest, body_of, digits, flag, number, text
from simulator.network import Network
from simulator.phones import AlreadyTaken, BookIsFull, Person, Reads
from simulator.stories import Scene, source

MOST_PAGE = 1_000
_MADE_OF = frozenset({"id", "name", "number", "handle", "user_id"})
_MANNERS = frozenset(
    {"hides_number", "reads", "receipts", "online", "answers", "presses", "refuses", "throttles", "window"}
)

_ON_A_MESSAGE = frozenset({"react", "press", "reply"})


class People:
    """The handlers of one server."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def index(self, request: web.Request) -> web.Response:
        """``GET /phones?after=&limit=``: a page of the book."""
        after, limit = paging(request, MOST_PAGE)
        people = list(self._network.phones)
        page = people[after : after + limit]
        following = after + len(page) if after + len(page) < len(people) else None
        return web.json_response({"phones": [described(person) for person in page], "next": following})

    async def make(self, request: web.Request) -> web.Response:
        """``POST /phones``: a new phone; nothing needs to be given."""
        document = await body_of(request, _MADE_OF | _MANNERS)
        try:
            person = self._network.phones.make(
                id=text(document, "id"),
                name=text(document, "name"),
                number=digits(document, "number"),
                handle=text(document, "handle").removeprefix("@"),
                user_id=text(document, "user_id"),
            )
        except AlreadyTaken:
            raise BadRequest("somebody has this id, number or handle already", 409) from None
        except BookIsFull:
            raise BadRequest("there is no room for another phone", 507) from None
        set_manners(person, document)
        return web.json_response(described(person), status=201)

    async def show(self, request: web.Request) -> web.Response:
        """``GET /phones/{id}``."""
        return web.json_response(described(self.person(request)))

    async def change(self, request: web.Request) -> web.Response:
        """``PATCH /phones/{id}``: other manners, or another name."""
        person = self.person(request)
        document = await body_of(request, _MANNERS | {"name"})
        name = text(document, "name", person.name)
        if not name:
            raise BadRequest("name: expected a text that is not empty")
        set_manners(person, document)
        person.name = name
        if person.is_online and person.pending:
            self._network.go_online(person)
        return web.json_response(described(person))

    def note(self, request: web.Request, raw: bytes, answer: web.Response) -> str:
        """Note an act as a step of the person's story; return the person's id."""
        person = self.person(request)
        act = request.path.rpartition("/")[2] if request.method == "POST" else "change"
        body = orjson.loads(raw) if raw.strip() else {}
        shown = person.found(str(body.get("message_id", "")))
        channel = str(body.get("channel", WHATSAPP if act == "send" else ""))
        if shown is not None:
            channel = shown.account[0]
        elif act in _ON_A_MESSAGE and isinstance(told := orjson.loads(answer.text or "{}"), dict) and "id" in told:
            channel = str(told.get("channel", ""))
            body = {**body, "message_id": told["id"]} if act != "reply" else body
        if act != "change":
            self._network.stories.acted(person.id, act, body, channel)
        return person.id

    async def test(self, request: web.Request) -> web.Response:
        """``GET /phones/{id}/test?channel=``: what happened on this telephone as a file for pytest."""
        person = self.person(request)
        channel = request.query.get("channel", WHATSAPP)
        if channel not in CHANNELS:
            raise BadRequest(f"channel: expected one of {', '.join(CHANNELS)}")
        manners = {"reads": str(person.reads)} | ({"answers": person.answers} if person.answers else {})
        callbacks = (url for key, url in self._network.accounts.callbacks.items() if key[0] == channel)
        api = "{0.scheme}://{0.netloc}".format(urlsplit(next(callbacks, "http://127.0.0.1:8080")))
        scene = Scene(channel, person.name, manners, api, str(request.url.origin()))
        text = source(scene, self._network.stories.of(person.id, channel))
        name = re.sub(r"\W+", "_", person.name.lower(), flags=re.ASCII).strip("_") or "somebody"
        headers = {"Content-Disposition": f'attachment; filename="test_{name}_on_{channel}.py"'}
        return web.Response(text=text, content_type="text/x-python", headers=headers)

    async def messages(self, request: web.Request) -> web.Response:
        """``GET /phones/{id}/messages?after=&limit=``: the screen, in the order in which the person sees it."""
        person = self.person(request)
        after, limit = paging(request, MOST_PAGE)
        first = max(0, after - person.forgotten)
        page = person.screen[first : first + limit]
        following = page[-1].number if first + len(page) < len(person.screen) else None
        rows = [shown.document() for shown in page]
        return web.json_response({"messages": rows, "forgotten": person.forgotten, "next": following})

    def person(self, request: web.Request) -> Person:
        """Return the person of the path. Raises ``BadRequest``."""
        name = request.match_info["id"]
        person = self._network.phones.find(name)
        if person is None:
            raise BadRequest(f"there is no phone {name:.60}; POST /phones makes one", 404)
        return person


def set_manners(person: Person, document: Mapping[str, Any]) -> None:
    """Set what ``document`` names. Raises ``BadRequest``."""
    reads = text(document, "reads", person.reads)
    if reads not in list(Reads):
        raise BadRequest(f"reads: expected one of {', '.join(Reads)}")
    window = text(document, "window", "open" if person.has_open_window else "closed")
    if window not in ("open", "closed"):
        raise BadRequest("window: expected open or closed")
    hides_number = flag(document, "hides_number", person.hides_number)
    if not hides_number and not person.number:
        raise BadRequest("hides_number: there is no number to show", 409)
    person.hides_number = hides_number
    person.reads = Reads(reads)
    person.has_open_window = window == "open"
    person.receipts = flag(document, "receipts", person.receipts)
    person.is_online = flag(document, "online", person.is_online)
    person.presses = flag(document, "presses", person.presses)
    person.answers = text(document, "answers", person.answers)
    person.refuses = number(document, "refuses", person.refuses, 10_000_000)
    person.throttles = number(document, "throttles", person.throttles, 100)


def described(person: Person) -> dict[str, Any]:
    """Return a person as a JSON object."""
    return {
        "id": person.id,
        "name": person.name,
        "number": f"+{person.number}" if person.number else None,
        "handle": person.handle or None,
        "user_id": person.user_id,
        "igsid": person.igsid,
        "chat_id": person.chat_id,
        "hides_number": person.hides_number,
        "reads": person.reads,
        "receipts": person.receipts,
        "online": person.is_online,
        "answers": person.answers,
        "presses": person.presses,
        "refuses": person.refuses,
        "throttles": person.throttles,
        "window": "open" if person.has_open_window else "closed",
        "blocked": [f"{channel}/{account}" for channel, account in sorted(person.blocked)],
        "messages": person.forgotten + len(person.screen),
        "pending": len(person.pending),
    }


def paging(request: web.Request, most: int) -> tuple[int, int]:
    """Return ``after`` and ``limit`` of the query. Raises ``BadRequest``."""
    after = number(request.query, "after", 0, 10**12)
    limit = number(request.query, "limit", min(100, most), most)
    if not limit:
        raise BadRequest("limit: expected at least 1")
    return after, limit
