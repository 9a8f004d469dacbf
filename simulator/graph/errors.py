"""The Graph API's errors: code, title and HTTP status. Checked 2026-11-27 (../shared/providers.md; statuses: [?])."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# code → (HTTP status, title)
CODES: Mapping[int, tuple[int, str]] = {
    0: (401, "AuthException"),
    1: (400, "API Unknown"),
    2: (503, "API Service"),
    3: (500, "API Method"),
    4: (429, "Application request limit reached"),
    10: (403, "Permission Denied"),
    33: (400, "Parameter value is not valid"),
    100: (400, "Invalid parameter"),
    190: (401, "Invalid OAuth access token"),
    200: (403, "API Permission"),
    368: (403, "Temporarily blocked for policies violations"),
    551: (400, "This person isn't available right now."),
    613: (429, "Calls to this api have exceeded the rate limit."),
    803: (404, "Some of the aliases you requested do not exist"),
    80007: (429, "Rate limit issues"),
    130429: (429, "Rate limit hit"),
    130472: (400, "User's number is part of an experiment"),
    130497: (403, "Business account is restricted from messaging users in this country."),
    131000: (500, "Something went wrong"),
    131005: (403, "Access denied"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131016: (503, "Service unavailable"),
    131020: (400, "Group unavailable"),
    131021: (400, "Recipient cannot be sender"),
    131026: (400, "Message undeliverable"),
    131030: (400, "Recipient phone number not in allowed list"),
    131031: (403, "Account has been locked"),
    131037: (400, "Display name is not approved"),
    131041: (400, "Group unavailable"),
    131042: (400, "Business eligibility payment issue"),
    131044: (400, "Business eligibility payment issue"),
    131045: (500, "Incorrect certificate"),
    131047: (400, "Re-engagement message"),
    131048: (400, "Spam rate limit hit"),
    131049: (400, "This message was not delivered to maintain healthy ecosystem engagement."),
    131050: (400, "User has stopped receiving marketing messages from this business"),
    131051: (400, "Unsupported message type"),
    131052: (400, "Media download error"),
    131053: (400, "Media upload error"),
    131056: (429, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: (503, "Account in maintenance mode"),
    131062: (400, "Business-scoped User ID recipients are not supported for this message"),
    131063: (400, "Marketing templates are disabled"),
    131064: (400, "Messaging limit: templates are misclassified"),
    132000: (400, "Number of parameters does not match the expected number of params"),
    132001: (404, "Template name does not exist in the translation"),
    132005: (400, "Translated text too long"),
    132007: (400, "Template content policy violated"),
    132008: (400, "Template parameter value is not valid"),
    132012: (400, "Parameter format does not match format in the created template"),
    132015: (400, "Template is paused"),
    132016: (400, "Template is disabled"),
    132068: (400, "Flow is blocked"),
    132069: (400, "Flow is throttled"),
    133016: (400, "Account register deregister rate limit exceeded"),
    135000: (400, "Generic user error"),
    137000: (400, "Recipient identity key mismatch"),
}
NEW_CODE = 131_977  # in no table: drift
# some of Instagram's subcodes [?]
OUTSIDE_WINDOW, NO_SUCH_USER, BLOCKED = 2534022, 2534014, 1545041
_TRANSIENT = frozenset({1, 2, 4, 613, 80007, 130429, 131000, 131016, 131056, 131057})


@dataclass(eq=False)
class GraphError(Exception):
    """An error in Meta's form. ``details`` names what is wrong; decide on ``code``, never on a text."""

    code: int
    details: str = ""
    subcode: int = 0
    status: int = 0  # 0: the one of CODES
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def http_status(self) -> int:
        return self.status or CODES.get(self.code, (400, ""))[0]

    def body(self, product: str = "whatsapp") -> dict[str, Any]:
        """Return the answer's JSON object; ``product`` names it in ``error_data``, which only WhatsApp has."""
        title = title_of(self.code)
        message = f"(#{self.code}) {title}"
        if self.code in (100, 10, 551) and self.details:
            message = f"(#{self.code}) {self.details}"
        error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": self.code}
        if self.subcode:
            error["error_subcode"] = self.subcode
        if self.code in _TRANSIENT:
            error["is_transient"] = True
        if product == "whatsapp" and self.details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        error["fbtrace_id"] = f"A{secrets.token_urlsafe(16)}"
        return {"error": error}


def title_of(code: int) -> str:
    """Return the title of a code, also of one that no table knows."""
    return CODES[code][1] if code in CODES else "An error that is not documented yet"
