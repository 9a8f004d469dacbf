"""Validation errors in plain words: the one place to replace pydantic's texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from web.http.field_names import MAX_SHOWN_ERRORS, FieldNames, shown_name

Context = Mapping[str, Any]


def _entries(number: int) -> str:
    return f"{number} entry" if number == 1 else f"{number} entries"


def _characters(number: int) -> str:
    return f"{number} character" if number == 1 else f"{number} characters"


def _whole_number(_: Context) -> str:
    return "must be a whole number"


def _object(_: Context) -> str:
    return "must be an object"


# By pydantic's type of error (https://docs.pydantic.dev/latest/errors/validation_errors/). Those of constraints that
# no schema here uses are missing; they would be told in pydantic's words.
SENTENCES: Mapping[str, Callable[[Context], str]] = {
    "invalid": lambda context: str(context["detail"]),
    "missing": lambda _: "is required",
    "extra_forbidden": lambda _: "is no field of this request",
    "string_type": lambda _: "must be a text",
    "string_unicode": lambda _: "must be a text in UTF-8",
    "string_too_short": lambda context: f"must have at least {_characters(context['min_length'])}",
    "string_too_long": lambda context: f"must have at most {_characters(context['max_length'])}",
    "string_pattern_mismatch": lambda context: f"must have the form {context['pattern']}",
    "too_short": lambda context: f"must have at least {_entries(context['min_length'])}",
    "too_long": lambda context: f"must have at most {_entries(context['max_length'])}",
    "int_type": _whole_number,
    "int_parsing": _whole_number,
    "int_parsing_size": _whole_number,
    "int_from_float": _whole_number,
    "float_type": lambda _: "must be a number",
    "float_parsing": lambda _: "must be a number",
    "finite_number": lambda _: "must be a finite number",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "greater_than": lambda context: f"must be more than {context['gt']}",
    "greater_than_equal": lambda context: f"must be {context['ge']} or more",
    "less_than": lambda context: f"must be less than {context['lt']}",
    "less_than_equal": lambda context: f"must be {context['le']} or less",
    "literal_error": lambda context: "must be " + str(context["expected"]).replace("'", "`"),
    "list_type": lambda _: "must be a list",
    "dict_type": _object,
    "model_type": _object,
    "model_attributes_type": _object,
}


def sentence_of(error: ErrorDetails) -> str:
    """Return the error as the end of a sentence beginning with the field's name."""
    sentence = SENTENCES.get(error["type"])
    return error["msg"] if sentence is None else sentence(error.get("ctx", {}))


def told(error: ValidationError, names: FieldNames, settled: set[str]) -> list[tuple[str, str]]:
    """Return pairs of a field, as the client wrote it, and a sentence: at most ``MAX_SHOWN_ERRORS``.

    ``settled``: fields of which something is told already.
    """
    found = error.errors(include_url=False, include_input=False)[:MAX_SHOWN_ERRORS]
    return [
        (".".join(shown_name(str(part)) for part in item["loc"]), _sentence(item, names))
        for item in found
        if not item["loc"] or names.field_of(str(item["loc"][0])) not in settled
    ]


def _sentence(error: ErrorDetails, names: FieldNames) -> str:
    """Return the sentence; of an unknown field inside an object, with the nearest known one."""
    *path, last = error["loc"] or ("",)
    inner = names.inside(path) if error["type"] == "extra_forbidden" and path else None
    return sentence_of(error) if inner is None else inner.unknown(shown_name(str(last)))
