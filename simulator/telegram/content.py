"""The content of a call: texts, files, places, buttons. Limits of Bot API 10.1, checked 2026-11-27."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simulator.media import File
from simulator.messages import Button, Content
from simulator.telegram.errors import bad_request
from simulator.telegram.parameters import Parameters, Upload

TEXT, CAPTION, CALLBACK_BYTES = 4_096, 1_024, 64
PHOTO_BYTES = 10 * 1_000_000
# method → its parameter, the kind of content, the type of a file that names none
FILES: Mapping[str, tuple[str, str, str]] = {
    "sendPhoto": ("photo", "image", "image/jpeg"),
    "sendAudio": ("audio", "audio", "audio/mpeg"),
    "sendVideo": ("video", "video", "video/mp4"),
    "sendDocument": ("document", "document", "application/octet-stream"),
}
# of ReactionTypeEmoji: a bot may use these
_EMOJI = (
    "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤\u200d🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐",
    "🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u200d💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾",
    "🤷\u200d♂ 🤷 🤷\u200d♀ 😡",
)
EMOJI = frozenset(emoji for line in _EMOJI for emoji in line.split())


def text_of(parameters: Parameters) -> Content:
    """Return the text of ``sendMessage`` with its buttons. Raises ``TelegramError``."""
    text = parameters.text("text")
    if not text.strip():
        raise bad_request("message text is empty")
    if _length(text) > TEXT:
        raise bad_request("message is too long")
    return Content("text", text, buttons=_buttons(parameters))


def location_of(parameters: Parameters) -> Content:
    """Return the place of ``sendLocation``. Raises ``TelegramError``."""
    latitude, longitude = parameters.number("latitude"), parameters.number("longitude")
    if not -90 <= latitude <= 90 or not -180 <= longitude <= 180:
        raise bad_request("wrong location specified")
    return Content("location", data={"latitude": latitude, "longitude": longitude}, buttons=_buttons(parameters))


def file_of(
    method: str,
    parameters: Parameters,
    known: Callable[[str], File | None],
    keep: Callable[[bytes, str, str], File],
) -> Content:
    """Return the file that a call sends: bytes, an id or a link. Raises ``TelegramError``.

    ``known`` returns the file of an id, ``keep`` stores bytes with their type and name.
    """
    parameter, kind, default_type = FILES[method]
    caption = parameters.text("caption")
    if _length(caption) > CAPTION:
        raise bad_request("message caption is too long")
    upload = _upload(parameters, parameter)
    data: dict[str, Any] = {}
    if upload is not None:
        if not upload.content:
            raise bad_request("file must be non-empty")
        if kind == "image" and len(upload.content) > PHOTO_BYTES:
            raise bad_request("too big file")
        mime_type = upload.mime_type if upload.mime_type != "application/octet-stream" else default_type
        file = keep(upload.content, mime_type, upload.name)
    else:
        named = parameters.text(parameter)
        found = known(named)
        if found is not None:
            file = found
        elif named.startswith(("http://", "https://")):  # Telegram fetches it; the simulator only remembers it
            data = {"link": named}
            file = keep(b"", default_type, named.rpartition("/")[2][:100])
        elif named:
            raise bad_request("wrong file identifier/HTTP URL specified")
        else:
            raise bad_request(f"there is no {parameter} in the request")
    return Content(kind, caption, file.id, data, _buttons(parameters))


def _upload(parameters: Parameters, name: str) -> Upload | None:
    if name in parameters.files:
        return parameters.files[name]
    value = parameters.values.get(name)
    if isinstance(value, str) and value.startswith("attach://"):
        attached = parameters.files.get(value.removeprefix("attach://"))
        if attached is None:
            raise bad_request(f"there is no file {value.removeprefix('attach://'):.40} in the request")
        return attached
    return None


def reaction_of(parameters: Parameters) -> str:
    """Return the emoji of ``setMessageReaction``, empty if it takes the reaction back. Raises ``TelegramError``."""
    reactions = parameters.json("reaction", [])
    if not isinstance(reactions, list) or not all(isinstance(each, dict) for each in reactions):
        raise bad_request("can't parse reaction: expected an Array of ReactionType")
    if len(reactions) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    if not reactions:
        return ""
    emoji = reactions[0].get("emoji")
    if reactions[0].get("type") != "emoji" or emoji not in EMOJI:
        raise bad_request("REACTION_INVALID")
    return str(emoji)


def _buttons(parameters: Parameters) -> tuple[Button, ...]:
    rows = parameters.object("reply_markup").get("inline_keyboard", [])
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request("object expected as reply markup")
    buttons = []
    for button in (button for row in rows for button in row):
        title = button.get("text") if isinstance(button, dict) else None
        if not isinstance(title, str) or not title:
            raise bad_request("can't parse inline keyboard button: text must be non-empty")
        data, url = button.get("callback_data"), button.get("url")
        if isinstance(data, str) and data:
            if len(data.encode()) > CALLBACK_BYTES:
                raise bad_request("BUTTON_DATA_INVALID")
            buttons.append(Button(data, title, "callback"))
        elif isinstance(url, str) and url:
            buttons.append(Button(url, title, "link"))
        else:
            raise bad_request("can't parse inline keyboard button: text buttons are unallowed in the inline keyboard")
    return tuple(buttons)


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
