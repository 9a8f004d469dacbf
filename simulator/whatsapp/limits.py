"""WhatsApp's limits, as data. Checked 2026-11-27: ../shared/providers.md, and Meta's OpenAPI description v23.0."""

from __future__ import annotations

import re

TEXT = 4_096
CAPTION = 1_024
TOKEN = 512  # biz_opaque_callback_data
BODY = 1_024
HEADER = FOOTER = 60
BUTTONS, BUTTON_TITLE, BUTTON_ID = 3, 20, 256
SECTIONS, ROWS, ROW_TITLE, ROW_DESCRIPTION, ROW_ID = 10, 10, 24, 72, 200
LIST_BUTTON = 20
CONTACTS = 5
TEMPLATE_NAME = re.compile(r"[a-z0-9_]{1,512}")
LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?")
NUMBER = re.compile(r"\+?[0-9][0-9 ()-]{5,24}")
USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
MESSAGE_ID = re.compile(r"wamid\.[A-Za-z0-9+/=_.-]{1,250}")
MEDIA = ("image", "audio", "video", "document", "sticker")
WITH_CAPTION = ("image", "video", "document")
INTERACTIVE = ("button", "list", "cta_url", "location_request_message")

# names of templates that are refused, as one finds them in practice; any other name is taken
TEMPLATES = {
    "does_not_exist": (132001, "template name (does_not_exist) does not exist"),
    "is_paused": (132015, "the template is paused due to low quality"),
    "is_disabled": (132016, "the template is disabled"),
    "violates_policy": (132007, "the content violates a policy"),
}
# templates whose number of parameters of the body is known
PARAMETERS = {"needs_one_parameter": 1, "needs_two_parameters": 2, "hello_world": 0}
NEEDS_NUMBER = "needs_a_number"  # a template that may not be sent to a BSUID
MARKETING = "marketing"  # templates whose name begins so are marketing
