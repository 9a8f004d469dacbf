"""Decides whether a message may be sent to a person now: nothing after an opt-out, little outside the reply window."""

from __future__ import annotations

from domain.capabilities import ContentLimits
from domain.inbound import ContactChanged
from domain.outcomes import Refusal, Refused


def refusal_of(
    kind: str, contact: ContactChanged | None, limits: ContentLimits, now_ms: int, *, has_fallback: bool = False
) -> Refused | None:
    """Return why a message of this kind may not go to ``contact`` now; ``None`` if it may.

    Nothing is refused to a person of whom nothing is known, or who has not written as far as we know: the provider
    knows better. With ``has_fallback``, a template that can go instead, such a person counts as outside the window.
    """
    if contact is None:
        return None
    if contact.opted_out:
        return Refused(Refusal.OPTED_OUT, "the person wants no messages until they write again", Refusal.OPTED_OUT)
    if not limits.window_hours or kind in limits.outside_window or now_ms < contact.window_until_ms:
        return None
    if not contact.window_until_ms and not has_fallback:
        return None
    what = (
        f"only {', '.join(sorted(limits.outside_window))} may be sent" if limits.outside_window else "nothing is sent"
    )
    detail = f"the person wrote too long ago: outside {limits.window_hours} hours after a person's last message {what}"
    return Refused(Refusal.OUTSIDE_WINDOW, detail, Refusal.OUTSIDE_WINDOW)
