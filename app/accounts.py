"""Our accounts on the channels, declared in one TOML file (``CHAT4ALL_ACCOUNTS``, docs/accounts.md).

    [[whatsapp]]
    name = "main"
    per_second = 80
    pair_seconds = 6
    token_env = "WA_TOKEN"

The file holds no secret: ``*_env`` names an environment variable, ``*_file`` a file. They are read when a connector
needs them (``account_secret``), so the API checks the file without having the channels' secrets.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from app.settings import InvalidSetting, Settings
from channels.manifest import account_options, driver_names
from domain.accounts import Account, AccountNames
from domain.breaker import BreakerRules
from domain.recipients import CHANNELS

DEFAULT_PATH = Settings.__dataclass_fields__["accounts"].default
MOST_BYTES = 1 << 20
MOST_ACCOUNTS = 1_000  # of a channel

_SECRET_WORDS = frozenset({"token", "secret", "password", "passwd", "passphrase", "key", "apikey", "credentials"})
# upper case: a token that was put here by mistake is refused, and not shown
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_TYPES: Mapping[type, str] = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}
_REFERENCES = ("_env", "_file")


class InvalidAccounts(InvalidSetting):
    """The file of accounts, or a secret that it names, cannot be used."""


def load_accounts(settings: Settings) -> Mapping[str, tuple[Account, ...]]:
    """Return the accounts of each channel, in the file's order: the first one is the channel's default.

    A channel without any has one simulated account. So has every channel if there is no file ``accounts.toml``; any
    other path must exist. Raises ``InvalidAccounts`` with a sentence for each fault, and its place.
    """
    path = Path(settings.accounts)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        if settings.accounts != DEFAULT_PATH:
            raise InvalidAccounts(f"CHAT4ALL_ACCOUNTS={settings.accounts}: there is no such file") from None
        content = b""
    except OSError as error:
        raise InvalidAccounts(f"{path}: {error.strerror or error}") from None
    return parse_accounts(content, path)


def account_names(settings: Settings) -> AccountNames:
    """Return the names of the accounts of each channel. Raises ``InvalidAccounts``."""
    accounts = load_accounts(settings)
    return {channel: tuple(account.name for account in of_channel) for channel, of_channel in accounts.items()}


def parse_accounts(content: bytes, path: Path) -> Mapping[str, tuple[Account, ...]]:
    """Return the accounts declared by ``content``, the bytes of the file at ``path``. Raises ``InvalidAccounts``."""
    if len(content) > MOST_BYTES:
        raise InvalidAccounts(f"{path}: longer than {MOST_BYTES:,} bytes")
    try:
        text = content.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise InvalidAccounts(f"{path}: byte {error.start:,} is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidAccounts(f"{path}: not TOML: {error}") from None
    reader = _Reader(path, text)
    accounts = {channel: tuple(reader.accounts(channel, document)) for channel in CHANNELS}
    reader.unknown_channels(document)
    if reader.faults:
        raise InvalidAccounts("\n".join(reader.faults))
    return {channel: declared or (Account(channel=channel),) for channel, declared in accounts.items()}


def account_secret(account: Account, name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the secret ``name`` of the account, from its variable or file.

    Raises ``InvalidAccounts`` if the account names neither, or if there is nothing.
    """
    whose = f"the account {account.name} of {account.channel}"
    if variable := account.options.get(f"{name}_env"):
        if secret := environ.get(variable, "").strip():
            return secret
        raise InvalidAccounts(f"{whose}: the variable {variable} is not set ({name}_env)")
    if path := account.options.get(f"{name}_file"):
        try:
            secret = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidAccounts(f"{whose}: {path} cannot be read ({name}_file): {error}") from None
        if secret:
            return secret
        raise InvalidAccounts(f"{whose}: {path} is empty ({name}_file)")
    raise InvalidAccounts(f"{whose} needs {name}_env or {name}_file")


def shown(account: Account) -> Mapping[str, str | float | bool]:
    """Return the account's keys and values for people, in the file's words; of a secret, whether it is there."""
    values = {f.name: getattr(account, f.name) for f in fields(account) if f.name not in ("breaker", "options")}
    breaker = {f"breaker.{f.name}": getattr(account.breaker, f.name) for f in fields(BreakerRules)}
    return {**values, **account.options, **_secrets_shown(account), **breaker}


def _secrets_shown(account: Account) -> Mapping[str, str]:
    """Return "***" for each secret that the account names and this process can read, else "missing"."""
    names = {key.removesuffix(end) for key in account.options for end in _REFERENCES if key.endswith(end)}
    found = {}
    for name in sorted(names):
        try:
            found[name] = "***" if account_secret(account, name) else "missing"
        except InvalidAccounts:
            found[name] = "missing"
    return found


