"""The manifest of the channels: the one source of all differences between channels.

To add a channel: a shape in ``domain/recipients.py``, an example in ``domain/addresses.py``, an entry here, and a
folder for its real connector.
"""

from __future__ import annotations

from channels.simulated import SimulatedConnector, Simulation
from domain.ports import Connector
from domain.recipients import CHANNELS

TITLES = {"whatsapp": "WhatsApp", "instagram": "Instagram", "telegram": "Telegram"}

assert set(TITLES) == set(CHANNELS)


def make_connector(channel: str, simulation: Simulation) -> Connector:
    """Return the connector of ``channel``. Only the simulated ones exist so far."""
    return SimulatedConnector(channel, TITLES[channel], simulation)
