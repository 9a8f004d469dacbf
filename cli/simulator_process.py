"""The process of `chat4all simulator`."""

from __future__ import annotations

from app.settings import Settings
from cli.errors import CannotProvide
from cli.serving import serve
from cli.simulated_accounts import business_accounts
from simulator.accounts import DEFAULTS
from simulator.chaos import InvalidFaults
from simulator.chaos import preset as chaos_preset
from simulator.server import Simulator


async def run(settings: Settings, host: str, port: int, seed: int, preset: str, callback_base: str) -> None:
    """Serve until SIGTERM or SIGINT. Raises ``CannotProvide`` without the port, or for an unknown preset."""
    try:
        chaos = chaos_preset(preset, seed)
    except InvalidFaults as error:
        raise CannotProvide(str(error)) from None
    accounts = business_accounts(settings, port)
    named = host if host not in ("", "0.0.0.0", "::") else "127.0.0.1"
    url = f"http://[{named}]:{port}" if ":" in named else f"http://{named}:{port}"
    made = Simulator(chaos, accounts or DEFAULTS, callback_base, url)
    of = "accounts of " + settings.accounts if accounts else "its own accounts"
    names = ", ".join(f"{account.channel}/{account.name}" for account in made.accounts)
    listening = f"the simulator listens on {url} with {of}: {names}; webhooks go to {callback_base}"
    await serve(made.app(), host, port, listening)
