"""Instagram: its name and its limits (Instagram API, "Attachment upload").

A call carries one text or one attachment, so no file has a caption. A text has less than 1,000 bytes.
"""

from __future__ import annotations

from domain.attachments import MB, ChannelCapabilities, MediaKind, MediaLimit, types, utf8_bytes
from domain.capabilities import ButtonLimits, ContentLimits

TITLE = "Instagram"

CAPABILITIES = ChannelCapabilities(
    999,
    "bytes of UTF-8",
    utf8_bytes,
    (
        MediaLimit(MediaKind.IMAGE, 8 * MB, 0, types("image", "jpeg", "png", "gif")),
        MediaLimit(MediaKind.AUDIO, 25 * MB, 0, types("audio", "aac", "mp4", "wav")),
        MediaLimit(MediaKind.VIDEO, 25 * MB, 0, types("video", "mp4", "ogg", "x-msvideo", "quicktime", "webm")),
    ),
    # checked on 2026-11-27; the tag HUMAN_AGENT is for words of people, so nothing goes out after the window by itself
    ContentLimits(
        buttons=ButtonLimits(most=13, max_title=20, max_id_bytes=1_000, max_text=999),  # quick replies
        has_reactions=True,
        has_replies=True,
        emoji=frozenset({"❤"}),
        window_hours=24,
        outside_window=frozenset(),
    ),
)
