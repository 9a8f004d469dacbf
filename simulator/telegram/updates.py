"""The updates of each bot: kept for ``getUpdates``, or posted to its webhook. The two exclude each other."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.accounts import Accounts, BusinessAccount
from simulator.posting import Update
from simulator.telegram.errors import bad_request, conflict

MOST_KEPT = 100_000  # updates of one bot; the oldest are lost, as Telegram's are after 24 hours
MOST_PAGE = 100
MOST_WAIT_SECONDS = 50
# without ``allowed_updates`` a bot gets all but those that it must ask for
ON_DEMAND = frozenset({"message_reaction", "message_reaction_count", "chat_member"})


@dataclass(slots=True)
class _Bot:
    """``allowed``: the kinds that the bot asked for, ``None`` if it asked for none."""

    waiting: OrderedDict[int, Update] = field(default_factory=OrderedDict)
    allowed: tuple[str, ...] | None = None
    more: asyncio.Event = field(default_factory=asyncio.Event)
    poller: int = 0  # the number of the newest call of getUpdates
    lost: int = 0


class Updates:
    """One for the process. ``post`` hands an update to the webhook of its account."""

    def __init__(self, accounts: Accounts, post: Callable[[Update], None]) -> None:
        self._accounts = accounts
        self._post = post
        self._bots: dict[tuple[str, str], _Bot] = {}
        self._number = int((time.time() - 1_700_000_000) * 10)  # larger than any of an earlier process

    def add(self, update: Update) -> None:
        """Give an update its number; post it if the bot has a webhook, keep it otherwise."""
        bot = self._bot(update.account)
        [kind] = update.fragment
        if (kind in ON_DEMAND if bot.allowed is None else kind not in bot.allowed) and update.kind != "event":
            return
        self._number += 1
        update = replace(update, id=str(self._number), fragment={"update_id": self._number, **update.fragment})
        if update.account.key in self._accounts.callbacks:
            self._post(update)
            return
        bot.waiting[self._number] = update
        if len(bot.waiting) > MOST_KEPT:
            bot.waiting.popitem(last=False)
            bot.lost += 1
        bot.more.set()

    async def get(
        self, account: BusinessAccount, offset: int, limit: int, wait_seconds: int, allowed: object = None
    ) -> list[Mapping[str, Any]]:
        """Return updates from ``offset`` on, and forget those before it; wait for the first one.

        Raises ``TelegramError``: with a webhook, and for an earlier call that another one ends.
        """
        if account.key in self._accounts.callbacks:
            raise conflict("can't use getUpdates method while webhook is active; use deleteWebhook to delete it first")
        bot = self._bot(account)
        if allowed is not None:
            bot.allowed = _allowed(allowed)
        bot.poller += 1
        ours = bot.poller
        bot.more.set()  # ends an earlier call
        self._forget(bot, offset)
        deadline = time.monotonic() + min(max(0, wait_seconds), MOST_WAIT_SECONDS)
        while not bot.waiting:
            bot.more.clear()
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            try:
                await asyncio.wait_for(bot.more.wait(), left)
            except TimeoutError:
                return []
            if bot.poller != ours:
                raise conflict("terminated by other getUpdates request; make sure that only one bot is running")
        most = min(max(1, limit), MOST_PAGE)
        return [update.fragment for update in list(bot.waiting.values())[:most]]

    @staticmethod
    def _forget(bot: _Bot, offset: int) -> None:
        if offset < 0:  # so many from the end
            offset = next(iter(list(bot.waiting)[offset:]), 0)
        for number in [number for number in bot.waiting if number < offset]:
            del bot.waiting[number]

    def set_webhook(self, account: BusinessAccount, url: str, allowed: object, drops_pending: bool) -> None:
        """Post to ``url`` from now on, first what waits; an empty one: keep updates for ``getUpdates``."""
        bot = self._bot(account)
        if allowed is not None:
            bot.allowed = _allowed(allowed)
        if drops_pending:
            bot.waiting.clear()
        if not url:
            self._accounts.callbacks.pop(account.key, None)
            return
        self._accounts.callbacks[account.key] = url
        while bot.waiting:
            self._post(bot.waiting.popitem(last=False)[1])

    def info(self, account: BusinessAccount) -> dict[str, Any]:
        """Return the answer to ``getWebhookInfo``."""
        bot = self._bot(account)
        info: dict[str, Any] = {
            "url": self._accounts.callbacks.get(account.key, ""),
            "has_custom_certificate": False,
            "pending_update_count": len(bot.waiting),
        }
        if info["url"]:
            info["max_connections"] = 40
        if bot.allowed:
            info["allowed_updates"] = list(bot.allowed)
        return info

    def _bot(self, account: BusinessAccount) -> _Bot:
        return self._bots.setdefault(account.key, _Bot())


def _allowed(value: object) -> tuple[str, ...] | None:
    """Return the kinds that a bot asks for; an empty list: the default ones. Raises ``TelegramError``."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(each, str) for each in value):
        raise bad_request("can't parse allowed_updates: expected an Array of String")
    return tuple(value) or None
