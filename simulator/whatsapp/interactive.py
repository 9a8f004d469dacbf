"""Reads an ``interactive`` object: buttons, a list, a link, a request for a location."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.graph.errors import GraphError
from simulator.messages import Button, Content
from simulator.whatsapp import limits
from simulator.whatsapp.reading import needed, object_in, objects_in, text_in, within


def interactive(value: Mapping[str, Any]) -> Content:
    """Return the content and its buttons. Raises ``GraphError``."""
    kind = needed(value, "type", "interactive['type']")
    if kind not in limits.INTERACTIVE:
        raise GraphError(100, f"Param interactive['type'] must be one of {{{', '.join(limits.INTERACTIVE).upper()}}}")
    body = needed(object_in(value, "body"), "text", "interactive['body']['text']")
    within(body, limits.BODY, "interactive['body']['text']")
    for part, most in (("header", limits.HEADER), ("footer", limits.FOOTER)):
        if part in value:
            within(text_in(object_in(value, part), "text", ""), most, f"interactive['{part}']['text']")
    action = object_in(value, "action")
    if kind == "button":
        buttons = _replies(action)
    elif kind == "list":
        buttons = _rows(action)
    else:
        buttons = _link(action) if kind == "cta_url" else []
    ids = [button.id for button in buttons if button.kind != "link"]
    if len(set(ids)) < len(ids):
        raise GraphError(131009, "Param interactive['action'] has an id twice")
    return Content("interactive", body, data=value, buttons=tuple(buttons))


def _replies(action: Mapping[str, Any]) -> list[Button]:
    where = "interactive['action']['buttons']"
    buttons = []
    for each in objects_in(action, "buttons", limits.BUTTONS, where):
        if each.get("type") != "reply":
            raise GraphError(100, f"Param {where}['type'] must be one of {{REPLY}}")
        reply = object_in(each, "reply")
        buttons.append(_button(reply, where, limits.BUTTON_TITLE, limits.BUTTON_ID))
    if len({button.title for button in buttons}) < len(buttons):
        raise GraphError(131009, f"Param {where} has a title twice")
    return buttons


def _rows(action: Mapping[str, Any]) -> list[Button]:
    where = "interactive['action']['sections']"
    within(needed(action, "button", "interactive['action']['button']"), limits.LIST_BUTTON, "action['button']")
    rows: list[Button] = []
    sections = objects_in(action, "sections", limits.SECTIONS, where)
    for section in sections:
        title = text_in(section, "title", "")
        if not title and len(sections) > 1:
            raise GraphError(131008, f"The parameter {where}['title'] is required with more than one section.")
        within(title, limits.ROW_TITLE, f"{where}['title']")
        for row in objects_in(section, "rows", limits.ROWS, f"{where}['rows']"):
            description = text_in(row, "description", "")
            within(description, limits.ROW_DESCRIPTION, f"{where}['rows']['description']")
            button = _button(row, f"{where}['rows']", limits.ROW_TITLE, limits.ROW_ID)
            rows.append(Button(button.id, button.title, "row", description))
    if len(rows) > limits.ROWS:
        raise GraphError(131009, f"Param {where} must have at most {limits.ROWS} rows in total; it has {len(rows)}")
    return rows


def _button(value: Mapping[str, Any], where: str, most_title: int, most_id: int) -> Button:
    id, title = needed(value, "id", f"{where}['id']"), needed(value, "title", f"{where}['title']")
    within(id, most_id, f"{where}['id']")
    within(title, most_title, f"{where}['title']")
    return Button(id, title)


def _link(action: Mapping[str, Any]) -> list[Button]:
    if action.get("name") != "cta_url":
        raise GraphError(100, "Param interactive['action']['name'] must be one of {CTA_URL}")
    parameters = object_in(action, "parameters")
    title, url = needed(parameters, "display_text"), needed(parameters, "url")
    within(title, limits.BUTTON_TITLE, "parameters['display_text']")
    if not url.startswith(("http://", "https://")):
        raise GraphError(131009, "Param parameters['url'] is not a valid URI")
    return [Button(url, title, "link")]
