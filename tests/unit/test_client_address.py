"""Whom a limit is counted for."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from app.settings import InvalidSetting
from web.http.client_address import ClientAddresses


def address(trusted: str, peer: str | None, *forwarded: str) -> str:
    headers = CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer or "")
    return ClientAddresses(trusted).of(request)


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "expected"),
    [
        # nobody is trusted: the header is anybody's word
        ("", "192.0.2.1", [], "192.0.2.1"),
        ("", "192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("", "2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("", "::ffff:192.0.2.1", [], "192.0.2.1"),
        ("", None, [], "unknown"),
        # one proxy
        ("10.0.0.0/8", "10.0.0.5", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.0/8", "192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("10.0.0.0/8", "10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.0/8, ::1", "::1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.0/8", "::ffff:10.0.0.5", ["203.0.113.9"], "203.0.113.9"),
        # what a client claims stands before what our proxy saw
        ("10.0.0.0/8", "10.0.0.5", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.0/8", "10.0.0.5", ["10.9.9.9", "203.0.113.9"], "203.0.113.9"),
        # two proxies
        ("10.0.0.0/8", "10.0.0.5", ["203.0.113.9, 10.0.0.7"], "203.0.113.9"),
        ("10.0.0.0/8", "10.0.0.5", ["203.0.113.9", "10.0.0.7"], "203.0.113.9"),
        # ports, IPv6, and what is no address
        ("10.0.0.0/8", "10.0.0.5", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.0/8", "10.0.0.5", ["[2001:db8::1]:4711"], "2001:db8::/64"),
        ("10.0.0.0/8", "10.0.0.5", ["2001:db8::1"], "2001:db8::/64"),
        ("10.0.0.0/8", "10.0.0.5", ["203.0.113.9, somebody"], "10.0.0.5"),
        ("10.0.0.0/8", "10.0.0.5", [",,,"], "10.0.0.5"),
        ("10.0.0.0/8", "10.0.0.5", ["fe80::1%eth0"], "fe80::/64"),
    ],
)
def test_the_address_is_the_nearest_that_no_trusted_proxy_has(
    trusted: str, peer: str | None, forwarded: list[str], expected: str
) -> None:
    assert address(trusted, peer, *forwarded) == expected


@pytest.mark.parametrize("wrong", ["yes", "10.0.0.1/8", "10.0.0.0/99"])
def test_a_wrong_network_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(InvalidSetting, match="CHAT4ALL_TRUSTED_PROXIES"):
        ClientAddresses(wrong)
