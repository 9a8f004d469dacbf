"""The versions of the Graph API and their ends (checked on 2026-11-27). A version lives for two years [?]."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta

# when Meta published each; a version that is not here ends at an unknown time
PUBLISHED: Mapping[str, date] = {
    "v21.0": date(2024, 10, 2),
    "v22.0": date(2025, 1, 21),
    "v23.0": date(2025, 5, 29),
    "v24.0": date(2025, 10, 8),
    "v25.0": date(2026, 2, 18),  # [?]
    "v26.0": date(2026, 7, 29),
}
LIFE = timedelta(days=730)
WARN = timedelta(days=90)
_VERSION = re.compile(r"/(v\d+\.\d+)(?:/|$)")


def ending(base_url: str, today: date) -> str:
    """Return a sentence if the version in ``base_url`` ends within ``WARN`` or has ended, else an empty text."""
    found = _VERSION.search(base_url)
    published = PUBLISHED.get(found[1]) if found else None
    if found is None or published is None or today < published + LIFE - WARN:
        return ""
    return f"version {found[1]} of the Graph API ends on {published + LIFE}: set base_url to a newer one"
