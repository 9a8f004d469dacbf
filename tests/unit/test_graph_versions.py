"""A worker warns before the version of the Graph API in use ends."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from channels.meta.versions import LIFE, PUBLISHED, WARN, ending
from channels.whatsapp.connector import BASE_URL


@pytest.mark.parametrize("version", PUBLISHED)
def test_it_warns_from_ninety_days_before_the_end(version: str) -> None:
    url, end = f"https://graph.facebook.com/{version}", PUBLISHED[version] + LIFE
    assert ending(url, end - WARN - timedelta(days=1)) == ""
    assert f"{version} of the Graph API ends on {end}" in ending(url, end - WARN)
    assert ending(f"{url}/", end + timedelta(days=900))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090/graph", "https://graph.facebook.com/v99.0", ""])
def test_an_unknown_version_ends_at_an_unknown_time(url: str) -> None:
    assert ending(url, date(2099, 1, 1)) == ""


def test_the_default_does_not_end_soon() -> None:
    assert ending(BASE_URL, date(2026, 11, 28)) == ""
