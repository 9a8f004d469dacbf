"""Names of fields: the schema's, their older aliases, and unknown ones.

Of two names for one field, a ``null`` or empty value counts as absent, and two different values are refused. With
``extra="forbid"``, an unknown name is refused together with the nearest known one: a mistyped ``recipientId`` must
not mean "everyone" (docs/adr/0071-names-of-fields.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, get_args

import orjson
from pydantic import AliasChoices, BaseModel

Wrong = list[tuple[str, str]]

MAX_SHOWN_ERRORS = 50
MAX_SHOWN_CHARS = 64
_HINTS = 5  # of one document: a hint costs some 10 µs, and a batch holds many documents
_IS_NEAR = 0.4
_UNKNOWN = "is no field of this request"


class FieldNames:
    """The names of ``schema``'s fields; built once for each schema."""

    def __init__(self, schema: type[BaseModel]) -> None:
        self._schema = schema
        self._groups = {name: _names_of(name, field.validation_alias) for name, field in schema.model_fields.items()}
        self._field_of = {one: name for name, names in self._groups.items() for one in names}
        self._known = frozenset(self._field_of)
        self._older = self._known - frozenset(self._groups)
        self._refuses_unknown = schema.model_config.get("extra") == "forbid"
        self._pairs = {one: _pairs(one) for one in self._known}

    def settled(self, document: Mapping[str, Any]) -> tuple[Mapping[str, Any], Wrong]:
        """Return ``document`` with one name for each field, for validation, and the errors in its names.

        The errors are at most ``MAX_SHOWN_ERRORS`` pairs of a name, shortened, and a sentence.
        """
        unknown = self._refuses_unknown and not document.keys() <= self._known
        if not unknown and self._older.isdisjoint(document):
            return document, []
        given = {name: document[name] for name in self._known if name in document}
        wrong = list(self._contradictions(given))
        if unknown:
            names = (name for name in document if name not in self._known)
            for number, name in enumerate(islice(names, MAX_SHOWN_ERRORS)):
                wrong.append((shown_name(name), self.unknown(name) if number < _HINTS else _UNKNOWN))
        return given, wrong

    def unknown(self, name: str) -> str:
        """Return the error text for the unknown ``name``, with the nearest known name."""
        return f"{_UNKNOWN}; {self._hint(name)}"

    def inside(self, path: Sequence[int | str]) -> FieldNames | None:
        """Return the names of the object at ``path``, fields and indices from here; ``None`` if there is no schema."""
        schema: type[BaseModel] | None = self._schema
        for part in path:
            if schema is not None and isinstance(part, str):
                field = schema.model_fields.get(self.field_of(part) if schema is self._schema else part)
                schema = None if field is None else _schema_in(field.annotation)
        return None if schema is None else names_of(schema)

    def field_of(self, name: str) -> str:
        """Return the field with this ``name``."""
        return self._field_of.get(name, name)

    def _contradictions(self, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Leave one name of each field in ``given``; tell where the names say something different."""
        for field, names in self._groups.items():
            present = [name for name in names if name in given]
            if len(present) < 2:
                continue
            meant = [name for name in present if given[name] not in (None, "")] or present[:1]
            if any(not _is_same(given[meant[0]], given[name]) for name in meant[1:]):
                both = " and ".join(f"`{name}`" for name in meant)
                yield field, f"{both} are names of one field and hold different values; give one of them"
            for name in present:
                if name != meant[0]:
                    del given[name]

    def _hint(self, name: str) -> str:
        pairs = _pairs(name[:MAX_SHOWN_CHARS])
        near = {known: 2 * len(pairs & own) / (len(pairs) + len(own)) for known, own in self._pairs.items()}
        nearest = max(sorted(near), key=near.__getitem__)
        if near[nearest] >= _IS_NEAR:
            return f"did you mean `{self._field_of[nearest]}`?"
        return "it takes " + ", ".join(f"`{field}`" for field in self._groups)


@cache
def names_of(schema: type[BaseModel]) -> FieldNames:
    """Return the names of ``schema``'s fields."""
    return FieldNames(schema)


def shown_name(name: str) -> str:
    """Return a client's name for use in a response, cut to ``MAX_SHOWN_CHARS`` characters."""
    return name if len(name) <= MAX_SHOWN_CHARS else f"{name[:MAX_SHOWN_CHARS]}…"


def _schema_in(annotation: object) -> type[BaseModel] | None:
    """Return the schema in an annotation such as ``list[CreateRow] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _schema_in(one)) is not None), None)


def _names_of(field: str, alias: object) -> tuple[str, ...]:
    choices = alias.choices if isinstance(alias, AliasChoices) else ()
    return (field, *(choice for choice in choices if isinstance(choice, str) and choice != field))


def _is_same(one: object, other: object) -> bool:
    # as JSON, in which 1 and true differ
    return orjson.dumps(one) == orjson.dumps(other)


def _pairs(name: str) -> frozenset[str]:
    """Return all pairs of neighbouring characters; ``recipientId`` and ``recipient_id`` have the same."""
    letters = f" {''.join(filter(str.isalnum, name)).lower()}"
    return frozenset(letters[at : at + 2] for at in range(len(letters) - 1)) or frozenset({letters})
