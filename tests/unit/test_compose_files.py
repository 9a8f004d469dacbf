"""docker/: the compose files say what the product needs, and their reader leaves nothing out."""

from __future__ import annotations

import re
import ssl
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from app.accounts import load_accounts
from app.roles import ROLES
from app.settings import Settings
from docker.healthcheck import target
from docker.observability.targets import LEDGER
from docker.proof.compose_file import ComposeError, Service, read
from docker.proof.images import image_of
from docker.proof.podman import arguments_of
from docker.proof.stand_ins.kafka import properties
from docker.simulator_accounts import write
from domain.recipients import CHANNELS

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
PORTS = (
    "TLS_PORT",
    "HTTP_PORT",
    "S3_PORT",
    "SIMULATOR_PORT",
    "PROMETHEUS_PORT",
    "ALERTMANAGER_PORT",
    "GRAFANA_PORT",
    "LOKI_PORT",
    "JAEGER_PORT",
)
OF_THE_FILE = {f"CHAT4ALL_{name}" for name in ("IMAGE", "LOAD_IMAGE", "BIND", "TLS_BIND", "GRAFANA_PASSWORD", *PORTS)}
ALL_PROFILES = frozenset({"observability", "load"})


PASSWORDS = {"CHAT4ALL_KAFKA_PASSWORD": "of-kafka", "CHAT4ALL_CASSANDRA_PASSWORD": "of-cassandra"}


def services(*profiles: str, overlay: str = "", variables: Mapping[str, str] = PASSWORDS) -> dict[str, Service]:
    files = ["compose.yaml", *([overlay] if overlay else [])]
    found = read([(DOCKER / name).read_text() for name in files], variables, frozenset(profiles))
    return {each.name: each for each in found}


def test_there_is_a_worker_of_every_role_and_two_apis() -> None:
    commands = [list(each.command) for each in services().values()]
    for role in ROLES:
        assert ["worker", "--role", role] in commands
    assert sum(command[:1] == ["api"] for command in commands) == 2


def test_the_ledger_is_kept_and_the_apis_know_where() -> None:
    found = services()
    assert list(found["ledger"].command) == ["ledger"]
    for name in ("api-1", "api-2"):
        assert found[name].environment["CHAT4ALL_LEDGER_URL"] == f"http://{LEDGER}/metrics"


def test_profiles_add_services() -> None:
    assert "load" not in services()
    assert "load" in services("load")


@pytest.mark.parametrize("name", services("load"))
def test_every_service_of_ours_may_do_as_little_as_possible(name: str) -> None:
    service = services("load")[name]
    if service.target or name == "nginx":
        assert service.read_only
        assert list(service.cap_drop) == ["ALL"]
        assert list(service.security_opt) == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", services(*ALL_PROFILES))
def test_every_image_of_others_has_a_version(name: str) -> None:
    service = services(*ALL_PROFILES)[name]
    if not service.target:
        _, _, version = service.image.rpartition("/")[2].partition(":")
        assert version
        assert version != "latest"


def test_every_variable_is_a_setting() -> None:
    known = {f"CHAT4ALL_{name.upper()}" for name in Settings.__dataclass_fields__} | OF_THE_FILE
    for file in (*DOCKER.glob("*.yaml"), DOCKER / "Dockerfile"):
        assert set(re.findall(r"CHAT4ALL_[A-Z0-9_]+", file.read_text())) <= known, file.name


def test_every_variable_of_the_compose_file_alone_is_in_its_page() -> None:
    page = (ROOT / "docs" / "docker.md").read_text()
    assert all(f"`{name}`" in page for name in OF_THE_FILE)


def test_the_image_has_every_package_of_the_server() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = set(config["tool"]["importlinter"]["root_packages"]) | {"loadtests"}
    text, ignore = (DOCKER / "Dockerfile").read_text(), (ROOT / ".dockerignore").read_text().split()
    for package in packages:
        assert f"COPY {package} /app/{package}" in text
        assert f"!{package}" in ignore


