"""How many examples a property is tried with: ``full`` for `make test`, a quarter of them for `make check`.

`pytest --hypothesis-profile=check` chooses the smaller profile. ``seeds`` is for `.ci/seeds`: the full number, and no
example of an earlier run, so that a seed gives the same examples everywhere.
"""

from __future__ import annotations

from hypothesis import settings

FULL_EXAMPLES = 100
CHECK_EXAMPLES = 25


def register_profiles() -> None:
    """Register the profiles and load the full one. Examples have no deadline: pytest-timeout stops what hangs."""
    settings.register_profile("full", max_examples=FULL_EXAMPLES, deadline=None)
    settings.register_profile("check", max_examples=CHECK_EXAMPLES, deadline=None)
    settings.register_profile("seeds", max_examples=FULL_EXAMPLES, deadline=None, database=None)
    settings.load_profile("full")


def examples(full: int) -> int:
    """Return the number of examples for a test that names its own ``full`` number: the profile's share of it."""
    assert settings.default is not None
    return max(1, full * settings.default.max_examples // FULL_EXAMPLES)
