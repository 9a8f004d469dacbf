"""What is looked at beside the ledger: the image, the front door, the state of the services. Each check is a line."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import websocket

from docker.proof.compose_file import Service
from docker.proof.images import BASE, image_of
from docker.proof.messages import Sender, curl
from docker.proof.podman import Podman, PodmanFailed

MOST_MIB = 260
READY_SECONDS = 30.0
DOCTOR_SECONDS = 90.0  # a busy machine misses its own time limits now and then
PAUSE_SECONDS = 0.5
_WRONG_CLIENTS = {
    "without TLS": {"CHAT4ALL_KAFKA_TLS_CA": "", "CHAT4ALL_CASSANDRA_TLS_CA": "", "CHAT4ALL_CASSANDRA_TLS_NAME": ""},
    "with a wrong password": {"CHAT4ALL_KAFKA_PASSWORD": "wrong", "CHAT4ALL_CASSANDRA_PASSWORD": "wrong"},
}


class Checks:
    """Collects what was proved. ``all_hold``: no check has failed."""

    def __init__(self, podman: Podman, url: str) -> None:
        self._podman = podman
        self._url = url
        self.lines: list[str] = []
        self.all_hold = True

    def note(self, holds: bool, what: str) -> None:
        """Enter a check."""
        self.all_hold &= holds
        self.lines.append(f"{'proved' if holds else 'FAILED'}: {what}")

    def image(self, services: Sequence[Service]) -> None:
        """Look at the image of the product, and at one of its containers from inside."""
        size, base = (self._size_mib(image) for image in ("localhost/chat4all-server", BASE))
        self.note(size - base < MOST_MIB, f"the image adds {size - base:.0f} MiB to its Python base ({base:.0f} MiB)")
        ours = [each for each in services if each.target == "server" and each.restart != "no"]
        users = {self._inside(each.name, "import os; print(os.getuid())") for each in ours}
        self.note(users == {"10001"}, f"its {len(ours)} containers run as user {', '.join(sorted(users))}, not root")
        write = "import pathlib; pathlib.Path('/app/x').touch()"
        refused = [self._inside(each.name, write) for each in ours]
        self.note(not any(refused), "their root file system is read-only")
        capabilities = "print([l for l in open('/proc/self/status') if l.startswith('CapEff')][0].split()[1])"
        found = {self._inside(each.name, capabilities) for each in ours}
        self.note({int(text or "1", 16) for text in found} == {0}, "they have no capabilities")

    def front_door(self) -> None:
        """Look at what nginx lets through."""
        for path in ("/metrics", "/actuator/prometheus"):
            status, _ = curl("GET", f"{self._url}{path}")
            self.note(status == 404, f"nginx answers {path} with {status}: metrics are for the inside")
        status, body = self._ready()
        components = json.loads(body)["components"] if status == 200 else {}
        parts = ", ".join(f"{name} {each['status']}" for name, each in components.items())
        self.note(status == 200, f"the API is ready through nginx: {parts}")

    def _ready(self) -> tuple[int, str]:
        """Ask whether the API is ready, for a while: a busy machine answers its own checks late."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            status, body = curl("GET", f"{self._url}/health/ready")
            if status == 200 or time.monotonic() > deadline:
                return status, body
            time.sleep(PAUSE_SECONDS)

    def file(self, sender: Sender) -> None:
        """Send a file through nginx, and fetch it by the link that leads to the store."""
        content = os.urandom(3 << 20)
        with tempfile.TemporaryDirectory() as folder:
            sent, fetched = Path(folder) / "sent.bin", Path(folder) / "fetched.bin"
            sent.write_bytes(content)
            head = ("--header", f"Authorization: Bearer {sender.account.token}")
            form = ("--form", f"conversation_id=file-{sender.account.username}", "--form", f"file=@{sent}")
            status, body = curl("POST", f"{self._url}/v1/files", *head, *form)
            link = ""
            if status == 201:
                _, found = curl("GET", f"{self._url}/v1/files/{json.loads(body)['file_id']}/download", *head)
                link = json.loads(found)["download_url"]
                curl("GET", link, "--output", str(fetched))
            is_same = fetched.exists() and fetched.read_bytes() == content
        self.note(is_same, f"3 MiB went in through nginx ({status}) and came back whole by a link to MinIO")

    def websocket(self, sender: Sender) -> None:
        """Send a message while a WebSocket is open through nginx, and wait for its frame."""
        head = [f"Authorization: Bearer {sender.account.token}"]
        url = self._url.replace("http", "ws", 1) + "/notifications"
        socket = websocket.create_connection(url, timeout=10, header=head)
        try:
            kinds = [json.loads(socket.recv())["type"]]
            sender.send(0)
            kinds.append(json.loads(socket.recv())["type"])
        finally:
            socket.close()
        self.note(kinds == ["connected", "new_message"], f"a WebSocket through nginx: {', '.join(kinds)}")

    def tls(self, port: int, certificate: Path) -> None:
        """Ask over TLS, with the certificate as the only one that is trusted, and over a version that is too old."""
        url = f"https://localhost:{port}/health"
        status, _ = curl("GET", url, "--cacert", str(certificate))
        old, _ = curl("GET", url, "--cacert", str(certificate), "--tls-max", "1.1")
        self.note(
            (status, old) == (200, 0), f"TLS at nginx: {status} with the certificate trusted, nothing over TLS 1.1"
        )

    def secured(self) -> None:
        """Ask Kafka and Cassandra from inside without TLS, and with a wrong password: neither lets anybody in."""
        for what, changes in _WRONG_CLIENTS.items():
            words = f"env={{**os.environ, **{changes!r}}}, capture_output=True, text=True"
            code = f"import os, subprocess; print(subprocess.run(['chat4all', 'doctor', '--json'], {words}).stdout)"
            found = {each["name"] for each in json.loads(self._podman.call("exec", "api-1", "python", "-c", code))}
            away = sorted({"kafka-away", "cassandra-away"} & found)
            self.note(len(away) == 2, f"Kafka and Cassandra to a client {what}: {', '.join(away) or 'let in'}")

    def doctor(self) -> None:
        """Let `chat4all doctor` look at everything from inside a container; again for a while if it finds a fault."""
        code = "import subprocess, sys; sys.exit(subprocess.run(['chat4all', 'doctor']).returncode)"
        deadline = time.monotonic() + DOCTOR_SECONDS
        while True:
            try:
                said = self._podman.call("exec", "api-1", "python", "-c", code, seconds=90)
            except PodmanFailed as error:
                if time.monotonic() < deadline:
                    continue
                self.note(False, f"chat4all doctor, in a container: {error}")
                return
            self.note(True, f"chat4all doctor, in a container: {said.splitlines()[-1]}")
            return

    def services(self, services: Sequence[Service]) -> None:
        """Look at the state of each service at the end."""
        for service in services:
            status, code = self._podman.state(service.name)
            wanted = ("exited", 0) if service.restart == "no" else ("running", 0)
            is_well = (status, code) == wanted
            if is_well and status == "running" and service.target:
                is_well = self._podman.is_healthy(service.name)
            self.note(is_well, f"{service.name} is {status}, image {image_of(service)}")

    def _size_mib(self, image: str) -> float:
        return int(json.loads(self._podman.call("image", "inspect", image))[0]["Size"]) / 2**20

    def _inside(self, name: str, code: str) -> str:
        """Return what a line of Python prints in a container; "" if it fails."""
        try:
            return self._podman.call("exec", name, "python", "-c", code) or "done"
        except PodmanFailed:
            return ""
