"""The channels: the one source of all differences between them (``channels/manifest.py``, docs/adding-a-channel.md)."""

from __future__ import annotations

from channels.driver import Secret
from channels.manifest import TITLES, drivers
from channels.simulated import SimulatedConnector, Simulation
from domain.accounts import SIMULATED, Account
from domain.ports import Connector


def make_connector(account: Account, simulation: Simulation, secret: Secret) -> Connector:
    """Return the connector of ``account``. ``secret`` returns the account's secret of a name, such as ``token``.

    Raises ``ValueError`` if there is no such driver, or if it cannot use an option or a secret.
    """
    if account.driver == SIMULATED:
        return SimulatedConnector(account.channel, TITLES[account.channel], simulation)
    driver = drivers().get(account.driver)
    if driver is None or not driver.works_on(account.channel):
        raise ValueError(f"there is no driver {account.driver!r} for {account.channel}")
    return driver.connect(account, secret)