def test_the_cluster_asks_for_three_copies_of_three_servers() -> None:
    cluster = services(overlay="compose.cluster.yaml")
    for name, service in cluster.items():
        if service.target:
            assert service.environment["CHAT4ALL_KAFKA"].count(":9092") == 3, name
            assert service.environment["CHAT4ALL_REPLICATION_FACTOR"] == "3", name
            assert service.environment["CHAT4ALL_JWT_SECRET"] == "", "what the first file says stays"
    voters = {cluster[f"kafka{n}"].environment["KAFKA_CONTROLLER_QUORUM_VOTERS"] for n in ("", "-2", "-3")}
    assert len(voters) == 1
    ids = [cluster[f"kafka{n}"].environment["KAFKA_NODE_ID"] for n in ("", "-2", "-3")]
    assert ids == ["1", "2", "3"]
    same = [{k: v for k, v in cluster[f"kafka-{n}"].environment.items() if "ID" not in k} for n in (2, 3)]
    assert {k for k, v in same[0].items() if same[1][k] != v} == {"KAFKA_ADVERTISED_LISTENERS"}


def test_tls_adds_a_port_and_leaves_the_plain_one_on_loopback() -> None:
    nginx = services(overlay="compose.tls.yaml")["nginx"]
    assert list(nginx.ports) == ["127.0.0.1:8080:8080", "0.0.0.0:8443:8443"]


@pytest.mark.parametrize("missing", PASSWORDS)
def test_tls_needs_a_password_for_each_server(missing: str) -> None:
    with pytest.raises(ComposeError, match=missing):
        services(overlay="compose.tls.yaml", variables={n: v for n, v in PASSWORDS.items() if n != missing})


def test_with_tls_every_process_of_ours_logs_in_to_kafka_and_cassandra_over_it() -> None:
    ours = {name: each for name, each in services(overlay="compose.tls.yaml").items() if each.target}
    assert len(ours) == len([each for each in services().values() if each.target]) + 1
    for name, service in ours.items():
        assert "./certs/ca.crt:/certs/ca.crt:ro" in service.volumes, name
        settings = Settings.from_environ(service.environment)
        assert (settings.kafka_tls_ca, settings.cassandra_tls_ca) == ("/certs/ca.crt", "/certs/ca.crt"), name
        assert (settings.kafka_sasl, settings.kafka_username) == ("PLAIN", "chat4all"), name
        assert (settings.kafka_password, settings.cassandra_password) == ("of-kafka", "of-cassandra"), name
        assert settings.cassandra_tls_name == "cassandra", name


def test_with_tls_the_servers_let_nobody_in_without_it() -> None:
    found = services(overlay="compose.tls.yaml")
    kafka = properties(dict(found["kafka"].environment))
    doors = [door for door in kafka["listeners"].split(",") if "127.0.0.1" not in door]
    assert doors == ["SASL_SSL://:9092"]
    assert kafka["listener.name.sasl_ssl.plain.sasl.jaas.config"].endswith('user_chat4all="of-kafka";')
    assert kafka["sasl.enabled.mechanisms"] == "PLAIN"
    options = found["cassandra"].environment["JVM_EXTRA_OPTS"].split()
    for wanted in ("client_encryption_options.enabled=true", "client_encryption_options.optional=false"):
        assert f"-Dcassandra.settings.{wanted}" in options
    assert "-Dcassandra.settings.authenticator=PasswordAuthenticator" in options
    for name, file in (("kafka", "servers.pem"), ("cassandra", "servers.p12")):
        assert f"./certs/{file}:/certs/{file}:ro" in found[name].volumes


def test_with_tls_cassandra_has_its_user_before_the_migration() -> None:
    order = list(services(overlay="compose.tls.yaml"))
    assert order.index("cassandra") < order.index("cassandra-user") < order.index("migrate")


