"""Our accounts on the channels: each sends with its own credentials, limits and breaker."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from math import inf
from types import MappingProxyType

from domain.breaker import BreakerRules
from domain.recipients import INTERNAL

DEFAULT = "default"  # the account of a channel for which none is declared
SIMULATED = "simulated"
ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")  # no space: the name begins keys
FALLBACK_TEMPLATE = "fallback_template"  # the option: name:language of the template sent outside the reply window
MOST_PAIR_SECONDS = 86_400.0
MOST_BURST = 1_000_000

AccountNames = Mapping[str, Sequence[str]]  # of each channel; the first one is its default


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One of our accounts on a channel.

    It sends at most ``per_second`` messages a second in the long run (0: no limit) and ``burst`` at once. An address
    gets one message every ``pair_seconds`` in the long run (0: no limit) and ``pair_burst`` at once. ``in_flight``
    bounds the calls that one worker makes at a time. ``resend_unknown`` allows a second send of a message with an
    unknown outcome, so the person may get it twice. ``token_expires`` is the day (ISO 8601, UTC) on which its
    credentials end, as the operator knows it; empty: unknown, or never. ``driver`` names the connector, and ``options``
    are the driver's own. A secret is never an option: the options name the variable or the file of a secret
    (``app/accounts.py``).

    Raises ``ValueError`` for a value out of range.
    """

    channel: str
    name: str = DEFAULT
    per_second: float = 0.0
    burst: int = 1
    pair_seconds: float = 0.0
    pair_burst: int = 1
    in_flight: int = 1_000
    breaker: BreakerRules = field(default_factory=BreakerRules)
    resend_unknown: bool = False
    token_expires: str = ""
    driver: str = SIMULATED
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def __post_init__(self) -> None:
        if not ACCOUNT_NAME.fullmatch(self.name):
            raise ValueError(
                f"name={self.name[:80]!r}: expected 1 to 63 of a-z, 0-9, full stop, _ and -, beginning with a letter "
                "or digit"
            )
        if self.token_expires:
            try:
                date.fromisoformat(self.token_expires)
            except ValueError:
                shown = repr(self.token_expires[:80])
                raise ValueError(f"token_expires={shown}: expected a day such as 2027-01-31") from None
        if not 0 <= self.per_second < inf:
            raise ValueError(f"per_second={self.per_second}: expected 0 (no limit) or more")
        if not 0 <= self.pair_seconds <= MOST_PAIR_SECONDS:
            raise ValueError(f"pair_seconds={self.pair_seconds}: expected 0 (no limit) to {MOST_PAIR_SECONDS:g}")
        for name in ("burst", "pair_burst", "in_flight"):
            value = getattr(self, name)
            if not 1 <= value <= MOST_BURST:
                raise ValueError(f"{name}={value}: expected 1 to {MOST_BURST:,}")

    @property
    def token_expires_seconds(self) -> float | None:
        """When the credentials end (Unix time), ``None`` if that is not known."""
        if not self.token_expires:
            return None
        return datetime.combine(date.fromisoformat(self.token_expires), time(), UTC).timestamp()


def account_fault(account: str, addresses: Sequence[str], names: AccountNames) -> str | None:
    """Return why ``account`` cannot send to all of ``addresses``, ``None`` if it can. No account: the default can."""
    if not account:
        return None
    channels = {channel for address in addresses if (channel := address.partition(":")[0]) != INTERNAL}
    if not channels:
        return "the message goes to no channel, so no account sends it"
    for channel in sorted(channels):
        if account not in names.get(channel, ()):
            known = ", ".join(names.get(channel, ())) or "none"
            return f"{channel} has no account {account!r}; it has: {known}"
    return None
