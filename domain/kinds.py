"""The kinds of a message: the names used by records, answers and connectors.

A message has one kind. The kind's own object is ``body``, a JSON object:

    template       {"name","language","parameters":{"header":[…],"body":[…]|{…},"buttons":[…]|{…}}},
                   a button's value by its index: the end of its URL; a file beside it is its header
    interactive    {"kind":"buttons","buttons":[{"id","title"}]}
                   {"kind":"list","button":…,"sections":[{"title","rows":[{"id","title","description"}]}]}
                   {"kind":"link","title","url"}                                  beside the text in ``content``
    location       {"latitude","longitude","name","address"}
    reaction       {"message_id","emoji"}; an empty emoji takes the reaction back
    contacts       {"contacts":[{"name","phones":[…]}]}                           inbound
    sticker        {}, with a file                                                inbound
    button_reply   {"id","title"}                                                 inbound: the pressed button or row
    unsupported    {"type": the provider's word for it}                           inbound: shown, never dropped

``domain/bodies.py`` reads them. ``text`` and ``file`` have an empty body: their text is ``content``, their file
``file_id``.
"""

from __future__ import annotations

from typing import Final

TEXT: Final = "text"
FILE: Final = "file"
TEMPLATE: Final = "template"
INTERACTIVE: Final = "interactive"
LOCATION: Final = "location"
REACTION: Final = "reaction"
CONTACTS: Final = "contacts"
STICKER: Final = "sticker"
BUTTON_REPLY: Final = "button_reply"
UNSUPPORTED: Final = "unsupported"

OUTBOUND_KINDS = frozenset({TEXT, FILE, TEMPLATE, INTERACTIVE, LOCATION, REACTION})
KINDS = OUTBOUND_KINDS | {CONTACTS, STICKER, BUTTON_REPLY, UNSUPPORTED}

OUTBOUND: Final = "outbound"
INBOUND: Final = "inbound"