def test_the_certificates_for_tests_are_what_the_servers_read(tmp_path: Path) -> None:
    (tmp_path / "make-certs").write_text((DOCKER / "make-certs").read_text())
    subprocess.run(["sh", "make-certs", "chat.example.org"], cwd=tmp_path, check=True, capture_output=True)
    made = tmp_path / "certs"
    assert ssl.create_default_context(cafile=made / "ca.crt").cert_store_stats()["x509_ca"] == 1
    _, certificate, chain = pkcs12.load_key_and_certificates((made / "servers.p12").read_bytes(), b"keystore")
    assert certificate is not None
    certificate.verify_directly_issued_by(chain[0])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kafka", "cassandra"]
    assert not list(made.glob("ca.key")), "nobody can sign with the authority later"


def test_the_accounts_at_the_simulator_are_those_that_it_serves(tmp_path: Path) -> None:
    write(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert sorted(path.name for path in (DOCKER / "simulator").iterdir()) == names
    for name in names:
        assert (DOCKER / "simulator" / name).read_text() == (tmp_path / name).read_text()
    accounts = load_accounts(Settings(accounts=str(DOCKER / "simulator" / "accounts.toml")))
    assert {account.driver for of_channel in accounts.values() for account in of_channel} == set(CHANNELS)


def test_the_overlay_of_the_simulator_gives_everybody_its_accounts() -> None:
    found = services(overlay="compose.simulator.yaml")
    assert found["simulator"].target == "server"
    for name in ("api-1", "worker-whatsapp"):
        assert found[name].environment["CHAT4ALL_ACCOUNTS"] == "/config/accounts.toml"
        assert "./simulator:/config:ro" in found[name].volumes


def test_every_default_service_has_an_image_in_the_proof() -> None:
    assert all(image_of(each) for each in services().values())


def test_services_start_after_those_they_depend_on() -> None:
    order = list(services())
    assert order.index("kafka") < order.index("migrate") < order.index("api-1") < order.index("nginx")


def test_variables_have_their_values_or_defaults() -> None:
    text = "services: {a: {image: 'x:${TAG:-1}', command: ['$$HOME', '${A}', '${B:?say B}']}}"
    service = read([text], {"A": "one", "B": "two"}, frozenset())[0]
    assert (service.image, list(service.command)) == ("x:1", ["$HOME", "one", "two"])
    with pytest.raises(ComposeError, match="say B"):
        read([text], {}, frozenset())


def test_an_overlay_changes_a_command_and_adds_the_rest() -> None:
    below = "services: {a: {image: x, command: [one], ports: ['1:1'], environment: {A: '1', B: '2'}}}"
    above = "services: {a: {command: [two], ports: ['2:2'], environment: {B: '3'}}}"
    service = read([below, above], {}, frozenset())[0]
    assert (list(service.command), list(service.ports)) == (["two"], ["1:1", "2:2"])
    assert service.environment == {"A": "1", "B": "3"}


def test_a_key_that_the_reader_does_not_know_is_an_error() -> None:
    with pytest.raises(ComposeError, match="privileged"):
        read(["services: {a: {image: x, privileged: true}}"], {}, frozenset())


def test_podman_gets_what_the_file_says() -> None:
    service = services()["api-1"]
    arguments = arguments_of(service, "image", DOCKER)
    for part in ("--read-only", "--init", "--cap-drop ALL", "--volume api-data:/data", "--restart unless-stopped"):
        assert part in " ".join(arguments)
    assert arguments[-4:] == ["image", "api", "--processes", "1"]
    nginx = arguments_of(services()["nginx"], "image", DOCKER)
    assert f"{DOCKER}/nginx/nginx.conf:/etc/nginx/nginx.conf:ro" in nginx


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["python", "/venv/bin/chat4all", "api", "--processes", "1"], (8080, "/health")),
        (["tini", "--", "chat4all", "worker", "--role", "core"], (9000, "/ready")),
        (["tini", "chat4all", "ledger"], (8081, "/metrics")),
    ],
)
def test_the_health_check_asks_the_process_of_its_container(words: list[str], expected: tuple[int, str]) -> None:
    assert target(words, {"CHAT4ALL_METRICS_PORT": "9000"}) == expected
