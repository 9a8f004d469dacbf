"""The modules of each role. Each module has ``register(app)``, which declares its agents and tables on the app."""

from __future__ import annotations

from domain.recipients import CHANNELS

CORE = "core"
MIRROR = "mirror"

_FIXED: dict[str, tuple[str, ...]] = {
    CORE: ("agents.route", "agents.track_status"),
    MIRROR: ("agents.mirror", "agents.mirror_traces"),
}
ROLES: tuple[str, ...] = (CORE, MIRROR, *CHANNELS)


def modules_of(role: str) -> tuple[str, ...]:
    """Return the agent modules of ``role``. Raises ``ValueError`` naming the roles there are."""
    if role in _FIXED:
        return _FIXED[role]
    if role in CHANNELS:
        return ("agents.deliver", "agents.webhooks")
    raise ValueError(f"unknown role {role!r}: expected one of {', '.join(ROLES)}")
