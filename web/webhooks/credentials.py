"""The secrets of accounts by which the API knows their providers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from channels.manifest import drivers
from domain.accounts import SIMULATED, Account
from domain.ports import WebhookProtocol

VERIFY_TOKEN = "verify_token"
# ``secret_of(account, name)``: raises ``ValueError`` with a sentence if there is none
SecretOf = Callable[[Account, str], str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets of one account. ``secret`` authenticates a POST; if it is empty, ``missing`` names the remedy.

    ``verify_token`` authenticates a verification request; empty: none is answered.
    """

    account: str
    secret: str = ""
    verify_token: str = ""
    missing: str = ""


def credentials_of(
    protocol: WebhookProtocol, accounts: Iterable[Account], secret_of: SecretOf
) -> Mapping[str, Credentials]:
    """Return the credentials of those ``accounts`` to which a provider posts, by name."""
    found = {}
    for account in accounts:
        if not _gets_webhooks(protocol, account):
            continue
        secret, missing = _read(secret_of, account, protocol.secret)
        verify_token, _ = _read(secret_of, account, VERIFY_TOKEN)
        found[account.name] = Credentials(account.name, secret, verify_token, missing)
    return found


def _gets_webhooks(protocol: WebhookProtocol, account: Account) -> bool:
    if {f"{protocol.secret}_env", f"{protocol.secret}_file"} & set(account.options):
        return True
    driver = None if account.driver == SIMULATED else drivers().get(account.driver)
    return driver is not None and protocol.secret in driver.secrets


def _read(secret_of: SecretOf, account: Account, name: str) -> tuple[str, str]:
    """Return the secret and, if there is none, the sentence that says why."""
    try:
        return secret_of(account, name), ""
    except ValueError as error:
        return "", str(error)
