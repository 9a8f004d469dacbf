"""Asks the provider of each account about it, for `chat4all doctor`, and sends the messages asked for."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from app.accounts import InvalidAccounts, account_secret, load_accounts
from app.settings import Settings
from channels import make_connector
from channels.simulated import Simulation
from domain.accounts import SIMULATED, Account
from domain.outcomes import Refused, Sent
from domain.ports import AccountFault, CheckingConnector, Connector
from domain.records import DeliveryRequested

SECONDS = 30.0  # for all accounts
AT_ONCE = 8
TEXT = "chat4all doctor: this account can send."
NOT_ASKED, NO_CONNECTOR, MESSAGE = "account-not-asked", "account-options", "account-message"
Found = tuple[str, AccountFault]  # channel/account, fault


async def look_at_accounts(settings: Settings, sends: Iterable[tuple[str, str]] = ()) -> list[Found]:
    """Return the faults of each account that is no simulation, by its provider's word.

    ``sends``: account (``whatsapp/main``) and address of each message to send. A file of accounts that cannot be read
    and a missing secret are told elsewhere.
    """
    try:
        accounts = {f"{one.channel}/{one.name}": one for each in load_accounts(settings).values() for one in each}
    except InvalidAccounts:
        return []
    slots = asyncio.Semaphore(AT_ONCE)
    asked = {name: one for name, one in accounts.items() if one.driver != SIMULATED and _has_secrets(one)}
    works = {asyncio.create_task(_check(name, one, slots)): name for name, one in asked.items()}
    for name, address in sends:
        works[asyncio.create_task(_send(name, accounts.get(name), address, slots))] = name
    if not works:
        return []
    done, late = await asyncio.wait(works, timeout=SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    unanswered = AccountFault(NOT_ASKED, f"no answer within {SECONDS:g} s", "ask again")
    return [
        *(found for task in works if task in done for found in task.result()),
        *((works[t], unanswered) for t in late),
    ]


class _NotMade(Exception):
    """The options of an account make no connector."""


@asynccontextmanager
async def _connected(account: Account) -> AsyncIterator[Connector]:
    try:
        connector = make_connector(account, Simulation(), partial(account_secret, account))
    except ValueError as error:
        raise _NotMade(str(error)) from error
    try:
        yield connector
    finally:
        await connector.close()


async def _check(name: str, account: Account, slots: asyncio.Semaphore) -> Sequence[Found]:
    try:
        async with slots, _connected(account) as connector:
            faults = await connector.check() if isinstance(connector, CheckingConnector) else ()
    except _NotMade as error:
        return [(name, AccountFault(NO_CONNECTOR, str(error), "correct accounts.toml, see docs/accounts.md"))]
    return [(name, fault) for fault in faults]


async def _send(name: str, account: Account | None, address: str, slots: asyncio.Semaphore) -> Sequence[Found]:
    if account is None:
        return [(name, AccountFault(MESSAGE, "there is no such account", "name one of accounts.toml"))]
    try:
        async with slots, _connected(account) as connector:
            outcome = await connector.send(_message(account, address), 1)
    except _NotMade as error:
        return [(name, AccountFault(MESSAGE, str(error), "correct accounts.toml, see docs/accounts.md"))]
    if isinstance(outcome, Sent):
        return []
    code = f"{outcome.code}: " if isinstance(outcome, Refused) else ""
    detail = f"a message to {address} was not sent: {code}{outcome.detail}"
    return [(name, AccountFault(MESSAGE, detail, "see docs/channel-setup.md and docs/dead-letters.md"))]


def _message(account: Account, address: str) -> DeliveryRequested:
    recipient = address if ":" in address else f"{account.channel}:{address}"
    now = time.time_ns() // 1_000_000
    return DeliveryRequested(
        str(uuid.uuid4()), "chat4all-doctor", "", recipient, TEXT, None, now, 0, account=account.name
    )


def _has_secrets(account: Account) -> bool:
    return not list(secret_faults(account))


def secret_faults(account: Account) -> Iterator[str]:
    """Yield a sentence for each secret that the account names and nobody has set."""
    ends = ("_env", "_file")
    for name in sorted({key.removesuffix(end) for key in account.options for end in ends if key.endswith(end)}):
        try:
            account_secret(account, name)
        except InvalidAccounts as error:
            yield str(error)


def sends_of(words: Iterable[str]) -> list[tuple[str, str]]:
    """Return account and address of each ``whatsapp/main=+5511…``. Raises ``ValueError`` for another form."""
    found = []
    for word in words:
        account, _, address = word.partition("=")
        if not address or account.count("/") != 1:
            raise ValueError(f"{word!r} is not of the form channel/account=address")
        found.append((account, address))
    return found
