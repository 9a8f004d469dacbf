"""WhatsApp: its name and its limits (WhatsApp Cloud API, "Supported media types")."""

from __future__ import annotations

from domain.attachments import MB, ChannelCapabilities, MediaKind, MediaLimit, types, utf16_units
from domain.capabilities import ButtonLimits, ContentLimits, LinkLimits, ListLimits
from domain.kinds import TEMPLATE

TITLE = "WhatsApp"

_OFFICE = "vnd.openxmlformats-officedocument"
_DOCUMENTS = types("text", "plain") | types(
    "application",
    "pdf",
    "msword",
    "vnd.ms-excel",
    "vnd.ms-powerpoint",
    f"{_OFFICE}.wordprocessingml.document",
    f"{_OFFICE}.spreadsheetml.sheet",
    f"{_OFFICE}.presentationml.presentation",
)

CAPABILITIES = ChannelCapabilities(
    4_096,
    "characters",
    utf16_units,
    (
        MediaLimit(MediaKind.IMAGE, 5 * MB, 1_024, types("image", "jpeg", "png")),
        MediaLimit(MediaKind.AUDIO, 16 * MB, 0, types("audio", "aac", "amr", "mpeg", "mp4", "ogg")),
        MediaLimit(MediaKind.VIDEO, 16 * MB, 1_024, types("video", "mp4", "3gpp")),
        MediaLimit(MediaKind.DOCUMENT, 100 * MB, 1_024, _DOCUMENTS),
    ),
    # checked on 2026-11-27
    ContentLimits(
        buttons=ButtonLimits(most=3, max_title=20, max_id_bytes=256, max_text=1_024),
        lists=ListLimits(
            most_rows=10,
            max_button=20,
            max_section_title=24,
            max_title=24,
            max_description=72,
            max_id_bytes=200,
            max_text=1_024,
        ),
        links=LinkLimits(max_title=20, max_text=1_024),
        has_templates=True,
        has_locations=True,
        has_reactions=True,
        has_replies=True,
        window_hours=24,
        outside_window=frozenset({TEMPLATE}),
    ),
)