class _Reader:
    """Reads one file, and collects its faults."""

    def __init__(self, path: Path, text: str) -> None:
        self.faults: list[str] = []
        self._path = path
        self._lines = text.splitlines()

    def unknown_channels(self, document: Mapping[str, Any]) -> None:
        for name in document:
            if name not in CHANNELS:
                line = self._line(rf"\s*\[*\s*[\"']?{re.escape(name)}\b")
                self._fault(line, f"unknown channel {name!r}: expected one of {', '.join(CHANNELS)}")

    def accounts(self, channel: str, document: Mapping[str, Any]) -> Iterator[Account]:
        declared = document.get(channel, [])
        if not isinstance(declared, list) or not all(isinstance(each, dict) for each in declared):
            line = self._line(rf"\s*\[*\s*{channel}\b")
            self._fault(line, f"{channel}: each account begins with [[{channel}]], in two pairs of brackets")
            return
        if len(declared) > MOST_ACCOUNTS:
            self._fault(1, f"{channel} has {len(declared):,} accounts: at most {MOST_ACCOUNTS:,}")
            return
        seen: set[str] = set()
        for number, table in enumerate(declared, 1):
            account = self._account(channel, number, table)
            if account is None:
                continue
            if account.name in seen:
                line = self._key_line(channel, number, "name")
                self._fault(line, f"{channel} has a second account named {account.name!r}")
            seen.add(account.name)
            yield account

    def _account(self, channel: str, number: int, table: Mapping[str, Any]) -> Account | None:
        before = len(self.faults)
        where = f"[[{channel}]] {number}"
        driver = table.get("driver", Account.__dataclass_fields__["driver"].default)
        known_options = account_options(channel, driver) if isinstance(driver, str) else None
        if known_options is None:
            self._fault(
                self._key_line(channel, number, "driver"),
                f"{where}: unknown driver: expected one of {', '.join(driver_names(channel))}",
            )
            return None
        values: dict[str, Any] = {"channel": channel}
        options: dict[str, str] = {}
        for key, value in table.items():
            fault = self._read(key, value, known_options, values, options)
            if fault:
                self._fault(self._key_line(channel, number, key), f"{where}: {fault}")
        for name in {key.removesuffix("_env") for key in options if key.endswith("_env")}:
            if f"{name}_file" in options:
                line = self._key_line(channel, number, f"{name}_file")
                self._fault(line, f"{where}: {name}_env and {name}_file: expected one of the two")
        if len(self.faults) > before:
            return None
        try:
            return Account(**values, options=options)
        except ValueError as error:
            line = self._key_line(channel, number, str(error).partition("=")[0])
            self._fault(line, f"{where}: {error}")
            return None

    def _read(
        self, key: str, value: Any, known_options: frozenset[str], values: dict[str, Any], options: dict[str, str]
    ) -> str:
        """Add one key to ``values`` or ``options``; return its fault, or an empty text."""
        if isinstance(value, date):  # TOML has days of its own, and times, which are days here as well
            value = value.date().isoformat() if isinstance(value, datetime) else value.isoformat()
        if key in _FIELDS:
            if not _is(value, _FIELDS[key]):
                return f"{key}={value!r}: expected {_TYPES[_FIELDS[key]]}"
            values[key] = float(value) if _FIELDS[key] is float else value
        elif key == "breaker":
            found = _breaker(value)
            if isinstance(found, str):
                return found
            values[key] = found
        elif key in known_options:
            if not isinstance(value, str | int | float):
                return f"{key}: expected a text, a number, true or false"
            options[key] = str(value).lower() if isinstance(value, bool) else str(value)
        elif _names_a_secret(key):
            return self._reference(key, value, options)
        else:
            near = get_close_matches(key, [*_FIELDS, "breaker", *known_options, "token_env", "token_file"], 1)
            return f"unknown key {key!r}" + (f": did you mean {near[0]!r}?" if near else "")
        return ""

    def _reference(self, key: str, value: Any, options: dict[str, str]) -> str:
        if not key.endswith(_REFERENCES):
            return (
                f"{key}: a secret does not belong into this file; write {key}_env with the name of an environment "
                f"variable, or {key}_file with a path"
            )
        if key.endswith("_env"):
            if not (isinstance(value, str) and _VARIABLE.fullmatch(value)):
                return f"{key}: expected the name of an environment variable, in upper case (its value is not shown)"
            options[key] = value
        elif not (isinstance(value, str) and value and "\0" not in value):
            return f"{key}: expected the path of a file"
        else:
            options[key] = str(self._path.parent / Path(value).expanduser())
        return ""

    def _fault(self, line: int, sentence: str) -> None:
        self.faults.append(f"{self._path}, line {line}: {sentence}")

    def _line(self, pattern: str, first: int = 0) -> int:
        """Return the number (from 1) of the next line that matches, or of the line ``first`` (from 0)."""
        found = (n for n in range(first, len(self._lines)) if re.match(pattern, self._lines[n]))
        return next(found, first) + 1

    def _key_line(self, channel: str, number: int, key: str) -> int:
        """Return the line of the account's key, or else of its header."""
        headers = [n for n, line in enumerate(self._lines) if re.match(rf"\s*\[\[\s*{channel}\s*\]\]", line)]
        if number > len(headers):
            return self._line(rf"\s*{channel}\b")
        first = headers[number - 1]
        last = headers[number] if number < len(headers) else len(self._lines)
        line = self._line(rf"\s*(\[{channel}\.)?[\"']?{re.escape(key)}\b", first)
        return line if line <= last else first + 1


def _names_a_secret(key: str) -> bool:
    for end in _REFERENCES:
        key = key.removesuffix(end)
    return not _SECRET_WORDS.isdisjoint(re.split(r"[^a-z]+", key.lower()))


def _breaker(value: Any) -> BreakerRules | str:
    if not isinstance(value, dict):
        return "breaker: expected a table, such as breaker = { open_seconds = 10 }"
    for key, number in value.items():
        if key not in _RULES:
            near = get_close_matches(key, _RULES, 1)
            return f"unknown key {key!r} of breaker" + (f": did you mean {near[0]!r}?" if near else "")
        if not _is(number, _RULES[key]):
            return f"breaker: {key}={number!r}: expected {_TYPES[_RULES[key]]}"
    try:
        return BreakerRules(**value)
    except ValueError as error:
        return f"breaker: {error}"


def _is(value: Any, kind: type) -> bool:
    """Return whether TOML's ``value`` is of this kind. A whole number is a number; true and false are none."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def _kinds(described: type) -> Mapping[str, type]:
    return {name: kind for name, kind in get_type_hints(described).items() if kind in _TYPES}


_FIELDS = {name: kind for name, kind in _kinds(Account).items() if name != "channel"}
_RULES = _kinds(BreakerRules)
