"""Schemas of the kinds of content: ``domain/kinds.py`` has the objects made from them.

The bounds here hold on every channel and inside the system; the limits of a recipient's channel are checked at
acceptance (``domain/degradation.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from domain.emoji import is_emoji
from domain.ids import is_uuid
from domain.text import fault_of, is_blank
from web.contract.request_fields import Creation, invalid

MAX_TITLE_CHARS = 256
MAX_TEXT_CHARS = 1_024
MAX_URL_CHARS = 2_000
MAX_BUTTONS = 20
MAX_ROWS = 50
MAX_PARAMETERS = 50
DEFAULT_MENU = "Menu"
_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,4})?")
_URL = re.compile(r"https?://[^\s/?#]+[^\s]*")


def _text(most: int, *, is_needed: bool, allowed: str = "") -> Callable[[str], str]:
    """Return the validator of a text of at most ``most`` characters."""

    def checked(text: str) -> str:
        if len(text) > most or (is_needed and is_blank(text)):
            raise invalid(f"must have {1 if is_needed else 0} to {most} characters")
        if fault := fault_of(text, allowed):
            raise invalid(fault)
        return text

    return checked


def _url(text: str) -> str:
    if len(text) > MAX_URL_CHARS or not text.isprintable() or not _URL.fullmatch(text):
        raise invalid(f"must be a URL with http:// or https://, at most {MAX_URL_CHARS} characters")
    return text


def _matching(pattern: re.Pattern[str], example: str) -> Callable[[str], str]:
    def checked(text: str) -> str:
        if not pattern.fullmatch(text):
            raise invalid(f"must be such as {example}")
        return text

    return checked


def message_id(text: str | None) -> str | None:
    """Return the id in lower case. Raises ``PydanticCustomError``, which is a ``ValueError``."""
    if text is not None and not is_uuid(text.lower()):
        raise invalid("must be the message_id of a message")
    return text and text.lower()


def _emoji(text: str) -> str:
    if text and not is_emoji(text):
        raise invalid("must be one emoji, or empty to take the reaction back")
    return text


def _parameters(value: list[str] | dict[str, str]) -> list[str] | dict[str, str]:
    if len(value) > MAX_PARAMETERS:
        raise invalid(f"must have at most {MAX_PARAMETERS} entries")
    texts = [*value, *value.values()] if isinstance(value, dict) else value
    for text in texts:
        _text(MAX_TEXT_CHARS, is_needed=True, allowed="\t\n")(text)
    return value


def _list_or_map(value: object) -> object:
    is_texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
    if is_texts or (isinstance(value, dict) and all(isinstance(one, str) for one in value.values())):
        return value
    raise invalid("must be a list of texts, or an object with a text for each name")


def _by_index(value: list[str] | dict[str, str]) -> list[str] | dict[str, str]:
    if isinstance(value, dict) and not all(name.isascii() and name.isdigit() and len(name) < 3 for name in value):
        raise invalid("must name each button by its number, from 0")
    return value


_Title = Annotated[
    str,
    AfterValidator(_text(MAX_TITLE_CHARS, is_needed=True)),
    Field(json_schema_extra={"minLength": 1, "maxLength": MAX_TITLE_CHARS}),
]
_Id = Annotated[_Title, Field(description="Comes back in the answer of the person who chooses it.")]
_OptionalTitle = Annotated[
    str,
    AfterValidator(_text(MAX_TITLE_CHARS, is_needed=False)),
    Field(json_schema_extra={"maxLength": MAX_TITLE_CHARS}),
]
_Description = Annotated[
    str,
    AfterValidator(_text(MAX_TEXT_CHARS, is_needed=False, allowed="\n")),
    Field(json_schema_extra={"maxLength": MAX_TEXT_CHARS}),
]
_Url = Annotated[str, AfterValidator(_url), Field(json_schema_extra={"maxLength": MAX_URL_CHARS})]
_Parameters = Annotated[
    list[str] | dict[str, str],
    AfterValidator(_parameters),
    BeforeValidator(_list_or_map),
    Field(description="By position, or by name."),
]


class _Object(Creation):
    """Part of a message."""

    def stored(self) -> dict[str, object]:
        """Return the object as records have it: without what was not given."""
        return self.model_dump(exclude_defaults=True)


class TemplateParameters(_Object):
    header: _Parameters = Field(default_factory=list)
    body: _Parameters = Field(default_factory=list)
    buttons: Annotated[_Parameters, AfterValidator(_by_index)] = Field(
        default_factory=list, description="The end of each button's URL, by its number from 0."
    )


class CreateTemplate(_Object):
    """A template approved by the provider; the only kind that WhatsApp takes outside the reply window."""

    name: Annotated[
        str,
        AfterValidator(_matching(_NAME, "order_update: small letters, digits and underscores")),
        Field(json_schema_extra={"pattern": f"^{_NAME.pattern}$"}, examples=["order_update"]),
    ]
    language: Annotated[
        str,
        AfterValidator(_matching(_LANGUAGE, "en or pt_BR")),
        Field(json_schema_extra={"pattern": f"^{_LANGUAGE.pattern}$"}, examples=["pt_BR"]),
    ]
    parameters: TemplateParameters = TemplateParameters()


class CreateButton(_Object):
    id: _Id
    title: _Title


class CreateRow(_Object):
    id: _Id
    title: _Title
    description: _Description = ""


class CreateSection(_Object):
    title: _OptionalTitle = ""
    rows: Annotated[list[CreateRow], Field(min_length=1, max_length=MAX_ROWS)]


_PARTS: Mapping[str, frozenset[str]] = {
    "buttons": frozenset({"buttons"}),
    "list": frozenset({"sections", "button"}),
    "link": frozenset({"title", "url"}),
}
_NEEDED = {"buttons": ("buttons",), "list": ("sections",), "link": ("title", "url")}
_OWNERS = {part: kind for kind, parts in _PARTS.items() for part in parts}


class CreateInteractive(_Object):
    """Choices under the message's `content`: `buttons`, a list (`sections`), or a link (`title` and `url`).

    A channel without them gets a text with numbered lines.
    """

    kind: Literal["buttons", "list", "link"]
    buttons: Annotated[list[CreateButton] | None, Field(min_length=1, max_length=MAX_BUTTONS)] = None
    button: Annotated[
        _Title | None, Field(description=f"Opens the list. By default “{DEFAULT_MENU}”.", examples=[DEFAULT_MENU])
    ] = None
    sections: Annotated[list[CreateSection] | None, Field(min_length=1, max_length=MAX_ROWS)] = None
    title: _Title | None = None
    url: Annotated[_Url | None, Field(examples=["https://example.org/orders/7"])] = None

    @field_validator("buttons", "button", "sections", "title", "url")
    @classmethod
    def _belongs(cls, value: object, info: ValidationInfo) -> object:
        kind = info.data.get("kind")
        if value is not None and kind is not None and info.field_name not in _PARTS[kind]:
            raise invalid(f"belongs to the kind {_OWNERS[str(info.field_name)]}, not to {kind}")
        return value

    @field_validator("buttons")
    @classmethod
    def _are_different(cls, buttons: list[CreateButton] | None) -> list[CreateButton] | None:
        _require_different([one.id for one in buttons or ()])
        return buttons

    @field_validator("sections")
    @classmethod
    def _is_one_list(cls, sections: list[CreateSection] | None) -> list[CreateSection] | None:
        rows = [row.id for section in sections or () for row in section.rows]
        if len(rows) > MAX_ROWS:
            raise invalid(f"must have at most {MAX_ROWS} rows together")
        _require_different(rows)
        if sections and len(sections) > 1 and any(is_blank(section.title) for section in sections):
            raise invalid("must each have a title if there are several")
        return sections

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the absent fields that the kind needs."""
        return tuple(name for name in _NEEDED[self.kind] if getattr(self, name) is None)

    def stored(self) -> dict[str, object]:
        """Return the object as records have it."""
        document = self.model_dump(exclude_none=True, exclude_defaults=True)
        if self.kind == "list":
            document.setdefault("button", DEFAULT_MENU)
        return document


class CreateLocation(_Object):
    """A place. A channel without locations gets its name, its address and a link to a map."""

    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False, examples=[-23.55052])]
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False, examples=[-46.633308])]
    name: _OptionalTitle = ""
    address: _Description = ""


class CreateReaction(_Object):
    """A reaction to a message of this conversation; an empty `emoji` takes it back."""

    message_id: Annotated[str, AfterValidator(message_id), Field(examples=["019aaf33-9b2c-7d33-8e4f-5a6b7c8d9e0f"])]
    emoji: Annotated[str, AfterValidator(_emoji), Field(examples=["👍"])]

    def stored(self) -> dict[str, object]:
        """Return the object as records have it, with the empty emoji."""
        return self.model_dump()


def _require_different(ids: list[str]) -> None:
    if len(set(ids)) < len(ids):
        raise invalid("must have ids that differ from each other")
