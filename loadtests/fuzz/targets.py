"""The parsers of outside input, grouped by the sender of that input."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import orjson
from hypothesis import strategies as st

from channels.instagram import errors as instagram_errors
from channels.instagram.webhooks import PROTOCOL as INSTAGRAM
from channels.meta import webhooks as meta
from channels.provider import answers as provider_answers
from channels.telegram import errors as telegram_errors
from channels.telegram.webhooks import PROTOCOL as TELEGRAM
from channels.whatsapp import errors as whatsapp_errors
from channels.whatsapp.webhooks import PROTOCOL as WHATSAPP
from domain.addresses import parse_participant, parse_recipient
from domain.emoji import is_emoji
from domain.errors import InvalidInput, NotAuthenticated
from domain.files import safe_filename
from domain.ranges import Unsatisfiable, range_of
from domain.signed_links import link_key, validate
from domain.text import fault_of
from loadtests.fuzz.inputs import ODD_TEXTS, documents, garbled, nested, objects
from loadtests.fuzz.target import Target
from web.accounts.tokens import Tokens
from web.contract.account_requests import CreateUser, LinkIdentity
from web.contract.conversation_requests import CreateConversation, CreateGroup
from web.contract.message_requests import CreateMessage, ListMessages
from web.conversations.listing import LIST_CURSOR
from web.errors import FieldErrors
from web.http.bodies import validated
from web.http.client_address import ClientAddresses
from web.http.client_frames import ClientFrames
from web.http.json_bounds import has_too_many_values
from web.http.repeated_names import may_repeat
from web.uploads import tus
from web.uploads.field_headers import parameters_of
from web.uploads.multipart import FormEnded, MalformedForm, MultipartParser

NOW_MS = 1_764_342_000_000
SECRET = "a secret of the fuzzer" * 2
_TOKENS = Tokens(SECRET, ttl_seconds=3_600, clock_ms=lambda: NOW_MS)
_ADDRESSES = ClientAddresses("127.0.0.0/8,10.0.0.0/8,::1")
_FRAME_BYTES = 4_096
_texts = st.text(max_size=300) | st.sampled_from(ODD_TEXTS)
_statuses = st.sampled_from((200, 201, 204, 301, 400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504))


def _webhook(protocol: Any) -> Any:
    return lambda body: list(protocol.parse(body, NOW_MS))


def _schema(schema: Any, *, strict: bool = True) -> Any:
    return lambda document: validated(schema, document, strict=strict)


def _body(body: bytes) -> object:
    """Do what ``web/http/bodies.py`` does with a body before it has a schema."""
    if has_too_many_values(body):
        return None
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return may_repeat(body, document)


def _form(body: bytes) -> int:
    parser, events = MultipartParser(b"b"), 0
    parser.feed(body)
    parser.feed(b"")
    while not isinstance(parser.next_event(), FormEnded):
        events += 1
        assert events <= len(body) + 10, "the parser does not end"
    return events


class _Sink:
    def __init__(self) -> None:
        self.bytes = 0

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.bytes += len(data)
        return False, b""

    def feed_eof(self) -> None:
        """Nothing follows."""


def _frames(chunks: list[bytes]) -> None:
    sink = _Sink()
    frames = ClientFrames(sink)
    for chunk in chunks:
        frames.feed_data(chunk)
        assert len(frames._head) <= 16, "an incomplete header grows"
    assert sink.bytes <= sum(map(len, chunks)) + 2 * len(chunks) + 16


def _forwarded(text: str) -> str:
    request = SimpleNamespace(remote="127.0.0.1", headers=SimpleNamespace(getall=lambda name, default: [text]))
    return _ADDRESSES.of(cast(Any, request))


def _link(parts: tuple[str, str, str]) -> object:
    return validate([link_key(SECRET)], *parts, NOW_MS)


_outcomes = st.tuples(_statuses, objects("channels.provider.answers"), st.none() | _texts)


def _headers(*names: str) -> Any:
    ascii_values = st.text(st.characters(max_codepoint=255), max_size=200)
    packed = st.binary(max_size=60).map(lambda raw: "filename " + base64.b64encode(raw).decode())
    whole = st.sampled_from(("0", "1", "-1", "1" * 30, "1.0", " 1", "+1"))
    return st.dictionaries(st.sampled_from(names), ascii_values | packed | whole, max_size=len(names))


_tokens = st.builds(
    lambda name, sid: _TOKENS.issue(name, name, sid).encode(), st.text(max_size=20), st.text(max_size=10)
)
_disposition = b'Content-Disposition: form-data; name="a"; filename="b.txt"'
_forms = st.lists(
    st.sampled_from((b"--b", b"--b--", b"\r\n", b"\r\n\r\n", _disposition, b"x" * 100, b"--", b"\n")), max_size=20
).map(b"".join)


def _all() -> Iterator[Target]:
    graph = "channels.meta.webhooks"
    whatsapp = ("channels.whatsapp.webhooks", "channels.whatsapp.inbound", "channels.whatsapp.fields", graph)
    entry = st.lists(documents(*whatsapp), max_size=3)
    yield Target(
        "WhatsApp's webhooks",
        objects(*whatsapp, object=st.just("whatsapp_business_account"), entry=entry),
        _webhook(WHATSAPP),
        (InvalidInput,),
    )
    instagram = ("channels.instagram.webhooks", "channels.instagram.messages", graph)
    yield Target(
        "Instagram's webhooks",
        objects(*instagram, object=st.just("instagram"), entry=st.lists(documents(*instagram), max_size=3)),
        _webhook(INSTAGRAM),
        (InvalidInput,),
    )
    yield Target(
        "Telegram's webhooks",
        objects("channels.telegram.webhooks", "channels.telegram.fields", update_id=st.integers(0, 2**40)),
        _webhook(TELEGRAM),
        (InvalidInput,),
    )
    yield Target(
        "Meta's signature",
        st.tuples(st.dictionaries(st.sampled_from((meta.SIGNATURE_HEADER, "x")), _texts), st.binary(max_size=100)),
        lambda given: meta.is_signed(given[0], given[1], SECRET),
    )
    yield Target(
        "Meta's challenge",
        st.dictionaries(st.sampled_from(("hub.mode", "hub.verify_token", "hub.challenge")), _texts),
        lambda query: meta.challenge(query, SECRET),
    )
    yield from _answers()
    yield from _clients()


def _answered(read: Callable[[int, bytes, str | None, int], object]) -> Callable[[Any], object]:
    return lambda answer: read(answer[0], answer[1], answer[2], NOW_MS)


def _answers() -> Iterator[Target]:
    yield Target("the provider's answers", _outcomes, lambda a: provider_answers.outcome_of(a[0], a[1], a[2], NOW_MS))
    yield Target("the provider's look-ups", _outcomes, lambda a: provider_answers.found_of(a[0], a[1]))
    for name, read in (("WhatsApp", whatsapp_errors.refusal_of), ("Instagram", instagram_errors.outcome_of)):
        modules = (f"channels.{name.lower()}.errors", "channels.meta.errors")
        given = st.tuples(_statuses, objects(*modules, error=documents(*modules)), st.none() | _texts)
        yield Target(f"{name}'s answers", given, _answered(read))
    telegram = objects("channels.telegram.errors", ok=st.booleans(), parameters=documents("channels.telegram.errors"))
    yield Target(
        "Telegram's answers",
        st.tuples(_statuses, telegram),
        lambda a: telegram_errors.outcome_of(a[0], a[1], 4711),
    )


def _clients() -> Iterator[Target]:
    bodies = objects("web.contract.message_requests") | st.integers(1, 3_000).map(nested)
    yield Target("JSON bodies", bodies, _body)
    kinds = ("web.contract.message_requests", "web.contract.kind_requests", "web.contract.kind_bodies")
    for name, schema, modules in (
        ("messages", CreateMessage, kinds),
        ("conversations", CreateConversation, ("web.contract.conversation_requests",)),
        ("groups", CreateGroup, ("web.contract.conversation_requests",)),
        ("users", CreateUser, ("web.contract.account_requests",)),
        ("identities", LinkIdentity, ("web.contract.account_requests",)),
    ):
        fields = st.sampled_from(tuple(schema.model_fields))
        documents_of = st.dictionaries(fields | st.text(max_size=10), documents(*modules), max_size=8)
        yield Target(f"requests for {name}", documents_of, _schema(schema), (FieldErrors, InvalidInput))
    queries = st.dictionaries(st.sampled_from(tuple(ListMessages.model_fields)), _texts)
    yield Target("queries", queries, _schema(ListMessages, strict=False), (FieldErrors, InvalidInput))
    yield Target("cursors", _texts, LIST_CURSOR.decode, (ValueError,))
    tokens = (garbled(_tokens).map(lambda raw: raw.decode("latin-1")) | _texts).map(lambda text: f"Bearer {text}")
    yield Target("tokens", tokens | _texts, _TOKENS.caller_of, (NotAuthenticated,))
    yield Target("addresses", _texts | st.builds("{}:{}".format, _texts, _texts), parse_recipient, (InvalidInput,))
    yield Target("participants", _texts, parse_participant, (InvalidInput,))
    yield Target("emojis", _texts, is_emoji)
    yield Target("texts", _texts, fault_of)
    yield Target("filenames", _texts, safe_filename)
    yield Target("X-Forwarded-For", _texts, _forwarded)
    yield Target("ranges", _texts, lambda text: range_of(text, 10_000), (Unsatisfiable,))
    yield Target("links to files", st.tuples(_texts, _texts, _texts), _link)
    yield Target("forms", _forms | garbled(_forms), _form, (MalformedForm,))
    yield Target("headers of form fields", _texts, parameters_of, (ValueError,))
    upload = _headers("Upload-Length", "Upload-Metadata", "Upload-Defer-Length")
    yield Target("tus: creations", upload, tus.creation_of, (FieldErrors, InvalidInput))
    offset = _headers("Upload-Offset")
    yield Target("tus: offsets", offset, tus.offset_of, (InvalidInput,))
    digest = _headers("Upload-Checksum", "Content-Digest", "Repr-Digest")
    yield Target("tus: digests", digest, tus.digest_of, (InvalidInput,))
    yield Target("WebSocket frames", st.lists(st.binary(max_size=_FRAME_BYTES), max_size=8), _frames)


TARGETS: Mapping[str, Target] = {target.name: target for target in _all()}
