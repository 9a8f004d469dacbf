"""Telegram: its name and its limits (Telegram Bot API, "Sending files")."""

from __future__ import annotations

from domain.attachments import MB, ChannelCapabilities, Kind, MediaLimit, types, utf16_units

TITLE = "Telegram"

CAPABILITIES = ChannelCapabilities(
    4_096,
    "characters",
    utf16_units,
    (
        MediaLimit(Kind.IMAGE, 10 * MB, 1_024, types("image", "jpeg", "png", "webp")),
        MediaLimit(Kind.AUDIO, 50 * MB, 1_024, types("audio", "mpeg", "mp4")),
        MediaLimit(Kind.VIDEO, 50 * MB, 1_024, types("video", "mp4")),
        MediaLimit(Kind.DOCUMENT, 50 * MB, 1_024),
    ),
)
