"""The names in WhatsApp's webhooks, as data (Cloud API, "Webhooks"; checked on 2026-11-27)."""

from __future__ import annotations

from collections.abc import Mapping

from domain.inbound import Happening
from domain.status import Status

# a status that is not here and not in IGNORED_STATUSES is unknown; a voice message that was played was read, too
STATUSES: Mapping[str, Status] = {
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
    "played": Status.READ,
    "failed": Status.FAILED,
}
IGNORED_STATUSES = frozenset({"deleted"})

# fields whose value is news about our account, without elements
ACCOUNT_FIELDS = frozenset(
    {
        "account_alerts",
        "account_review_update",
        "account_settings_update",
        "account_update",
        "automatic_events",
        "business_capability_update",
        "business_status_update",
        "business_username_update",
        "flows",
        "message_template_components_update",
        "message_template_quality_update",
        "message_template_status_update",
        "partner_solutions",
        "payment_configuration_update",
        "phone_number_name_update",
        "phone_number_quality_update",
        "security",
        "template_category_update",
        "template_correct_category_detection",
        "tracking_events",
    }
)
# lists of known elements with nothing to do: calls, groups, what our own application wrote, and old messages
IGNORED_LISTS: Mapping[str, str] = {
    "calls": "call",
    "groups": "group",
    "message_echoes": "echo",
    "state_sync": "contact of the application",
}
CONTEXT_LISTS = frozenset({"contacts"})  # they say who the others are about
PREFERENCES: Mapping[str, Happening] = {
    "stop": Happening.OPT_OUT,
    "resume": Happening.OPT_IN,
    "signup": Happening.OPT_IN,
}
MARKETING = "marketing_messages"
# of a system message: whose identifiers changed
IDENTITY_CHANGES = frozenset({"user_changed_number", "user_changed_user_id", "customer_changed_number"})
IGNORED_SYSTEM = frozenset({"customer_identity_changed", "user_identity_changed"})
IGNORED_MESSAGES = frozenset({"request_welcome", "revoke"})
FILES: Mapping[str, str] = {
    "image": "image/jpeg",
    "video": "video/mp4",
    "audio": "audio/ogg",
    "voice": "audio/ogg",
    "document": "application/octet-stream",
    "sticker": "image/webp",
}
# keys of every message: what is beside them is its kind, if ``type`` is missing
COMMON_KEYS = frozenset(
    {"from", "from_user_id", "from_parent_user_id", "id", "timestamp", "type", "context", "errors", "referral", "to"}
    | {"group_id", "identity", "metadata", "to_user_id", "username", "history_context"}
)
