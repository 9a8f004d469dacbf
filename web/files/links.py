"""Absolute links to this API: based on a setting, else on the requested host."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import urlsplit

from aiohttp import web

from app.settings import InvalidSetting

_MAX_HOST_CHARS = 255
_MAX_PORT = 65_535
# RFC 9110, section 7.2: uri-host [ ":" port ]. Of RFC 3986's reg-name only names as DNS has them, and the underscore,
# which names in private networks have.
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?)(?::(\d{1,5}))?", re.ASCII)


@lru_cache(maxsize=256)
def host_of(given: str) -> str:
    """Return the value of a ``Host`` header as it is, or nothing if it cannot be a host and its port."""
    found = _HOST.fullmatch(given) if len(given) <= _MAX_HOST_CHARS else None
    if found is None or int(found[2] or 0) > _MAX_PORT:
        return ""
    if found[1] is not None:
        try:
            IPv6Address(found[1])
        except AddressValueError:
            return ""
    return given


def absolute(link: str, request: web.Request, public_url: str) -> str:
    """Return a link of the store as a URL. A link to a path of this API begins with ``public_url``.

    Without this setting it begins with the request's ``Host``; with an invalid host it stays a path.
    ``X-Forwarded-*`` and ``Forwarded`` do not count: any client can send them.
    """
    if not link.startswith("/"):
        return link
    if public_url:
        return public_url.rstrip("/") + link
    host = host_of(request.headers.get("Host", ""))
    return f"{request.scheme}://{host}{link}" if host else link


def check_public_url(public_url: str) -> None:
    """Raises ``InvalidSetting`` unless links can begin with this, or it is empty."""
    try:
        parts = urlsplit(public_url)
        is_good = parts.scheme in ("http", "https") and bool(host_of(parts.netloc)) and not parts.query + parts.fragment
    except ValueError:
        is_good = False
    if public_url and not is_good:
        raise InvalidSetting(f"CHAT4ALL_PUBLIC_URL={public_url!r}: expected something like 'https://chat.example.org'")
