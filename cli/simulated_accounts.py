"""The accounts of the simulator: the accounts of ``accounts.toml`` that send to it, or a file of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from app.accounts import InvalidAccounts, account_secret, load_accounts
from app.settings import Settings
from channels.manifest import account_options
from domain.accounts import Account
from simulator.accounts import CHANNELS, DEFAULTS, INSTAGRAM, TELEGRAM, WHATSAPP, BusinessAccount

FOLDER = Path(".chat4all/simulator")
DEMO_USER = "demo"  # who gets the conversations that the simulator's people begin, once somebody registers this name
GRAPH_VERSIONS = {WHATSAPP: "v26.0", INSTAGRAM: "v25.0"}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NUMBER_IDS = {WHATSAPP: "phone_number_id", INSTAGRAM: "ig_id"}
_SECRETS: Mapping[str, Sequence[str]] = {
    WHATSAPP: ("token", "app_secret", "verify_token"),
    INSTAGRAM: ("token", "app_secret", "verify_token"),
    TELEGRAM: ("token", "secret_token"),
}


def business_accounts(settings: Settings, port: int) -> list[BusinessAccount]:
    """Return the declared accounts whose driver calls this machine on ``port``.

    Raises ``InvalidAccounts`` for an unusable file, or for such an account without its token.
    """
    declared = load_accounts(settings)
    accounts = [account for channel in CHANNELS for account in declared.get(channel, ())]
    return [_business_account(account) for account in accounts if _is_simulated(account, port)]


def _is_simulated(account: Account, port: int) -> bool:
    if account.driver != account.channel:
        return False
    url = urlsplit(account.options.get("base_url") or account.options.get("url", ""))
    return url.hostname in _LOOPBACK and url.port == port


def _business_account(account: Account) -> BusinessAccount:
    secrets = {name: _secret(account, name) for name in _SECRETS[account.channel]}
    if account.channel == TELEGRAM and account.options.get("updates") == "polling":
        secrets["secret_token"] = ""  # a webhook would exclude polling
    number_id = account.options.get(_NUMBER_IDS.get(account.channel, ""), "")
    if account.channel == TELEGRAM:
        number_id = secrets["token"].partition(":")[0]
    if not number_id.isdecimal():
        raise InvalidAccounts(f"the account {account.name} of {account.channel} has no number: the simulator needs it")
    return BusinessAccount(channel=account.channel, name=account.name, number_id=number_id, **secrets)


def _secret(account: Account, name: str) -> str:
    try:
        return account_secret(account, name)
    except InvalidAccounts:
        if name == "token":
            raise
        return ""


def write_accounts(
    folder: Path, url: str, accounts: Sequence[BusinessAccount] = DEFAULTS, more: Sequence[str] = ()
) -> Path:
    """Write ``accounts.toml`` and the files of its secrets into ``folder``, for a simulator at ``url``.

    ``more``: lines of TOML for each account. Return its path. Readers of the folder may use the accounts, which
    open a simulator only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# accounts at the simulator of the providers, written anew by each `chat4all run --simulator`"]
    for account in accounts:
        lines += ["", f"[[{account.channel}]]", f'name = "{account.name}"', f'driver = "{account.channel}"']
        lines += [*(f'{name} = "{value}"' for name, value in _options(account, url).items()), *more]
        for name in _SECRETS[account.channel]:
            file = folder / f"{account.channel}-{account.name}.{name}"
            file.write_text(getattr(account, name), encoding="utf-8")
            lines.append(f'{name}_file = "{file.name}"')
    path = folder / "accounts.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _options(account: BusinessAccount, url: str) -> Mapping[str, str]:
    known = account_options(account.channel, account.channel) or frozenset()
    options: dict[str, str] = {}
    if account.channel in _NUMBER_IDS:
        options[_NUMBER_IDS[account.channel]] = account.number_id
    if account.channel == TELEGRAM:
        options["base_url" if "base_url" in known else "url"] = url
    elif "base_url" in known:
        options["base_url"] = f"{url}/graph/{GRAPH_VERSIONS[account.channel]}"
    else:
        options |= {"url": f"{url}/graph", "version": GRAPH_VERSIONS[account.channel]}
    return options


def with_simulated_accounts(settings: Settings, url: str, folder: Path = FOLDER) -> Settings:
    """Return the settings with a file of accounts at the simulator, unless there is a file of the user's own."""
    if settings.accounts != Settings().accounts or Path(settings.accounts).exists():
        return settings
    return replace(settings, accounts=str(write_accounts(folder, url, more=[f'inbox = "{DEMO_USER}"'])))
