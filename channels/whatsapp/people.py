"""The person in an element of a webhook. A person with a username has no number here, and always a user id.

"contacts":[{"profile":{"name":"Ana","username":"ana"},"wa_id":"5511…","user_id":"BR.1502…"}]
"""

from __future__ import annotations

from collections.abc import Sequence

from channels.payloads import Payload, part, text
from domain.inbound import Person
from domain.recipients import BUSINESS_SCOPED_ID, E164


def person_of(number: str, user_id: str, contacts: Sequence[Payload]) -> Person:
    """Return the person with this number and id (either may be empty), completed from ``contacts``."""
    phone, user_id = phone_of(number), user_id_of(user_id) or user_id_of(number)
    contact = _contact_of(phone, user_id, contacts)
    profile = part(contact, "profile")
    username = text(profile, "username").removeprefix("@").lower()
    return Person(
        phone or phone_of(text(contact, "wa_id")),
        user_id or user_id_of(text(contact, "user_id")),
        f"@{username}" if username else "",
        text(profile, "name"),
    )


def phone_of(number: str) -> str:
    """Return a number as E.164, empty if it is none."""
    phone = f"+{number.removeprefix('+')}"
    return phone if E164.fullmatch(phone) else ""


def user_id_of(text: str) -> str:
    """Return a business-scoped user id, empty if ``text`` is none."""
    return text if BUSINESS_SCOPED_ID.fullmatch(text) else ""


def _contact_of(phone: str, user_id: str, contacts: Sequence[Payload]) -> Payload:
    """Return the contact of the same person: by an identifier, or the only one if there is nothing to compare."""
    for contact in contacts:
        same_id = user_id and text(contact, "user_id") == user_id
        same_phone = phone and phone_of(text(contact, "wa_id")) == phone
        if same_id or same_phone:
            return contact
    if len(contacts) != 1:
        return {}
    [contact] = contacts
    differs = (phone and phone_of(text(contact, "wa_id"))) or (user_id and text(contact, "user_id"))
    return {} if differs else contact
