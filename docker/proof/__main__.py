"""Runs the proof and prints what it proved, and what it could not.

docker/prove                       the default services of compose.yaml
docker/prove --profile observability
docker/prove --all                 every profile and every overlay, one after the other
docker/prove --clean               remove its images as well
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from docker.proof.checks import Checks
from docker.proof.compose_file import Service, read
from docker.proof.images import ImageFailed, image_of, make_images
from docker.proof.messages import CurlFailed, Sender
from docker.proof.observed import Observed
from docker.proof.people import conversation
from docker.proof.podman import Podman, PodmanFailed
from docker.proof.up import NotUp, await_return, crash, until, up
from loadtests.ledger import Balance
from loadtests.locust.api import LoadError, ask

HERE = Path(__file__).parents[1]
NEEDED = {"podman": "podman", "runc": "runc", "debootstrap": "debootstrap", "iptables": "iptables", "curl": "curl"}
PACKAGES = ("podman", "runc", "debootstrap", "iptables", "netavark", "aardvark-dns", "catatonit", "curl", "uidmap")
FOLDER = "/var/tmp/chat4all-proof"
LOAD_SECONDS = 30
PORTS = ("HTTP_PORT", "S3_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "TLS_PORT", "SIMULATOR_PORT")
OBSERVED = ("PROMETHEUS_PORT", "ALERTMANAGER_PORT")
TLS, CLUSTER, SIMULATOR = "compose.tls.yaml", "compose.cluster.yaml", "compose.simulator.yaml"
LOAD, OBSERVABILITY = "load", "observability"
# profiles and overlays of one run
ALL: tuple[tuple[list[str], list[str]], ...] = (
    ([OBSERVABILITY, LOAD], []),
    ([], [TLS]),
    ([], [SIMULATOR]),
    ([], [CLUSTER]),
)


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="docker/prove", description=about)
    parser.add_argument("--profile", action="append", default=[], help="of the compose file")
    parser.add_argument("--overlay", action="append", default=[], help="a second compose file, as compose.tls.yaml")
    parser.add_argument("--all", action="store_true", help="each profile and overlay, one after the other")
    parser.add_argument("--messages", type=int, default=180)
    parser.add_argument(
        "--port", type=int, default=18_080, help="of nginx on this machine; those after it are used, too"
    )
    parser.add_argument("--folder", type=Path, default=Path(FOLDER), help="of images and volumes; a few GiB")
    parser.add_argument("--install", action="store_true", help="install what is missing with apt-get")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    parser.add_argument("--clean", action="store_true", help="remove the images at the end as well")
    return parser.parse_args(arguments)


def missing() -> list[str]:
    """Return the needed programs that are not on this machine."""
    return [name for name in NEEDED if shutil.which(name) is None]


class Proof:
    """One run. ``say`` prints a line with the time since the start."""

    def __init__(self, wanted: argparse.Namespace) -> None:
        self._began = time.monotonic()
        self.wanted = wanted
        self.podman = Podman(wanted.folder.resolve(), HERE)
        self.url = f"http://127.0.0.1:{wanted.port}"
        self.checks = Checks(self.podman, self.url)

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", flush=True)

    def services(self) -> list[Service]:
        """Return the services of the compose file that have an image here."""
        texts = [(HERE / name).read_text(encoding="utf-8") for name in ("compose.yaml", *self.wanted.overlay)]
        variables = {f"CHAT4ALL_{name}": str(self._port(name)) for name in PORTS}
        variables["CHAT4ALL_S3_PUBLIC_URL"] = f"http://127.0.0.1:{self._port('S3_PORT')}"
        variables |= {"CHAT4ALL_TLS_BIND": "127.0.0.1", "SHAPE_SECONDS": str(LOAD_SECONDS)}
        variables |= {f"CHAT4ALL_{name}_PASSWORD": secrets.token_urlsafe(12) for name in ("KAFKA", "CASSANDRA")}
        found = read(texts, variables, frozenset(self.wanted.profile))
        return [each for each in found if image_of(each)]

    def _port(self, name: str) -> int:
        return int(self.wanted.port) + PORTS.index(name)

    def run(self) -> bool:
        """Do everything; return whether the ledger balances and every check holds."""
        if TLS in self.wanted.overlay:
            subprocess.run([HERE / "make-certs", "localhost"], check=True, capture_output=True)
        services = self.services()
        make_images(self.podman, services, self.say)
        self.podman.remove()
        up(self.podman, [each for each in services if each.name != LOAD], self.say)
        seconds = until(
            lambda: ask("GET", f"{self.url}/health/ready")[0] == 200, "the API is ready", self.podman, "api-1"
        )
        self.say(f"ready through nginx, {seconds:.0f} s after the last container was started")
        self.checks.image(services)
        self.checks.front_door()
        if SIMULATOR in self.wanted.overlay:  # a real channel refuses what nobody asked for
            self.checks.note(*conversation(self.podman, self.url, f"http://127.0.0.1:{self._port('SIMULATOR_PORT')}"))
        else:
            balance = self._messages()
            self.checks.note(balance.is_balanced, str(balance))
            self.checks.websocket(Sender.signed_up(self.url))
        self.checks.file(Sender.signed_up(self.url))
        if LOAD in self.wanted.profile:
            self._load(next(each for each in services if each.name == LOAD))
        if TLS in self.wanted.overlay:
            self.checks.tls(self._port("TLS_PORT"), HERE / "certs" / "tls.crt")
            self.checks.secured()
        if OBSERVABILITY in self.wanted.profile:
            self._alerts()
        self.checks.doctor()
        self.checks.services(services)
        return self.checks.all_hold

    def _load(self, service: Service) -> None:
        self.say(f"starting {LOAD}")
        self.podman.start(service, image_of(service))
        until(lambda: self.podman.state(LOAD)[0] == "exited", "the load ends", self.podman, LOAD)
        words = [line for line in self.podman.logs(LOAD).splitlines() if "ledger" in line.lower()]
        _, code = self.podman.state(LOAD)
        self.checks.note(code == 0, f"Locust in its container, {LOAD_SECONDS} s, exit code {code}: {' '.join(words)}")

    def _alerts(self) -> None:
        observed = Observed(self.podman, *(f"http://127.0.0.1:{self._port(name)}" for name in OBSERVED))
        self.checks.note(*observed.targets())
        self.checks.note(*observed.rules())
        self.checks.note(*observed.panels())
        self.say("stopping worker-telegram until its alert fires, and starting it again until it is resolved")
        self.checks.note(*observed.alert("RoleWithoutWorker", "worker-telegram"))

    def _messages(self) -> Balance:
        sender, count = Sender.signed_up(self.url), self.wanted.messages
        pids: dict[str, int] = {}
        killed: dict[str, float] = {}

        def kill(name: str) -> None:
            pids[name], killed[name] = crash(self.podman, name), time.monotonic()
            self.say(f"killed {name} (pid {pids[name]}) before message {len(sender.book.accepted)}")

        victims = {count // 3: "worker-whatsapp", count // 2: "api-1", 2 * count // 3: "worker-core"}
        if CLUSTER in self.wanted.overlay:
            victims |= {5 * count // 12: "kafka-2", 7 * count // 12: "cassandra-3"}
        sender.send_all(count, {at: (lambda name=name: kill(name)) for at, name in victims.items()})  # type: ignore[misc]
        self.say(f"{count} messages accepted through nginx, {sender.repeated} requests repeated with their key")
        for name, pid in pids.items():
            await_return(self.podman, name, pid)
            self.say(f"{name} is back and healthy, at most {time.monotonic() - killed[name]:.0f} s after its end")
        return sender.balance()


NOT_PROVED = (
    "the images of third parties: stand-ins of the same kind of server took their place",
    "Docker itself: podman ran what docker/proof reads out of the compose file",
    "Grafana: no registry here has it; its dashboards' queries are asked of Prometheus instead",
    "a Python base image from a registry: Debian's Python 3.11 took its place",
    "more than one machine: see docs/operations.md",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proof, print, and return the exit code: 0 proved, 1 not, 2 could not run."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    if wanted.install and missing():
        subprocess.run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", *PACKAGES], check=True)
    if lacking := missing():
        print(f"not installed: {', '.join(lacking)}. As root on Debian: docker/prove --install", file=sys.stderr)
        return 2
    if os.geteuid():
        print("debootstrap and podman's networks need root here", file=sys.stderr)
        return 2
    if not wanted.all:
        results = [prove(wanted)]
    else:
        results = [prove(variant_of(wanted, *each)) for each in ALL]
        print("\nEverything:", "PROVED" if all(results) else "NOT PROVED")
    return 0 if all(results) else 1


def variant_of(wanted: argparse.Namespace, profiles: Sequence[str], overlays: Sequence[str]) -> argparse.Namespace:
    """Return the options for one run of ``--all``."""
    return argparse.Namespace(**{**vars(wanted), "profile": list(profiles), "overlay": list(overlays)})


def prove(wanted: argparse.Namespace) -> bool:
    """Do one run, print what it proved, and return whether all of it holds."""
    parts = ["the default services", *(f"profile {name}" for name in wanted.profile), *wanted.overlay]
    print(f"\n== {', '.join(parts)}", flush=True)
    proof = Proof(wanted)
    proof.podman.prepare()
    is_proved = False
    try:
        is_proved = proof.run()
    except (ImageFailed, PodmanFailed, NotUp, CurlFailed, LoadError) as error:
        print(error, file=sys.stderr)
    finally:
        if not wanted.keep:
            proof.say("removing containers, volumes and the network")
            proof.podman.remove()
        if wanted.clean:
            proof.podman.call("system", "reset", "--force", seconds=300, is_checked=False)
    print("\n".join(proof.checks.lines))
    print("\n".join(f"not proved: {line}" for line in NOT_PROVED))
    print("PROVED" if is_proved else "NOT PROVED", flush=True)
    return is_proved


if __name__ == "__main__":
    sys.exit(main())
