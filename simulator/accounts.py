"""The businesses' accounts that the simulator serves: their ids, tokens, secrets and where their webhooks go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

WHATSAPP, INSTAGRAM, TELEGRAM = "whatsapp", "instagram", "telegram"
CHANNELS = (WHATSAPP, INSTAGRAM, TELEGRAM)
MOST_ACCOUNTS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessAccount:
    """One account. ``number_id``: its phone_number_id, its Instagram id, or the id of its bot.

    ``waba_id`` and ``display_number`` are WhatsApp's; ``app_secret`` and ``verify_token`` are Meta's. ``secret_token``
    is Telegram's, if the account's webhook is set from the beginning.
    """

    channel: str
    name: str
    number_id: str
    token: str = field(repr=False)
    app_secret: str = field(default="", repr=False)
    verify_token: str = field(default="", repr=False)
    secret_token: str = field(default="", repr=False)
    waba_id: str = "102290129340398"
    display_number: str = "15550783881"
    username: str = "chat4all_bot"

    @property
    def key(self) -> tuple[str, str]:
        """Channel and name: unique."""
        return self.channel, self.name


# Whoever names no accounts has these. The values are no secrets: they open nothing but a simulator.
DEFAULTS: Sequence[BusinessAccount] = (
    BusinessAccount(
        channel=WHATSAPP,
        name="default",
        number_id="106540352242922",
        token="simulated-whatsapp-token",
        app_secret="simulated-whatsapp-secret",
        verify_token="simulated-verify-token",
    ),
    BusinessAccount(
        channel=INSTAGRAM,
        name="default",
        number_id="17841405822304914",
        token="simulated-instagram-token",
        app_secret="simulated-instagram-secret",
        verify_token="simulated-verify-token",
    ),
    BusinessAccount(
        channel=TELEGRAM,
        name="default",
        number_id="123456789",
        token="123456789:simulated-telegram-token",
        secret_token="simulated-secret-token",
    ),
)


class Accounts:
    """The accounts by their key, token and id; ``callbacks`` are the URLs of their webhooks."""

    def __init__(self, accounts: Iterable[BusinessAccount], callback_base: str = "") -> None:
        self._by_key = {account.key: account for account in accounts}
        if len(self._by_key) > MOST_ACCOUNTS:
            raise ValueError(f"{len(self._by_key):,} accounts: at most {MOST_ACCOUNTS:,}")
        self._by_id = {(account.channel, account.number_id): account for account in self}
        self._by_token = {(account.channel, account.token): account for account in self}
        self.callbacks: dict[tuple[str, str], str] = {}
        if callback_base:
            base = callback_base.rstrip("/")
            self.callbacks = {
                account.key: f"{base}/{account.channel}/{account.name}"
                for account in self
                if account.channel != TELEGRAM
            }

    def __iter__(self) -> Iterator[BusinessAccount]:
        return iter(self._by_key.values())

    def named(self, channel: str, name: str = "") -> BusinessAccount | None:
        """Return the account; without a name the first one of the channel."""
        if name:
            return self._by_key.get((channel, name))
        return next((account for account in self if account.channel == channel), None)

    def of_id(self, channel: str, number_id: str) -> BusinessAccount | None:
        return self._by_id.get((channel, number_id))

    def of_token(self, channel: str, token: str) -> BusinessAccount | None:
        return self._by_token.get((channel, token))
