"""The manifest of the channels: the one source of all differences between channels.

To add a channel: a shape in ``domain/recipients.py``, an example in ``domain/addresses.py``, a folder here with its
title, its limits and its real connector, and a line in ``channels/manifest.py``.
"""

from __future__ import annotations

from channels.manifest import TITLES
from channels.simulated import SimulatedConnector, Simulation
from domain.ports import Connector


def make_connector(channel: str, simulation: Simulation) -> Connector:
    """Return the connector of ``channel``. Only the simulated ones exist so far."""
    return SimulatedConnector(channel, TITLES[channel], simulation)
