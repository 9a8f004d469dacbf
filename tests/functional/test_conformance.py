"""Our connectors pass the kit that those of others must pass."""

from __future__ import annotations

from typing import ClassVar

import pytest

from channels.conformance import REFUSED, TAKEN, THROTTLED, UNAUTHORIZED, ConnectorConformance, Reply, file_of, send
from channels.instagram.connector import DRIVER as INSTAGRAM
from channels.provider.connector import ProviderConnector
from channels.simulated import SimulatedConnector, Simulation
from channels.telegram.connector import DRIVER as TELEGRAM
from channels.whatsapp.connector import WhatsAppConnector
from domain.accounts import Account
from domain.errors import DeliveryFailed
from domain.outcomes import Sent
from domain.ports import Connector
from domain.records import DeliveryRequested


def graph_error(status: int, code: int) -> Reply:
    return Reply(status, {"error": {"message": f"(#{code}) words", "type": "OAuthException", "code": code}})


class TestWhatsApp(ConnectorConformance):
    address = "whatsapp:+5511999990000"
    replies: ClassVar = {
        TAKEN: Reply(200, {"messages": [{"id": "wamid.1"}], "contacts": [{"input": "5", "wa_id": "5511999990000"}]}),
        THROTTLED: graph_error(400, 130429),
        REFUSED: graph_error(400, 131026),
        UNAUTHORIZED: graph_error(401, 190),
    }

    def connect(self, url: str, secret: str) -> Connector:
        return WhatsAppConnector({"phone_number_id": "1065", "base_url": f"{url}/v26.0"}, secret)


class TestInstagram(ConnectorConformance):
    address = "instagram:17841400000000000"
    replies: ClassVar = {
        TAKEN: Reply(200, {"recipient_id": "17841400000000000", "message_id": "mid.1"}),
        THROTTLED: graph_error(400, 613),
        REFUSED: graph_error(400, 100),
        UNAUTHORIZED: graph_error(401, 190),
    }

    def connect(self, url: str, secret: str) -> Connector:
        options = {"base_url": url, "ig_id": "17841405822304914"}
        return INSTAGRAM.connect(Account(channel="instagram", options=options), lambda name: secret)


class TestTelegram(ConnectorConformance):
    address = "telegram:123"
    replies: ClassVar = {
        TAKEN: Reply(200, {"ok": True, "result": {"message_id": 41, "chat": {"id": 123}, "date": 1454119029}}),
        THROTTLED: Reply(429, {"ok": False, "error_code": 429, "parameters": {"retry_after": 5}}),
        REFUSED: Reply(400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}),
        UNAUTHORIZED: Reply(401, {"ok": False, "error_code": 401, "description": "Unauthorized"}),
    }

    def connect(self, url: str, secret: str) -> Connector:
        return TELEGRAM.connect(Account(channel="telegram", options={"base_url": url}), lambda name: secret)


class TestProvider(ConnectorConformance):
    """The driver of the engine's own simulated provider. It knows no kinds: every message is its text."""

    address = "telegram:123"
    replies: ClassVar = {
        TAKEN: Reply(200, {"id": "p.1", "at_ms": 1_764_000_000_000}),
        THROTTLED: Reply(429, {"error": {"code": "throttled"}}),
        REFUSED: Reply(400, {"error": {"code": "refused", "detail": "nobody is there"}}),
        UNAUTHORIZED: Reply(401, {"error": {"code": "unauthorized"}}),
    }

    def connect(self, url: str, secret: str) -> Connector:
        return ProviderConnector("telegram", "main", {"url": url})

    async def test_each_kind_has_an_outcome_and_none_raises(self) -> None:
        async with self.running(TAKEN) as connector:
            assert isinstance(await send(connector, self.request), Sent)


async def test_the_simulated_connector_says_the_same_whenever_it_is_asked() -> None:
    connector = SimulatedConnector("whatsapp", "WhatsApp", Simulation())
    request = DeliveryRequested("m-1", "c-1", "u", "whatsapp:+5511999990000", "hi", None, 1, 0)
    first, second = await send(connector, request), await send(connector, request)
    assert isinstance(first, Sent)
    assert isinstance(second, Sent)
    assert first.provider_id == second.provider_id
    assert connector.capabilities.repeatable
    assert connector.promised_receipts(request, first) == connector.promised_receipts(request, first)
    with pytest.raises(DeliveryFailed):
        await connector.upload(file_of(DeliveryFailed("file-corrupt", "it is corrupt")))
