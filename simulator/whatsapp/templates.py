"""Reads a ``template`` object. Any name is taken, except those that stand for a refusal (``limits.py``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.graph.errors import GraphError
from simulator.messages import Button, Content
from simulator.whatsapp import limits
from simulator.whatsapp.reading import needed, object_in, text_in

_COMPONENTS = ("header", "body", "footer", "button", "carousel", "limited_time_offer", "order_status")
_PARAMETERS = (
    "text", "currency", "date_time", "image", "video", "document", "location", "payload", "action", "coupon_code",
)  # fmt: skip
_MEDIA = frozenset({"image", "video", "document"})


def template(value: Mapping[str, Any]) -> Content:
    """Return the content: its text is the template's name with the parameters. Raises ``GraphError``."""
    name = needed(value, "name", "template['name']")
    code = needed(object_in(value, "language"), "code", "template['language']['code']")
    if not limits.TEMPLATE_NAME.fullmatch(name):
        raise GraphError(132001, f"template name ({name:.60}) does not exist in {code:.20}")
    if not limits.LANGUAGE.fullmatch(code):
        raise GraphError(132001, f"template name ({name:.60}) does not exist in {code:.20}")
    if name in limits.TEMPLATES:
        raise GraphError(*limits.TEMPLATES[name])
    components = value.get("components", [])
    if not isinstance(components, list) or not all(isinstance(each, dict) for each in components):
        raise GraphError(100, "Param template['components'] must be an array.")
    texts: list[str] = []
    buttons: list[Button] = []
    in_body = 0
    for component in components:
        kind = needed(component, "type", "template['components']['type']").lower()
        if kind not in _COMPONENTS:
            raise GraphError(100, f"Param template['components']['type'] is {kind:.60}")
        parameters = component.get("parameters", [])
        if not isinstance(parameters, list) or not all(isinstance(each, dict) for each in parameters):
            raise GraphError(100, "Param template['components']['parameters'] must be an array.")
        found = [_parameter(each) for each in parameters]
        if kind == "body":
            in_body = len(found)
        if kind == "button":
            _button(component, parameters, buttons)
        else:
            texts += found
    expected = limits.PARAMETERS.get(name)
    if expected is not None and in_body != expected:
        raise GraphError(
            132000, f"body: number of localizable_params ({in_body}) does not match the expected number ({expected})"
        )
    return Content("template", " · ".join([name, *texts]), data=value, buttons=tuple(buttons))


def header_media(value: Mapping[str, Any]) -> tuple[str, str]:
    """Return kind and id of the uploaded file in a checked template's header, two empty texts without one."""
    headers = (each for each in value.get("components", []) if each["type"].lower() == "header")
    files = (
        (kind, each[kind])
        for header in headers
        for each in header.get("parameters", [])
        for kind in _MEDIA & each.keys()
    )
    return next(((kind, text_in(media, "id", "")) for kind, media in files if "id" in media), ("", ""))


def _parameter(value: Mapping[str, Any]) -> str:
    kind = needed(value, "type", "parameters['type']").lower()
    if kind not in _PARAMETERS:
        raise GraphError(132012, f"Parameter of type {kind:.60} does not match the template")
    if kind == "text":
        text = needed(value, "text", "parameters['text']")
        if "\n" in text or "\t" in text or "     " in text:
            raise GraphError(132012, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces")
        return text
    if kind in _MEDIA:
        media = object_in(value, kind)
        if not (text_in(media, "id", "") or text_in(media, "link", "")):
            raise GraphError(131008, f"The parameter parameters['{kind}'] needs id or link.")
    if kind in ("currency", "date_time"):
        return needed(object_in(value, kind), "fallback_value", f"{kind}['fallback_value']")
    return text_in(value, kind, "") if kind in ("payload", "coupon_code") else f"[{kind}]"


def _button(component: Mapping[str, Any], parameters: list[Mapping[str, Any]], buttons: list[Button]) -> None:
    sub_type = needed(component, "sub_type", "components['sub_type']").lower()
    index = component.get("index")
    if isinstance(index, bool) or not str(index).isdecimal():
        raise GraphError(131008, "The parameter components['index'] is required.")
    if sub_type == "quick_reply":
        payload = next((str(each["payload"]) for each in parameters if "payload" in each), "")
        buttons.append(Button(payload or f"button {index}", f"Button {index}", "quick_reply"))
