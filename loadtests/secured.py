"""The whole system on a Kafka with TLS and SCRAM and a Cassandra with TLS and passwords.

    python -m loadtests.secured

Sends messages through the API, waits for READ, then asks `audit`, `ledger` and `doctor`: each opens clients of its own.
Ends with 1 if anything is not as it should be, or if a client without the right password or authority gets in.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from app.cassandra import cassandra_config
from app.kafka.topic_admin import ensure_topics
from app.settings import Settings
from devstack import StackConfig
from domain.errors import LogUnavailable, StoreUnavailable
from loadtests.command_line import parser_of
from loadtests.orders import Orders
from loadtests.run import Run
from loadtests.secured_servers import SecuredCassandra, SecuredKafka, make_certificates
from loadtests.system import LOOPBACK, System, free_ports, system_settings
from storage.cassandra.driver_session import Access
from storage.cassandra.session import CassandraSession

USER, PASSWORD = "chat4all", "s3cret-of-a-test"
MESSAGES, CONVERSATIONS = 300, 30
START_SECONDS = 300.0  # of a server, on a machine that is busy with others
COMMANDS = (("audit",), ("ledger", "--once"), ("doctor",))


async def _make_cassandras_user(settings: Settings) -> None:
    first = replace(settings, cassandra_username="cassandra", cassandra_password="cassandra")
    async with CassandraSession(cassandra_config(first)) as session:
        await session.connected(60)
        role = f"CREATE ROLE {USER} WITH PASSWORD = '{PASSWORD}' AND LOGIN = true AND SUPERUSER = true"
        await session.run(role, (), Access.WRITE)


async def _refused(settings: Settings, say: Callable[[str], None]) -> bool:
    """Return whether wrong clients are refused, each of them."""
    kafka = {
        "a wrong password": replace(settings, kafka_password="wrong"),
        "no login": replace(settings, kafka_username="", kafka_password=""),
        "another authority": replace(settings, kafka_tls_ca="system"),
        "no TLS": replace(settings, kafka_tls_ca=""),
    }
    cassandra = {
        "a wrong password": replace(settings, cassandra_password="wrong"),
        "another authority": replace(settings, cassandra_tls_ca="system"),
        "no TLS": replace(settings, cassandra_tls_ca=""),
    }
    good = True
    for name, wrong in kafka.items():
        try:
            async with asyncio.timeout(8):
                await ensure_topics(wrong)
            good = False
            say(f"Kafka let a client in with {name}")
        except (LogUnavailable, TimeoutError):
            say(f"Kafka refused {name}")
    for name, wrong in cassandra.items():
        try:
            async with CassandraSession(cassandra_config(wrong)) as session:
                await session.connected(5)
            good = False
            say(f"Cassandra let a client in with {name}")
        except StoreUnavailable:
            say(f"Cassandra refused {name}")
    return good


async def _messages(system: System, say: Callable[[str], None]) -> bool:
    orders = Orders(CONVERSATIONS, ["whatsapp", "instagram", "telegram"])
    async with Run(system) as run:
        await run.meet(orders)
        shots = await run.send(orders.make(MESSAGES))
        await run.settled()
        await run.at_rest()
        balance = run.balance()
        say(f"{shots.count(202)} accepted; {balance}")
        good = balance.is_balanced and balance.read == MESSAGES + CONVERSATIONS
    for words in COMMANDS:
        environ = {**os.environ, **system.settings.to_environ()}
        command = [sys.executable, "-m", "chat4all", *words]
        done = await asyncio.to_thread(subprocess.run, command, env=environ, capture_output=True, text=True)
        said = (done.stdout.strip() or done.stderr.strip())[:300]
        say(f"chat4all {' '.join(words)}: exit {done.returncode}: {said}")
        good = good and done.returncode == 0
    return good


async def _run(folder: Path, say: Callable[[str], None]) -> bool:
    config = StackConfig.on_free_ports(folder, StackConfig.from_environment().jars_folder)
    config = replace(config, start_timeout_seconds=START_SECONDS)
    certificates = make_certificates(folder / "certificates")
    kafka = SecuredKafka(config, certificates, free_ports(1))
    cassandra = SecuredCassandra(config, certificates)
    try:
        await asyncio.gather(asyncio.to_thread(kafka.start), asyncio.to_thread(cassandra.start))
        await asyncio.to_thread(kafka.add_user, USER, PASSWORD)
        settings = system_settings(
            _Addresses(f"{LOOPBACK}:{kafka.secure_port}", config.cassandra_port),
            folder,
            kafka_tls_ca=str(certificates.ca),
            kafka_username=USER,
            kafka_password=PASSWORD,
            cassandra_tls_ca=str(certificates.ca),
            cassandra_username=USER,
            cassandra_password=PASSWORD,
        )
        await _make_cassandras_user(settings)
        roles = dict.fromkeys(("core", "mirror", "whatsapp", "instagram", "telegram"), 1)
        async with System(settings, folder / "system", roles) as system:
            good = await _messages(system, say)
        return await _refused(settings, say) and good
    finally:
        kafka.stop()
        cassandra.stop()


class _Addresses:
    def __init__(self, kafka_bootstrap: str, cassandra_port: int) -> None:
        self.kafka_bootstrap = kafka_bootstrap
        self.cassandra_port = cassandra_port
        self.cassandra_contact_points = [LOOPBACK]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser_of("loadtests.secured", __doc__).parse_args(arguments)
    usual = StackConfig.from_environment().folder
    usual.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="secured-", dir=usual))
    try:
        good = asyncio.run(_run(folder, lambda line: print(line, flush=True)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("good" if good else "NOT good")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
