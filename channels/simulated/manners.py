"""How the simulated people and channels behave, by address: friendly, except at the addresses of ``MANNERS``.

The telephone numbers are in the range reserved for fiction (+1 202 555 0100 to 0199, NANPA). Each handle can exist on
Instagram and on Telegram. docs/simulated-channels.md has this table for readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from domain.outcomes import NotNow, Refused
from domain.status import Status


@dataclass(frozen=True, slots=True)
class Manner:
    """The fate of a message. ``failure_code`` and ``failure_detail``: the channel refuses it with these.

    ``throttled_attempts``: the channel throttles this many attempts before it takes the message. ``last_receipt``:
    the last receipt, ``None`` for no receipt at all.
    """

    failure_code: str = ""
    failure_detail: str = ""
    throttled_attempts: int = 0
    last_receipt: Status | None = Status.READ

    def objection(self, attempt: int) -> Refused | NotNow | None:
        """Return why the channel does not take attempt number ``attempt`` (from 1), ``None`` if it does."""
        if self.failure_code:
            return Refused(self.failure_code, self.failure_detail)
        if attempt <= self.throttled_attempts:
            return NotNow(f"the channel takes no more messages just now (attempt {attempt})")
        return None

    def gives(self, receipt: Status) -> bool:
        """Return whether the person's side ever gives this receipt, DELIVERED or READ."""
        return self.last_receipt is not None and (receipt is Status.DELIVERED or self.last_receipt is Status.READ)


FRIENDLY = Manner()
_REFUSED = Manner("refused", "the channel refuses every message to this address: it is one for trying that out")
_UNKNOWN = Manner("unknown-recipient", "nobody has this address on the channel: it is one for trying that out")
_THROTTLED = Manner(throttled_attempts=2)
_NEVER_DELIVERED = Manner(last_receipt=None)
_NEVER_READ = Manner(last_receipt=Status.DELIVERED)

MANNERS: Mapping[str, Manner] = MappingProxyType(
    {
        "+12025550101": _REFUSED,
        "@always_fails": _REFUSED,
        "+12025550102": _UNKNOWN,
        "@is_unknown": _UNKNOWN,
        "+12025550103": _THROTTLED,
        "@is_throttled": _THROTTLED,
        "+12025550104": _NEVER_DELIVERED,
        "@never_delivered": _NEVER_DELIVERED,
        "+12025550105": _NEVER_READ,
        "@never_reads": _NEVER_READ,
    }
)


def manner_of(address: str) -> Manner:
    """Return the manner of a normalised address without its channel: ``+12025550101``, ``@always_fails``."""
    return MANNERS.get(address, FRIENDLY)
