"""TLS and SASL: every client of Kafka and Cassandra is made with what the settings ask for, or in the clear."""

from __future__ import annotations

import ast
import datetime
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from app.cassandra import cassandra_config
from app.faust.stream_app import _credentials
from app.kafka.address import kafka_options, kafka_security
from app.kafka.batch_producer import BatchProducer
from app.settings import InvalidSetting, Settings
from storage.cassandra import driver_session
from support.values import changed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    signed = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "one.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


LOGIN = {"kafka_username": "chat4all", "kafka_password": "hush-hush"}


def test_without_settings_clients_talk_in_the_clear() -> None:
    assert kafka_options(Settings(kafka="k:1")) == {"bootstrap_servers": "k:1"}
    assert _credentials(Settings()) is None
    assert cassandra_config(Settings()).tls is None


@pytest.mark.parametrize(
    ("more", "tls", "protocol"),
    [({}, True, "SSL"), (LOGIN, False, "SASL_PLAINTEXT"), (LOGIN, True, "SASL_SSL")],
)
def test_faust_and_our_own_clients_get_the_same(pem: Path, more: dict[str, str], tls: bool, protocol: str) -> None:
    settings = changed(Settings(), {**more, "kafka_tls_ca": str(pem) if tls else ""})
    ours = kafka_security(settings)
    fausts = dict(credentials_to_aiokafka_auth(_credentials(settings), None))
    assert ours["security_protocol"] == fausts["security_protocol"] == protocol
    assert ours["ssl_context"] is fausts["ssl_context"]
    assert (ours["ssl_context"] is not None) == tls
    if more:
        sasl = {name: ours[name] for name in ("sasl_mechanism", "sasl_plain_username", "sasl_plain_password")}
        assert sasl == {name: fausts[name] for name in sasl}
        assert sasl == {
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "chat4all",
            "sasl_plain_password": "hush-hush",
        }


def test_the_server_is_always_checked_and_a_client_may_have_a_certificate(pem: Path) -> None:
    settings = Settings(kafka_tls_ca=str(pem), kafka_tls_certificate=str(pem))
    context = kafka_security(settings)["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    system = kafka_security(Settings(kafka_tls_ca="system"))["ssl_context"]
    assert (system.verify_mode, system.check_hostname) == (ssl.CERT_REQUIRED, True)


async def test_the_batch_producer_and_cassandras_driver_are_made_with_it(
    pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = {"kafka_tls_ca": str(pem), "cassandra_tls_ca": str(pem), "cassandra_tls_name": "cassandra.example.org"}
    settings = changed(Settings(), {**LOGIN, **tls})
    producer = BatchProducer("k:1", client_id="t", security=kafka_security(settings))._new_producer()
    assert producer.client._security_protocol == "SASL_SSL"
    assert producer.client._sasl_mechanism == "SCRAM-SHA-512"
    made: dict[str, Any] = {}

    class Cluster:
        def __init__(self, **options: object) -> None:
            made.update(options)

        def connect(self) -> Any:
            raise ConnectionError

        def shutdown(self) -> None:
            pass

    monkeypatch.setattr(driver_session, "Cluster", Cluster)
    with pytest.raises(ConnectionError):
        driver_session.open_cluster(cassandra_config(settings))
    assert made["ssl_context"].check_hostname
    assert made["ssl_options"] == {"server_hostname": "cassandra.example.org"}


def test_a_name_of_cassandras_certificates_is_refused_without_tls() -> None:
    with pytest.raises(InvalidSetting, match=r"CHAT4ALL_CASSANDRA_TLS_NAME=c .*CHAT4ALL_CASSANDRA_TLS_CA"):
        Settings.from_environ({"CHAT4ALL_CASSANDRA_TLS_NAME": "c"})


@pytest.mark.parametrize(
    "wrong", [{"kafka_tls_ca": "no-such.pem"}, {"kafka_tls_ca": "system", "kafka_tls_certificate": "no-such.pem"}]
)
def test_a_file_that_cannot_be_read_is_named_with_its_setting(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting, match=r"CHAT4ALL_KAFKA_TLS_\w+=no-such.pem"):
        kafka_security(changed(Settings(), wrong))


def test_a_user_without_a_password_is_refused_and_passwords_are_not_shown() -> None:
    with pytest.raises(InvalidSetting, match="CHAT4ALL_KAFKA_PASSWORD"):
        Settings.from_environ({"CHAT4ALL_KAFKA_USERNAME": "chat4all"})
    assert "hush-hush" not in repr(changed(Settings(), LOGIN))


@pytest.mark.parametrize("server", ["KAFKA", "CASSANDRA"])
@pytest.mark.parametrize(
    ("given", "missing"), [("CERTIFICATE", "CA"), ("KEY", "CA"), ("KEY", "CERTIFICATE")], ids=lambda one: one.lower()
)
def test_part_of_the_settings_of_tls_is_refused_and_does_not_mean_no_tls(server: str, given: str, missing: str) -> None:
    environ = {f"CHAT4ALL_{server}_TLS_{one}": "some.pem" for one in ("CA", "CERTIFICATE", "KEY")}
    assert Settings.from_environ(environ)
    for one in {"CA", "CERTIFICATE", "KEY"} - {given}:
        if one == missing or missing == "CA":
            del environ[f"CHAT4ALL_{server}_TLS_{one}"]
    with pytest.raises(InvalidSetting, match=f"CHAT4ALL_{server}_TLS_{given}=some.pem .*CHAT4ALL_{server}_TLS_"):
        Settings.from_environ(environ)


@pytest.mark.parametrize("folder", ["app", "web", "cli", "agents"])
def test_no_client_of_kafka_is_made_without_the_settings(folder: str) -> None:
    """Each call of a client's class takes ``**kafka_options(…)``, or ``**`` of a value that was made by it."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith("AIOKafka"):
                spread = [ast.unparse(word.value) for word in node.keywords if word.arg is None]
                made = ("self._options", "self._security", "kafka")
                assert any("kafka_options" in text or text in made for text in spread), f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("BatchProducer", "WorkerBatchProducer"):
                assert any(word.arg == "security" for word in node.keywords), f"{path}:{node.lineno}"
