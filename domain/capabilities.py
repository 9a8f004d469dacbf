"""The kinds of content of a channel besides texts and files, and their limits. A channel's folder holds the values.

Titles, texts and descriptions are measured as the channel measures its texts: ``ChannelCapabilities.cost``; the titles
of buttons in characters, also on Instagram.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.kinds import FILE, INTERACTIVE, LOCATION, OUTBOUND_KINDS, REACTION, TEMPLATE, TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonLimits:
    """At most ``most`` buttons with titles up to ``max_title`` and ids up to ``max_id_bytes``, under a text."""

    most: int
    max_title: int
    max_id_bytes: int
    max_text: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLimits:
    """At most ``most_rows`` rows, in all sections together, under a text."""

    most_rows: int
    max_button: int
    max_section_title: int
    max_title: int
    max_description: int
    max_id_bytes: int
    max_text: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLimits:
    """A button that opens a URL, under a text."""

    max_title: int
    max_text: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentLimits:
    """The kinds that a channel takes; other kinds degrade to a text or are refused (``domain/degradation.py``).

    ``emoji``: those that may stand in a reaction, without variation selectors; ``None``: any. ``window_hours``: for so
    long after a person's last message anything may be sent, 0: always; after it only the kinds ``outside_window``.
    """

    buttons: ButtonLimits | None = None
    lists: ListLimits | None = None
    links: LinkLimits | None = None
    has_templates: bool = False
    has_locations: bool = False
    has_reactions: bool = False
    has_replies: bool = False
    emoji: frozenset[str] | None = None
    window_hours: int = 0
    outside_window: frozenset[str] = OUTBOUND_KINDS

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that go to the channel as they are, at least in one of their forms."""
        taken = {TEXT, FILE}
        if self.buttons or self.lists or self.links:
            taken.add(INTERACTIVE)
        for kind, is_taken in (
            (TEMPLATE, self.has_templates),
            (LOCATION, self.has_locations),
            (REACTION, self.has_reactions),
        ):
            if is_taken:
                taken.add(kind)
        return frozenset(taken)


NONE = ContentLimits()  # texts and files alone
