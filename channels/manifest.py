"""The channels: one line for each, with its folder."""

from __future__ import annotations

from collections.abc import Mapping

from channels import instagram, telegram, whatsapp
from domain.attachments import ChannelCapabilities
from domain.recipients import CHANNELS

_MODULES = {"whatsapp": whatsapp, "instagram": instagram, "telegram": telegram}

TITLES: Mapping[str, str] = {name: module.TITLE for name, module in _MODULES.items()}
CAPABILITIES: Mapping[str, ChannelCapabilities] = {name: module.CAPABILITIES for name, module in _MODULES.items()}
# the drivers of accounts, with the options that each takes in accounts.toml
DRIVERS: Mapping[str, frozenset[str]] = {
    "simulated": frozenset(),
    "provider": frozenset({"url", "look_up", "connect_seconds"}),
}

assert set(_MODULES) == set(CHANNELS)
