"""The client's address as a key of limits: the socket's peer, or the address reported by trusted proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from aiohttp import web

from app.settings import InvalidSetting

UNKNOWN = "unknown"
_HEADER = "X-Forwarded-For"

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClientAddresses:
    """Determines the address of a request's client. ``trusted_proxies``: networks, separated by commas; empty: no
    proxy.
    """

    def __init__(self, trusted_proxies: str = "") -> None:
        try:
            self._trusted: Sequence[_Network] = [
                ipaddress.ip_network(part.strip()) for part in trusted_proxies.split(",") if part.strip()
            ]
        except ValueError as error:
            raise InvalidSetting(
                f"CHAT4ALL_TRUSTED_PROXIES={trusted_proxies!r}: expected networks such as 10.0.0.0/8,::1 ({error})"
            ) from None

    def of(self, request: web.Request) -> str:
        """Return the client's IPv4 address or IPv6 /64 network (the usual size of one customer's)."""
        peer = request.remote or UNKNOWN
        if not self._trusted:
            return peer if ":" not in peer else _limited(_parse(peer))
        return _limited(self._nearest_untrusted(_parse(peer), ",".join(request.headers.getall(_HEADER, ()))))

    def _nearest_untrusted(self, peer: _Address | None, forwarded: str) -> _Address | None:
        """Return the last address not of a trusted proxy. Each proxy appends its peer, so the list is read from its
        end.
        """
        for text in reversed(forwarded.split(",")):
            if peer is None or not any(peer in network for network in self._trusted):
                break
            named = _parse(text.strip())
            if named is None:  # not an address: what stands before it is no better
                break
            peer = named
        return peer


def _parse(text: str) -> _Address | None:
    """Return the address in ``text``, with or without a port: ``192.0.2.1:4711``, ``[2001:db8::1]:4711``."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _limited(address: _Address | None) -> str:
    if address is None:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)
