"""WhatsApp: its name and its limits (WhatsApp Cloud API, "Supported media types")."""

from __future__ import annotations

from domain.attachments import MB, ChannelCapabilities, MediaKind, MediaLimit, types, utf16_units

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
)
