"""Telegram: its name and its limits (Telegram Bot API, "Sending files")."""

from __future__ import annotations

from domain.attachments import MB, ChannelCapabilities, MediaKind, MediaLimit, types, utf16_units
from domain.capabilities import ButtonLimits, ContentLimits, LinkLimits, ListLimits

TITLE = "Telegram"

# of ReactionTypeEmoji, without variation selectors
_EMOJI = (
    "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 "
    "🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ "
    "🤷 🤷‍♀ 😡"
)

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
    # checked on 2026-11-27
    ContentLimits(
        buttons=ButtonLimits(most=100, max_title=64, max_id_bytes=64, max_text=4_096),
        lists=ListLimits(
            most_rows=100,
            max_button=64,  # not shown: the rows are buttons themselves
            max_section_title=64,
            max_title=64,
            max_description=256,
            max_id_bytes=64,
            max_text=4_096,
        ),
        links=LinkLimits(max_title=64, max_text=4_096),
        has_locations=True,
        has_reactions=True,
        has_replies=True,
        emoji=frozenset(_EMOJI.split()),
    ),
)
