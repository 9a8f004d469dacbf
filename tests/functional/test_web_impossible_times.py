"""A row with a time that cannot be is shown, and so is the page that holds it."""

from __future__ import annotations

import pytest

from domain.ports import MirrorEntry
from domain.status import Fact, Status
from support.api import Api

MICROSECONDS = 1_763_848_800_123_000


@pytest.mark.parametrize("at_ms", [MICROSECONDS, -1, -(2**62), 2**63 - 1])
async def test_a_page_with_an_impossible_time_in_a_row_is_answered(api: Api, at_ms: int) -> None:
    token = await api.somebody()
    sent = [await api.send(token) for _ in range(3)]
    message, position, _ = api.log.records[1]
    facts = [Fact(Status.SENT, at_ms, 1), Fact(Status.DELIVERED, at_ms), Fact(Status.READ, at_ms)]
    await api.mirror()
    await api.messages.write([MirrorEntry(message.message_id, message.conversation_id, position, message, facts)])
    api.forget_recent()
    page = await api.call("GET", "/v1/conversations/c-1/messages", token=token)
    assert page.status == 200
    assert [shown["message_id"] for shown in (await page.json())["messages"]] == [one["message_id"] for one in sent]
    one = await api.call("GET", f"/v1/messages/{message.message_id}", token=token)
    assert one.status == 200
    assert (await one.json())["status"] == "READ"
