"""Real servers that let nobody in without TLS and a login: Kafka with SASL_SSL, Cassandra with passwords.

Kafka keeps a listener in the clear for its own probe and for making the user; Cassandra has none.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from devstack import StackConfig, processes
from devstack.cassandra import Cassandra
from devstack.config import LOOPBACK
from devstack.java import java_program
from devstack.kafka import Kafka

STORE_PASSWORD = "keystore"  # of the file that Cassandra reads


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files: ``ca`` vouches for the servers; ``pem`` has a server's certificate and key, ``store`` the same."""

    ca: Path
    pem: Path
    store: Path


def make_certificates(folder: Path) -> Certificates:
    """Make an authority and a certificate for this machine's loopback address."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.p12")
    authority, key = rsa.generate_private_key(65_537, 2048), rsa.generate_private_key(65_537, 2048)
    ca = _signed("chat4all test authority", authority, "chat4all test authority", authority, is_ca=True)
    server = _signed("localhost", key, "chat4all test authority", authority, is_ca=False)
    made.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made.pem.write_bytes(private + server.public_bytes(serialization.Encoding.PEM) + made.ca.read_bytes())
    encryption = serialization.BestAvailableEncryption(STORE_PASSWORD.encode())
    made.store.write_bytes(pkcs12.serialize_key_and_certificates(b"server", key, server, [ca], encryption))
    return made


def _signed(
    subject: str, key: rsa.RSAPrivateKey, issuer: str, signer: rsa.RSAPrivateKey, *, is_ca: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer, hashes.SHA256())
    )


class SecuredKafka(Kafka):
    """``secure_port``: of the listener with TLS and SCRAM."""

    def __init__(self, config: StackConfig, certificates: Certificates, secure_port: int) -> None:
        super().__init__(config)
        self._certificates = certificates
        self.secure_port = secure_port

    def server_properties(self) -> dict[str, object]:
        properties = super().server_properties()
        secure = f"SASL_SSL://{LOOPBACK}:{self.secure_port}"
        return {
            **properties,
            "listeners": f"{properties['listeners']},{secure}",
            "advertised.listeners": f"{properties['advertised.listeners']},{secure}",
            "listener.security.protocol.map": f"{properties['listener.security.protocol.map']},SASL_SSL:SASL_SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._certificates.pem),
        }

    def add_user(self, name: str, password: str) -> None:
        """Make a user of Kafka. Raises ``subprocess.CalledProcessError``."""
        command = [
            *(java_program(), *self.class_path_and_logging(), "kafka.admin.ConfigCommand"),
            *("--bootstrap-server", self.bootstrap, "--alter", "--entity-type", "users", "--entity-name", name),
            *("--add-config", f"SCRAM-SHA-512=[password={password}]"),
        ]
        environ = processes.minimal_environment()
        subprocess.run(command, check=True, env=environ, timeout=60, capture_output=True)


class SecuredCassandra(Cassandra):
    """Its clients' port speaks TLS only; its first user is ``cassandra`` with the password ``cassandra``."""

    def __init__(self, config: StackConfig, certificates: Certificates) -> None:
        super().__init__(config)
        self._certificates = certificates

    def settings(self) -> dict[str, object]:
        return {
            **super().settings(),
            "authenticator": "PasswordAuthenticator",
            "authorizer": "CassandraAuthorizer",
            "client_encryption_options": {
                "enabled": True,
                "optional": False,
                "keystore": str(self._certificates.store),
                "keystore_password": STORE_PASSWORD,
                "store_type": "PKCS12",
            },
        }

    def java_arguments(self) -> Sequence[str]:
        arguments = list(super().java_arguments())
        return [*arguments[:-3], "-Dcassandra.superuser_setup_delay_ms=0", *arguments[-3:]]

    def ask(self, timeout_seconds: float) -> None:
        context = ssl.create_default_context(cafile=str(self._certificates.ca))
        with (
            socket.create_connection((LOOPBACK, self.config.cassandra_port), timeout_seconds) as plain,
            context.wrap_socket(plain, server_hostname=LOOPBACK) as connection,
        ):
            connection.sendall(bytes((5, 0, 0, 0, 5, 0, 0, 0, 0)))  # OPTIONS
            if not connection.recv(9):
                raise OSError("Cassandra closed the connection")
