"""One professional account on Instagram.

Options of the account: ``login`` names how it is set up, and with it the host and the kind of token:

* ``instagram``: Instagram Login, ``graph.instagram.com``, an Instagram user's token (the default);
* ``facebook``: Facebook Login, ``graph.facebook.com``, a Page's token;
* ``unified``: ``graph.facebook.com``, a system user's token, so ``ig_id`` has to say which account it is.

``ig_id``: the account's id, with which webhooks name it, too (``me`` in calls if it is absent). ``base_url`` replaces
that of the set-up: the host, and the version of the API (v25.0). ``human_agent = true``: a message
refused 24 hours after the person's last one is sent once more with that tag; only for accounts whose messages people
write. ``media_hosts``: the hosts from which inbound files are fetched. Secrets: ``token``, ``app_secret``,
``verify_token``.

Instagram fetches a file by its link, so the store of files has to be reachable for it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote, urlsplit

from channels.driver import Driver, Secret
from channels.http import Answer, HttpClient
from channels.http.client import HTTP_OPTIONS
from channels.instagram.errors import is_done, outcome_of
from channels.instagram.messages import Call, action, calls_of, igsid_of, tagged
from channels.meta import account_checks
from channels.parts import send_parts
from channels.payloads import part, payload_of, text
from domain.accounts import Account
from domain.errors import DeliveryFailed, MalformedRecord, Unavailable
from domain.inbound import Media, Person
from domain.outcomes import Refusal, Refused, SendOutcome, Sent, Unknown
from domain.ports import AccountFault, Attachment, ConnectorCapabilities, Receipt
from domain.records import DeliveryRequested
from domain.status import Status

log = logging.getLogger(__name__)

BASE_URLS: Mapping[str, str] = {  # checked 2026-11-27
    "instagram": "https://graph.instagram.com/v25.0",
    "facebook": "https://graph.facebook.com/v25.0",
    "unified": "https://graph.facebook.com/v25.0",
}
WANTED_FIELDS = ("messages", "messaging_seen", "message_reactions", "messaging_postbacks")
MEDIA_HOSTS = "cdninstagram.com, fbcdn.net, fbsbx.com"
_ID = re.compile(r"[0-9]{1,32}")
_YES = ("yes", "true", "1")


class InstagramConnector:
    """Raises ``ValueError`` for an unusable option."""

    channel = "instagram"
    capabilities = ConnectorCapabilities(
        echoes_token=False, receipts=frozenset({Status.READ}), reports_sends=True, handle_days=0
    )

    def __init__(self, options: Mapping[str, str], token: str, calls_at_once: int = 1_000) -> None:
        login, ig_id = options.get("login", "instagram"), options.get("ig_id", "")
        if login not in BASE_URLS:
            raise ValueError(f"option login is {login!r}, expected one of {', '.join(BASE_URLS)}")
        if ig_id and not _ID.fullmatch(ig_id):
            raise ValueError(f"option ig_id is {ig_id!r}, expected the number of the account")
        if login == "unified" and not ig_id:
            raise ValueError(
                "option ig_id is needed with login = unified: a system user's token is of several accounts"
            )
        url = options.get("base_url", BASE_URLS[login])
        self._account = ig_id or "me"
        self._messages = f"{self._account}/messages"
        # with the other set-ups they belong to the Page, which the options do not name
        self._subscriptions = "me/subscribed_apps" if login == "instagram" else ""
        self._has_human_agent = options.get("human_agent", "").lower() in _YES
        hosts = options.get("media_hosts", MEDIA_HOSTS).split(",")
        self._media_hosts = tuple(host.strip().lower() for host in hosts if host.strip())
        self._own_host = (urlsplit(url).hostname or "").lower()
        self._http = HttpClient(
            url,
            options,
            headers={"Authorization": f"Bearer {token}"},
            secrets=(token,),
            calls_at_once=calls_at_once,
        )

    async def send(self, request: DeliveryRequested, attempt: int, attachment: Attachment | None = None) -> SendOutcome:
        igsid = igsid_of(request)
        if isinstance(igsid, Refused):
            return igsid
        try:
            calls = calls_of(request, attachment, igsid)
        except MalformedRecord as error:
            return Refused("invalid-content", str(error))
        if isinstance(calls, Refused):
            return calls
        return await send_parts(calls, self._send)

    async def upload(self, attachment: Attachment) -> str:
        """Read the file to its end, so that a corrupt one is found before its link is sent."""
        async for _ in attachment.read():
            pass
        return ""

    async def look_up(self, request: DeliveryRequested, attempt: int) -> SendOutcome:
        return Unknown("Instagram cannot be asked about a message")

    def promised_receipts(self, request: DeliveryRequested, sent: Sent) -> Sequence[Receipt]:
        """Return none: Instagram reports its receipts itself."""
        return ()

    async def fetch(self, media: Media, most_bytes: int) -> AsyncIterator[bytes]:
        if not self._is_trusted(media.url):
            where = media.url[:100]
            raise DeliveryFailed("file-missing", f"no file is fetched from {where}: see the option media_hosts")
        async for chunk in self._http.download(media.url, most_bytes, media.sha256, is_trusted=self._is_trusted):
            yield chunk

    async def mark_read(self, provider_id: str, is_typing: bool) -> None:
        """Mark a person's messages as seen. Instagram marks by person, so the connector first asks for the author."""
        answered = await self._http.ask("GET", quote(provider_id, safe=""), params={"fields": "from"})
        igsid = text(part(payload_of(answered.body), "from"), "id") if isinstance(answered, Answer) else ""
        if not _ID.fullmatch(igsid):
            return
        for name in ("mark_seen", "typing_on")[: 1 + is_typing]:
            answered = await self._http.ask("POST", self._messages, json=action(igsid, name))
            if not isinstance(answered, Answer) or not is_done(answered.status, answered.body):
                log.info("[Instagram] %s was not carried out", name)

    async def profile(self, user_id: str) -> Person | None:
        """Return the person's handle and name; ``None`` if Instagram does not tell. They never come with a message.

        Raises ``Unavailable`` if it may tell later.
        """
        if not _ID.fullmatch(user_id):
            return None
        answered = await self._http.ask("GET", user_id, params={"fields": "name,username"})
        if not isinstance(answered, Answer) or answered.status == 429 or answered.status >= 500:
            raise Unavailable("Instagram did not answer the question for a profile")
        found = payload_of(answered.body)
        if answered.status != 200 or part(found, "error"):
            return None
        handle = text(found, "username").lower()
        return Person(user_id=user_id, handle=f"@{handle}" if handle else "", name=text(found, "name"))

    async def check(self) -> Sequence[AccountFault]:
        """Ask for the account, and with Instagram Login for the fields of its webhooks."""
        return await account_checks.check(self._http, self._account, "id,username", self._subscriptions, WANTED_FIELDS)

    async def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        await self._http.close()

    async def _send(self, call: Call) -> SendOutcome:
        """Make the call; once more with the tag of a human agent if it was refused for the window alone."""
        outcome = await self._made(call)
        is_late = isinstance(outcome, Refused) and outcome.kind is Refusal.OUTSIDE_WINDOW
        if is_late and self._has_human_agent and "message" in call:
            return await self._made(tagged(call))
        return outcome

    async def _made(self, call: Call) -> SendOutcome:
        answered = await self._http.ask("POST", self._messages, json=call)
        if not isinstance(answered, Answer):
            return answered
        now_ms = time.time_ns() // 1_000_000
        if "sender_action" in call and is_done(answered.status, answered.body):
            target_id = text(part(call, "payload"), "message_id")
            return Sent(f"{target_id} {call['sender_action']}", now_ms, exchange=answered.exchange)
        outcome = outcome_of(answered.status, answered.body, answered.retry_after, now_ms)
        if not isinstance(outcome, Sent):
            outcome = replace(outcome, detail=self._http.redacted(outcome.detail))
        return replace(outcome, exchange=answered.exchange)

    def _is_trusted(self, url: str) -> bool:
        """Return whether inbound files are fetched from there: no webhook makes us call a host of its choice."""
        try:
            found = urlsplit(url)
            host = (found.hostname or "").lower()
        except ValueError:
            return False
        if host == self._own_host and found.scheme in ("http", "https"):
            return True
        return found.scheme == "https" and any(host == one or host.endswith(f".{one}") for one in self._media_hosts)


def _connect(account: Account, secret: Secret) -> InstagramConnector:
    return InstagramConnector(account.options, secret("token"), account.in_flight)


DRIVER = Driver(
    "instagram",
    _connect,
    HTTP_OPTIONS | {"login", "ig_id", "base_url", "human_agent", "media_hosts"},
    frozenset({"token", "app_secret", "verify_token"}),
    frozenset({"instagram"}),
)
