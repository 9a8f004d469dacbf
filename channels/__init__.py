"""The manifest of the channels: the one source of all differences between channels.

To add a channel: a shape in ``domain/recipients.py``, an example in ``domain/addresses.py``, a folder here with its
title, its limits and its real connector, and a line in ``channels/manifest.py``.
"""

from __future__ import annotations

from channels.manifest import TITLES
from channels.provider.connector import ProviderConnector
from channels.simulated import SimulatedConnector, Simulation
from domain.accounts import SIMULATED, Account
from domain.ports import Connector


def make_connector(account: Account, simulation: Simulation) -> Connector:
    """Return the connector of ``account``. Raises ``ValueError`` if there is no such driver, or an option is wrong."""
    if account.driver == SIMULATED:
        return SimulatedConnector(account.channel, TITLES[account.channel], simulation)
    if account.driver == "provider":
        return ProviderConnector(account.channel, account.name, account.options, account.in_flight)
    raise ValueError(f"account {account.name} of {account.channel}: there is no driver {account.driver!r}")
