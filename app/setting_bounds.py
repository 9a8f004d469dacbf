"""The limits of numeric settings: finite, not negative, and within the range of clocks, Kafka and the system."""

from __future__ import annotations

# by the end of a setting's name: a hundred years, or what the system has
_MOST = {
    "_ms": 86_400_000,
    "_seconds": 3_153_600_000,
    "_minutes": 52_560_000,
    "_hours": 876_000,
    "_days": 36_500,
    "port": 65_535,
    "_nice": 19,
    "_share": 1,
    "partitions": 10_000,
    "listed_conversations": 5_000,
    "webhooks_max_bytes": 4 * 1024 * 1024,  # in base64 it must fit into a record
}
_MOST_OF_ALL = 2**53  # which floats count exactly


def expected_number(name: str, value: object, *, zero: bool) -> str | None:
    """Return the expected value of the setting ``name``, as the end of a sentence, if the number ``value`` is out of
    range.

    Each of several numbers has to be in range. ``zero``: it may be 0.
    """
    numbers = value if isinstance(value, tuple) else (value,)
    most = next((most for end, most in _MOST.items() if name.endswith(end)), _MOST_OF_ALL)
    for number in numbers:
        # written so that NaN is wrong, too
        if isinstance(number, int | float) and not (0 <= number <= most and (number or zero)):
            return f"0 to {most:,}" if zero else f"more than 0 and at most {most:,}"
    return None
