"""The channels and the drivers of their accounts, read from the folders.

A channel is a line in ``domain/recipients.py`` and a folder of its name here:

* ``__init__.py``: ``TITLE`` and ``CAPABILITIES``;
* ``connector.py``, if it has one: ``DRIVER``;
* ``webhooks.py``, if its provider posts any: ``PROTOCOL``.

A driver of another distribution is an entry point of the group ``chat4all.connectors`` that names its ``Driver``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from types import ModuleType

from channels.driver import ACCOUNT_OPTIONS, Driver
from channels.provider import connector as provider
from domain.accounts import SIMULATED, Account
from domain.attachments import ChannelCapabilities
from domain.ports import WebhookProtocol
from domain.recipients import CHANNELS

CONNECTORS = "chat4all.connectors"


def _parts(part: str) -> Mapping[str, ModuleType]:
    """Return the module ``part`` of each channel that has it."""
    names = {name: f"channels.{name}.{part}" for name in CHANNELS}
    return {name: import_module(module) for name, module in names.items() if find_spec(module) is not None}


_FOLDERS = {name: import_module(f"channels.{name}") for name in CHANNELS}

TITLES: Mapping[str, str] = {name: folder.TITLE for name, folder in _FOLDERS.items()}
CAPABILITIES: Mapping[str, ChannelCapabilities] = {name: folder.CAPABILITIES for name, folder in _FOLDERS.items()}
WEBHOOKS: Mapping[str, WebhookProtocol] = {name: module.PROTOCOL for name, module in _parts("webhooks").items()}
DRIVERS: Mapping[str, Driver] = {
    driver.name: driver for driver in (provider.DRIVER, *(module.DRIVER for module in _parts("connector").values()))
}


@cache
def drivers() -> Mapping[str, Driver]:
    """Return all drivers but the simulated one, those of other distributions last.

    Raises ``TypeError`` if another distribution's entry point is no ``Driver``, and ``ValueError`` if it has the name
    of another one.
    """
    found = dict(DRIVERS)
    for entry in entry_points(group=CONNECTORS):
        driver = entry.load()
        if not isinstance(driver, Driver):
            raise TypeError(f"the entry point {entry.name} of {CONNECTORS} is no Driver: {entry.value}")
        if driver.name in found or driver.name == SIMULATED:
            raise ValueError(f"the entry point {entry.name} of {CONNECTORS} has a driver's name: {driver.name!r}")
        found[driver.name] = driver
    return found


def has_people(account: Account) -> bool:
    """Return whether the account has its channel's own driver, so people write to it and its sends are reported."""
    driver = DRIVERS.get(account.driver)
    return driver is not None and driver is not provider.DRIVER


def driver_names(channel: str) -> tuple[str, ...]:
    """Return the names of the drivers that accounts of ``channel`` may have."""
    return (SIMULATED, *(name for name, driver in drivers().items() if driver.works_on(channel)))


def account_options(channel: str, driver: str) -> frozenset[str] | None:
    """Return the options of accounts of ``channel`` with this driver; ``None`` if there is no such driver."""
    if driver not in driver_names(channel):
        return None
    return ACCOUNT_OPTIONS if driver == SIMULATED else ACCOUNT_OPTIONS | drivers()[driver].options
