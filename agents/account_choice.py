"""The choice of the account that sends a message: the one named by the client, else the conversation's first one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import orjson

from agents.account_lane import AccountLane
from app.clock import now_ms
from domain.accounts import Account
from tables import queue as rows

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.kafka.pending_batches import PendingBatch
    from domain.ports import Connector
    from domain.records import DeliveryRequested

REMEMBERED_DAYS = 180
_DAY_MS = 24 * 3_600_000
_SWEPT_AT_ONCE = 1_000
_PAUSES_AT_ONCE = 100


class AccountChoice:
    """``accounts``: those of the channel, the first is the default. ``table``: the role's ``queue``.

    ``default``: its name. ``lanes``: by account, also those of former accounts that still have deliveries.
    """

    def __init__(
        self, accounts: Sequence[Account], table: DurableTable, connect: Callable[[Account], Connector]
    ) -> None:
        self._table = table
        self._declared = {account.name for account in accounts}
        self.default = accounts[0].name
        self.lanes = {account.name: AccountLane(account, connect(account)) for account in accounts}
        self._channel = accounts[0].channel
        self._swept_to: dict[int, bytes] = {}

    def lane(self, name: str) -> AccountLane:
        """Return the lane of an account. Deliveries of an account that is not declared wait there."""
        lane = self.lanes.get(name)
        if lane is None:
            lane = self.lanes[name] = AccountLane(Account(channel=self._channel, name=name), None)
        return lane

    def account_for(self, partition: int, request: DeliveryRequested) -> tuple[str, list[PendingBatch]]:
        """Return the account for ``request``, and the writes to remember it."""
        if request.account:
            return request.account, []
        if len(self._declared) == 1:
            return self.default, []
        key = rows.ACCOUNT + request.conversation_id.encode()
        value, now = self._table.get_bytes(partition, key), now_ms()
        account, used_ms = orjson.loads(value) if value is not None else (self.default, 0)
        if account not in self._declared:
            account, used_ms = self.default, 0
        if now - used_ms < _DAY_MS:
            return account, []
        return account, [self._table.put(partition, key, orjson.dumps((account, now)))]

    def begin_on(self, partition: int, conversation_id: str, account: str) -> list[PendingBatch]:
        """Let ``account`` answer a conversation begun by a person; return the writes."""
        key = rows.ACCOUNT + conversation_id.encode()
        if len(self._declared) == 1 or account not in self._declared or self._table.get_bytes(partition, key):
            return []
        return [self._table.put(partition, key, orjson.dumps((account, now_ms())))]

    def sweep(self, partitions: Iterable[int]) -> None:
        """Look at some more rows, and forget conversations that sent nothing for ``REMEMBERED_DAYS``."""
        oldest_ms = now_ms() - REMEMBERED_DAYS * _DAY_MS
        for partition in partitions:
            found = self._table.rows_after(partition, self._swept_to.get(partition, rows.ACCOUNT), _SWEPT_AT_ONCE)
            mine = [(key, value) for key, value in found if key.startswith(rows.ACCOUNT)]
            self._swept_to[partition] = mine[-1][0] if len(mine) == _SWEPT_AT_ONCE else rows.ACCOUNT
            for key, value in mine:
                if orjson.loads(value)[1] < oldest_ms:
                    self._table.put(partition, key, None)

    def load(self, partitions: Iterable[int]) -> None:
        """Read which accounts are paused on these partitions."""
        for partition in partitions:
            for key, _ in self._table.rows_after(partition, rows.PAUSE, _PAUSES_AT_ONCE):
                if not key.startswith(rows.PAUSE):
                    break
                self.lane(key[1:].decode()).paused_on.add(partition)
