"""Groups: one member writes, the two others read it and say so."""

from __future__ import annotations

import time

from loadtests.locust.api import Account, asked
from loadtests.locust.journeys.base import Journey
from loadtests.locust.run_state import RUN
from loadtests.orders import Order

MEMBERS = 2


class GroupMember(Journey):
    """Writes to a group of three; a message is READ when both others have read it."""

    label = "groups"
    weight = 2
    turns_of_a_texter = 2.0

    def prepare(self) -> None:
        self.members = [account for account in (RUN.account() for _ in range(MEMBERS)) if account is not self.account]
        document = {
            "name": f"load {RUN.number()}",
            "initial_members": list({account.user_id for account in self.members}),
        }
        url = f"{RUN.options.host}/v1/groups"
        self.group_id = str(asked("POST", url, document, self.account.token, (201,))["group_id"])
        RUN.owners[self.group_id] = self.account

    def turn(self, due: float) -> None:
        order = Order(self.group_id, "", self.text())
        message_id = self.send({"conversation_id": self.group_id, "content": order.content}, order, due)
        if message_id:
            for member in self.members:
                self._read(member, message_id)

    def _read(self, member: Account, message_id: str) -> None:
        due = time.monotonic()
        page = f"/v1/conversations/{self.group_id}/messages"
        name = "/v1/conversations/{id}/messages"
        self.timed("GET history", due, self.call("GET", f"{page}?order=desc&limit=20", name=name, account=member))
        due, path = time.monotonic(), f"/v1/messages/{message_id}/read"
        self.timed("POST read", due, self.call("POST", path, name="/v1/messages/{id}/read", account=member))
