"""Media types and size limits per channel, and how a message with a file is sent within them.

Sizes in MB are 10^6 bytes: the providers do not define MB, and this is the smaller reading. A file of another type or
a larger size is sent as a link in the text. The limits of a channel are in its folder, ``channels/<name>/``; callers
pass them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.capabilities import NONE, ContentLimits
from domain.files import FileMetadata
from domain.graphemes import clusters

MB = 1_000_000
MAX_COST = 4  # of a character: it has at most 4 bytes of UTF-8, and at most 2 units of UTF-16


class MediaKind(StrEnum):
    """The form in which a file is sent."""

    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"
    LINK = "link"


def utf16_units(text: str) -> int:
    """Return how much of a limit in characters a text takes: an emoji counts as two, as in Telegram's own counting."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf8_bytes(text: str) -> int:
    """Return how much of a limit in bytes a text takes."""
    return len(text.encode(errors="surrogatepass"))


@dataclass(frozen=True, slots=True)
class MediaLimit:
    """Files of ``types`` (``None``: any) up to ``max_bytes`` go as ``kind``, with a caption up to ``max_caption``."""

    kind: MediaKind
    max_bytes: int
    max_caption: int
    types: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class ChannelCapabilities:
    """A channel. ``cost`` measures texts and captions, in ``unit``; of ``media`` the first fitting one is used.
    ``content``: the other kinds."""

    max_text: int
    unit: str
    cost: Callable[[str], int]
    media: tuple[MediaLimit, ...]
    content: ContentLimits = NONE


def types(kind: str, *names: str) -> frozenset[str]:
    """Return media types of one kind: ``types("image", "png")`` is ``{"image/png"}``."""
    return frozenset(f"{kind}/{name}" for name in names)


# other names that the same types go by
_USUAL_NAME = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/x-aac": "audio/aac",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/opus": "audio/ogg",
    "video/x-m4v": "video/mp4",
    "video/3gp": "video/3gpp",
    "video/avi": "video/x-msvideo",
}


def usual_type(mimetype: str) -> str:
    """Return a media type by its usual name, without parameters: providers know no other."""
    mimetype = mimetype.partition(";")[0].strip().lower()
    return _USUAL_NAME.get(mimetype, mimetype)


HEADERS = frozenset({MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.DOCUMENT})  # of a template


@dataclass(frozen=True, slots=True)
class MediaPlan:
    """How a message with a file is sent: as ``kind`` with ``caption`` (may be empty), and then ``texts``, one by one.

    A link consists of texts only. All parts are within the channel's limits, and together hold all visible content.
    """

    kind: MediaKind
    caption: str = ""
    texts: tuple[str, ...] = ()


def media_plan(capabilities: ChannelCapabilities, metadata: FileMetadata, content: str, url: str) -> MediaPlan | None:
    """Return how the file and the message's text go to ``channel``. ``url`` is where the file can be had.

    ``None``: it has to go as a link, and the URL alone is longer than a text may be.
    """
    limit = _fitting_limit(capabilities, metadata)
    if limit is None:
        texts = _texts_with_link(capabilities, metadata, content, url)
        return None if texts is None else MediaPlan(MediaKind.LINK, "", texts)
    if capabilities.cost(content) <= limit.max_caption:
        return MediaPlan(limit.kind, content)
    return MediaPlan(limit.kind, "", split(content, capabilities.max_text, capabilities.cost))


def header_fault(channel: str, capabilities: ChannelCapabilities, metadata: FileMetadata) -> str | None:
    """Return a sentence if the file cannot be the header of a template on ``channel``, else ``None``."""
    limit = _fitting_limit(capabilities, metadata)
    if limit is not None and limit.kind in HEADERS:
        return None
    kinds = ", ".join(sorted(HEADERS))
    return f"{channel} takes one of {kinds} as the header of a template, within its limits; this is {metadata.mimetype}"


def _fitting_limit(capabilities: ChannelCapabilities, metadata: FileMetadata) -> MediaLimit | None:
    mimetype = usual_type(metadata.mimetype)
    if not metadata.size_bytes:
        return None  # no channel takes an empty file
    for limit in capabilities.media:
        if (limit.types is None or mimetype in limit.types) and metadata.size_bytes <= limit.max_bytes:
            return limit
    return None


def _texts_with_link(
    capabilities: ChannelCapabilities, metadata: FileMetadata, content: str, url: str
) -> tuple[str, ...] | None:
    named = f"{metadata.filename} ({human_size(metadata.size_bytes)})\n{url}"
    together = f"{content}\n\n{named}" if content.strip() else named
    if capabilities.cost(together) <= capabilities.max_text:
        return (together,)
    for last in (named, url):
        if capabilities.cost(last) <= capabilities.max_text:
            return (*split(content, capabilities.max_text, capabilities.cost), last)
    return None


def text_fault(address: str, text: str, capabilities_of: Mapping[str, ChannelCapabilities]) -> str | None:
    """Return a sentence if ``text`` cannot be sent to ``address`` as one message without a file, else ``None``.

    An internal address takes every text. A text over the limit is not split: several sends for one message could each
    have another outcome, and a repetition could not know the sends already made.
    """
    channel = address.partition(":")[0]
    capabilities = capabilities_of.get(channel)
    if capabilities is None or len(text) * MAX_COST <= capabilities.max_text:
        return None
    if (size := capabilities.cost(text)) <= capabilities.max_text:
        return None
    return f"{channel} takes at most {capabilities.max_text} {capabilities.unit} in a text; this one has {size}"


def split(text: str, limit: int, cost: Callable[[str], int]) -> tuple[str, ...]:
    """Return ``text`` in pieces of at most ``limit`` each, cut after white space where there is some.

    A grapheme cluster is never cut, unless it alone is over the limit. Together the pieces are the text again, except
    for pieces of only white space, rejected by every channel.
    """
    pieces: list[str] = []
    piece = ""
    used = gap = 0  # of the piece: its cost, and where its last white space ends
    for cluster in _within(text, limit, cost):
        price = cost(cluster)
        while used + price > limit:
            end = gap or len(piece)
            pieces.append(piece[:end])
            piece = piece[end:]
            used, gap = cost(piece), 0
        piece += cluster
        used += price
        if cluster[-1].isspace():
            gap = len(piece)
    pieces.append(piece)
    return tuple(piece for piece in pieces if piece.strip())


def _within(text: str, limit: int, cost: Callable[[str], int]) -> Iterator[str]:
    for cluster in clusters(text):
        if cost(cluster) <= limit:
            yield cluster
        else:
            yield from cluster


def human_size(size_bytes: int) -> str:
    """Return a size as people read it, in powers of 1,000: "2.1 GB"."""
    size, unit = float(size_bytes), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1_000:
            break
        size, unit = size / 1_000, larger
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
