"""The system under watch: real servers, the API, a worker of each role, a provider that can misbehave, and load."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Self

import orjson
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from app.kafka.topics import Topics
from app.roles import ROLES
from cli.supervisor import ProcessSpec
from cli.workers import is_at_work, port_of
from devstack import Stack
from docker.observability.local import Targets
from domain.recipients import CHANNELS
from loadtests.alarms.clients import curl, silent_socket
from loadtests.alarms.rare import HEAVY_ROLE, ballast_environ
from loadtests.generator import Generator
from loadtests.groups import until
from loadtests.orders import Order, Orders, signed_up, signed_up_as
from loadtests.processes import Process
from loadtests.provider import ProviderProcess, write_accounts
from loadtests.run import Run
from loadtests.system import READY_SECONDS, System, free_ports, system_settings
from loadtests.ws_client import Listener

CONVERSATIONS = 60
CHUNK_SECONDS = 2.0
FLOOD_CONNECTIONS = 48
SWEEP_SECONDS = 5.0
KEEP_SECONDS = 1.0
SESSION_SECONDS = 25.0  # a busy machine holds a worker for longer than the usual six
SILENT_SOCKETS = 15
SEEN_SECONDS = 3.0


class WatchedSystem(System):
    """A system whose accounts send to a provider of its own. ``stack``: its Kafka and Cassandra."""

    def __init__(self, stack: Stack, folder: Path, port: int) -> None:
        file = folder / "accounts.toml"
        settings = system_settings(
            stack,
            folder,
            port=port,
            accounts=str(file),
            files_sweep_seconds=SWEEP_SECONDS,
            live_buffer_bytes=65_536,
            session_timeout_seconds=SESSION_SECONDS,
        )
        super().__init__(settings, folder, dict.fromkeys(ROLES, 1), changes={HEAVY_ROLE: ballast_environ(folder)})
        self.stack, self.folder = stack, folder
        self.messages_topic = Topics(settings.topic_prefix).messages
        self._keeper: asyncio.Task[None] | None = None
        self.down: set[str] = set()  # killed on purpose, and not to be started again yet
        self._ledger_port = free_ports(1)
        command = (sys.executable, "-m", "chat4all", "ledger", "--port", str(self._ledger_port))
        environ = {**settings.to_environ(), "CHAT4ALL_DATA_DIR": str(folder / "ledger")}
        self.ledger = Process(ProcessSpec("ledger", command, environ), folder)
        self.provider = ProviderProcess(settings, folder, free_ports(1))
        self._accounts = file
        self.declare()

    def declare(self, **more: str) -> None:
        """Write the file of accounts; ``more``: keys of every account."""
        account = {"name": "main", "look_up": "yes", **more}
        write_accounts(self._accounts, self.provider.url, {name: [account] for name in CHANNELS})

    async def prepare(self) -> None:
        """Make topics and schema, and start the provider and the ledger."""
        await super().prepare()
        self.ledger.start()
        await self.provider.start()

    def _check_alive(self) -> None:
        """Start again what has ended by itself: a busy machine may hold a worker past its session."""
        for process in self.processes:
            if not process.is_running and process.name not in self.down:
                process.start()

    async def start(self) -> None:
        """Start everything, and look after it from then on."""
        await super().start()
        self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            self._check_alive()

    async def revive(self) -> None:
        """Start what was killed; return when everything is ready."""
        self.down.clear()
        await super().revive()

    async def stop(self) -> None:
        """End all processes, the provider last."""
        if self._keeper is not None:
            self._keeper.cancel()
        try:
            await super().stop()
        finally:
            self.ledger.kill()
            self.provider.end()

    @property
    def targets(self) -> Targets:
        """The targets of Prometheus."""
        host = self.settings.host
        workers = [f"{host}:{each.spec.environ['CHAT4ALL_METRICS_PORT']}" for each in self.workers]
        return Targets([f"{host}:{self.settings.port}"], workers, f"{host}:{self._ledger_port}")


class World:
    """A system under steady load, and what can be done to it. ``per_second``: messages of the load."""

    def __init__(self, system: WatchedSystem, run: Run, per_second: float) -> None:
        self.system = system
        self.run = run
        self._per_second = per_second
        self._load: asyncio.Task[None] | None = None
        self._listener: Listener | None = None
        self._is_ending = False
        self._operator = ""
        self._sockets: list[socket.socket] = []
        self.lost_since_ms = 0

    async def __aenter__(self) -> Self:
        settings = self.system.settings
        username, password = await signed_up_as(settings.host, settings.port)
        grant = (sys.executable, "-m", "chat4all", "admin", "grant", username)
        environ = {**os.environ, **settings.to_environ()}
        granting = await asyncio.create_subprocess_exec(*grant, env=environ, stdout=asyncio.subprocess.DEVNULL)
        if await granting.wait():
            raise RuntimeError(f"{username} could not be made an operator")
        document = {"username": username, "password": password}
        self._operator = (await self.system.client().ask("POST", "/auth/login", document)).json()["access_token"]
        path = f"/notifications?token={self.run.token}"  # somebody who is told of what happens
        self._listener = await Listener.open(settings.host, settings.port, path, lambda _: None)
        self._load = asyncio.create_task(self._send())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end_load()
        if self._listener is not None:
            self._listener.close()
        for each in self._sockets:
            each.close()

    async def _send(self) -> None:
        """Send a few seconds' messages at a time, so that the answers are booked, until the load is to end."""
        orders = Orders(CONVERSATIONS, CHANNELS)
        while not self._is_ending:
            await self.run.send(orders.make(round(CHUNK_SECONDS * self._per_second)), self._per_second)

    async def end_load(self) -> None:
        """Send no more, and book the sent messages."""
        self._is_ending = True
        if self._load is not None:
            await self._load

    # ── the provider ──
    def misbehave(self, **faults: Any) -> Callable[[], Awaitable[None]]:
        """Return a step that changes the provider's faults."""
        return lambda: self.system.provider.change(faults)

    # ── processes and servers ──
    def kill(self, role: str) -> None:
        """Kill the worker of a role; it stays away until ``revive``."""
        self._kill(self.system.of_role(role)[0])

    def kill_apis(self) -> None:
        """Kill every process of the API."""
        for api in self.system.apis:
            self._kill(api)

    def _kill(self, process: Process) -> None:
        self.system.down.add(process.name)
        process.kill()

    async def revive(self) -> None:
        """Start what was killed; return when everything is ready."""
        await self.system.revive()

    async def restart_often(self, role: str, times: int) -> None:
        """Kill a worker, and start it again as soon as it was at work for a moment, so many times."""
        worker = self.system.of_role(role)[0]
        for _ in range(times):
            self._kill(worker)
            worker.start()
            self.system.down.discard(worker.name)
            await until(f"{role} is at work", READY_SECONDS, partial(is_at_work, port_of(worker.spec)))
            await asyncio.sleep(SEEN_SECONDS)  # Prometheus has to look at each start

    def freeze(self, part: str) -> None:
        """Stop a server without ending it: it answers nothing, and its connections stay."""
        if process := self.system.stack.part(part).process:
            process.suspend()

    def thaw(self, part: str) -> None:
        """Let a frozen server go on."""
        if process := self.system.stack.part(part).process:
            process.resume()

    # ── operators, users ──
    async def order_account(self, channel: str, command: str) -> None:
        """Pause or resume a channel's account, as an operator."""
        path = f"/v1/admin/channels/{channel}/main/{command}"
        answer = await self.system.client(self._operator).ask("POST", path, {})
        if answer.status not in (200, 202):
            raise RuntimeError(f"{path}: {answer.status} {answer.body!r:.300}")

    async def flood(self, channel: str, count: int) -> None:
        """Send so many messages on one channel as fast as they are accepted."""
        settings, orders = self.system.settings, Orders(500, [channel]).make(count)
        async with Generator(settings.host, settings.port, FLOOD_CONNECTIONS) as generator:
            shots = await generator.flat_out([order.request(self.run.token) for order in orders])
        self.run.book(orders, shots)

    async def listen_without_reading(self) -> None:
        """Open WebSockets that read nothing, and send long messages to their user."""
        settings = self.system.settings
        token = await signed_up(settings.host, settings.port)
        self._sockets += [silent_socket(settings.host, settings.port, token) for _ in range(SILENT_SOCKETS)]
        client = self.system.client(token)
        for number in range(700):  # 7 MB: the kernel takes up to 4 MB for a socket, and the API holds some, too
            order = Order(f"long-{number % 10}", f"telegram:{900_000 + number % 10}", "€" * 3_400)
            answer = await client.ask("POST", "/v1/messages", asdict(order))
            if answer.status != 202:
                raise RuntimeError(f"POST /v1/messages: {answer.status} {answer.body!r:.300}")
            self.run.ledger.accepted(order, answer.json()["message_id"])

    async def upload(self) -> None:
        """Send a file to a person, and fetch it."""
        settings = self.system.settings
        token = await signed_up(settings.host, settings.port)
        url, head = f"http://{settings.host}:{settings.port}", ("-sS", "-H", f"Authorization: Bearer {token}")
        file = Path(settings.files_dir).parent / "picture.png"
        file.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(200_000))
        form = ("-F", "conversation_id=file-1", "-F", f"file=@{file};type=image/png")
        sent = await curl(*head, *form, f"{url}/v1/files")
        file_id = sent.partition('"file_id":"')[2].partition('"')[0]
        order = Order("file-1", "whatsapp:+5511977770001", "")
        body = orjson.dumps({**asdict(order), "file_id": file_id}).decode()
        answer = await curl(*head, "-H", "Content-Type: application/json", "-d", body, f"{url}/v1/messages")
        self.run.ledger.accepted(order, orjson.loads(answer)["message_id"])
        await curl(*head, "-L", f"{url}/v1/files/{file_id}/content", "-o", os.devnull)

    # ── Kafka ──
    async def write_nonsense(self, channel: str, count: int) -> None:
        """Write records that nobody can decode to a channel's events."""
        topic = Topics(self.system.settings.topic_prefix).events(channel)
        producer = AIOKafkaProducer(bootstrap_servers=self.system.settings.kafka)
        await producer.start()
        try:
            for number in range(count):
                await producer.send_and_wait(topic, b"\xff nonsense", key=str(number).encode())
        finally:
            await producer.stop()

    async def remove_records(self, channel: str) -> None:
        """Remove every record of a channel's outbound topic, as a retention that is too short would."""
        settings = self.system.settings
        topic = Topics(settings.topic_prefix).outbound(channel)
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
        await admin.start()
        try:
            everything = {TopicPartition(topic, n): RecordsToDelete(-1) for n in range(settings.partitions)}
            await admin.delete_records(everything)
        finally:
            await admin.close()


@contextmanager
def thawed_at_the_end(stack: Stack) -> Iterator[None]:
    """Let no server stay frozen."""
    try:
        yield
    finally:
        for name in ("kafka", "cassandra"):
            if process := stack.part(name).process:
                process.resume()
