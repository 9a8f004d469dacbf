"""Decides the account and the identifier for a message to a person, or the reason against it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.accounts import FALLBACK_TEMPLATE, Account
from domain.capabilities import ContentLimits
from domain.contact_rules import refusal_of
from domain.inbound import ContactChanged
from domain.kinds import TEMPLATE
from domain.outcomes import Refusal
from domain.recipients import is_handle

UNKNOWN_HANDLE = "recipient-unknown"


@dataclass(frozen=True, slots=True)
class Reach:
    """``account``: with which the person last wrote, empty for the default. ``to``: what the provider takes, empty if
    the address itself is taken, or if only the channel's worker knows it."""

    account: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """``reason``: a stable word; ``detail``: what to do."""

    reason: str
    detail: str


ANYWHERE = Reach()


def account_for(
    contacts: Sequence[ContactChanged], conversation_id: str, address: str, accounts: Mapping[str, Account]
) -> str:
    """Return the account of a message whose sender named none: that to which the person last wrote in this
    conversation. Else the channel's default; but a handle is known only to an account that its owner wrote to.
    """
    known = [one for one in contacts if one.account in accounts]
    here = [one for one in known if one.conversation_id == conversation_id]
    if here:
        return max(here, key=lambda one: one.at_ms).account
    default = next(iter(accounts))
    if is_handle(address) and known and all(one.account != default for one in known):
        return max(known, key=lambda one: one.at_ms).account
    return default


def reach(
    address: str,
    kind: str,
    contacts: Sequence[ContactChanged] | None,
    account: Account,
    limits: ContentLimits,
    now_ms: int,
) -> Reach | OutOfReach:
    """Return how ``account``, one with a real provider, reaches the person, or why it does not.

    ``contacts``: what each account knows of the person; ``None``: the address book cannot be read, so the channel's
    worker decides.
    """
    if contacts is None:
        return ANYWHERE
    contact = next((one for one in contacts if one.account == account.name), None)
    if contact is None:
        if not is_handle(address):
            return ANYWHERE
        return OutOfReach(UNKNOWN_HANDLE, _unknown(address, account.name, contacts))
    refused = refusal_of(kind, contact, limits, now_ms)
    if refused is None or _has_way_out(refused.kind, account, limits):
        own = address.partition(":")[2]
        return Reach(account.name, "" if contact.to == own else contact.to)
    return OutOfReach(str(refused.code), f"{address}: {refused.detail}")


def _has_way_out(kind: Refusal, account: Account, limits: ContentLimits) -> bool:
    has_template = TEMPLATE in limits.outside_window and account.options.get(FALLBACK_TEMPLATE)
    return kind is Refusal.OUTSIDE_WINDOW and bool(has_template)


def _unknown(address: str, account: str, contacts: Sequence[ContactChanged]) -> str:
    channel = address.partition(":")[0]
    others = sorted({one.account for one in contacts})
    elsewhere = f" It has written to the account {', '.join(others)}." if others else ""
    return (
        f"{address} has not written to our account {account} yet, and {channel} takes no handle as a recipient: "
        f"let the person write first, or name the provider's numeric id.{elsewhere}"
    )
