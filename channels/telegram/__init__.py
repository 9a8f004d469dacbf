"""Telegram: its name and its limits (Telegram Bot API, "Sending files")."""

from __future__ import annotations

from domain.attachments import MB, ChannelCapabilities, MediaKind, MediaLimit, types, utf16_units

TITLE = "Telegram"

CAPABILITIES = ChannelCapabilities(
    4_096,
    "characters",
    utf16_units,
    (
        MediaLimit(MediaKind.IMAGE, 10 * MB, 1_024, types("image", "jpeg", "png", "webp")),
        MediaLimit(MediaKind.AUDIO, 50 * MB, 1_024, types("audio", "mpeg", "mp4")),
        MediaLimit(MediaKind.VIDEO, 50 * MB, 1_024, types("video", "mp4")),
        MediaLimit(MediaKind.DOCUMENT, 50 * MB, 1_024),
    ),
)
