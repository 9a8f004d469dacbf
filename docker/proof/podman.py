"""Podman, with images, volumes and settings of its own under one folder: nothing else on the machine changes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docker.proof.compose_file import Service

NETWORK, LABEL = "chat4all-proof", "chat4all.proof=1"
_SETTINGS = """[containers]
default_ulimits = ["nofile=16384:16384", "nproc=8192:8192"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
SHORT_SECONDS = 60.0


class PodmanFailed(Exception):
    """A command of podman failed. It carries the command and what podman printed."""


@dataclass(frozen=True, slots=True)
class Podman:
    """Runs commands of podman. ``folder``: images, volumes, networks. ``config``: the folder of the compose file."""

    folder: Path
    config: Path

    def prepare(self) -> None:
        """Write the settings. A small machine has few processes and files to give away, hence the limits."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "containers.conf").write_text(_SETTINGS, encoding="utf-8")

    def call(self, *arguments: str, seconds: float = SHORT_SECONDS, is_checked: bool = True) -> str:
        """Return what a command prints. Raises ``PodmanFailed``, also when it takes longer than ``seconds``."""
        places = ("--root", f"{self.folder}/storage", "--runroot", f"{self.folder}/run")
        command = ["podman", *places, "--network-config-dir", f"{self.folder}/networks", *arguments]
        environ = {**os.environ, "CONTAINERS_CONF": f"{self.folder}/containers.conf"}
        try:
            done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired as error:
            raise PodmanFailed(f"podman {' '.join(arguments)}: not done in {seconds:g} s") from error
        if done.returncode and is_checked:
            raise PodmanFailed(f"podman {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.strip()

    def has_image(self, name: str) -> bool:
        """Return whether an image is there."""
        return bool(self.call("images", "--quiet", name))

    def import_root(self, archive: Path, image: str, environ: Mapping[str, str]) -> None:
        """Make an image of a root file system in a tar archive."""
        changes = [part for name, value in environ.items() for part in ("--change", f"ENV {name}={value}")]
        self.call("import", *changes, str(archive), image, seconds=600)

    def build(self, context: Path, file: Path, image: str, *, target: str = "", base: str = "") -> None:
        """Build an image. ``base``: for the argument PYTHON_IMAGE."""
        more = [*(("--target", target) if target else ()), *(("--build-arg", f"PYTHON_IMAGE={base}") if base else ())]
        self.call(
            *("build", "--isolation", "chroot", "--network", "host", "--pull=never", "--format", "docker"),
            *("--file", str(file), "--tag", image, *more, str(context)),
            seconds=1_200,
        )

    def start(self, service: Service, image: str) -> None:
        """Start a service's container, named as the service."""
        self.call("run", "--detach", *arguments_of(service, image, self.config), seconds=120)

    def state(self, name: str) -> tuple[str, int]:
        """Return a container's state ("running", "exited" …) and its exit code."""
        found = json.loads(self.call("inspect", "--type", "container", name))[0]["State"]
        return str(found["Status"]), int(found["ExitCode"])

    def is_healthy(self, name: str) -> bool:
        """Ask the container's own health check."""
        try:
            self.call("healthcheck", "run", name, seconds=20)
        except PodmanFailed:
            return False
        return True

    def pid(self, name: str) -> int:
        """Return the id on this machine of a container's first process; 0 while it does not run."""
        return int(json.loads(self.call("inspect", "--type", "container", name))[0]["State"]["Pid"])

    def logs(self, name: str) -> str:
        """Return everything that a container has printed."""
        environ = {**os.environ, "CONTAINERS_CONF": f"{self.folder}/containers.conf"}
        places = ("--root", f"{self.folder}/storage", "--runroot", f"{self.folder}/run")
        command = ["podman", *places, "logs", name]
        done = subprocess.run(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SHORT_SECONDS, check=False
        )
        return done.stdout.decode(errors="replace")

    def containers(self) -> list[str]:
        """Return the names of the containers of the proof."""
        return self.call("ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}").split()

    def remove(self) -> None:
        """End and remove every container, volume and network of the proof; images stay."""
        if names := self.containers():
            self.call("rm", "--force", "--volumes", "--time", "1", *names, seconds=300, is_checked=False)
        if volumes := self.call("volume", "ls", "--quiet").split():
            self.call("volume", "rm", "--force", *volumes, is_checked=False)
        self.call("network", "rm", "--force", NETWORK, is_checked=False)


def arguments_of(service: Service, image: str, config: Path) -> list[str]:
    """Return what ``podman run`` needs for a service of the compose file. ``config``: the folder of that file."""
    found = ["--name", service.name, "--label", LABEL, "--network", NETWORK]
    found += ["--stop-timeout", str(service.stop_seconds), "--restart", service.restart]
    found += [part for name, value in service.environment.items() for part in ("--env", f"{name}={value}")]
    found += [part for volume in service.volumes for part in ("--volume", _volume(volume, config))]
    found += [part for port in service.ports for part in ("--publish", port)]
    found += [part for mount in service.tmpfs for part in ("--tmpfs", f"{mount},mode=1777")]
    found += [part for capability in service.cap_drop for part in ("--cap-drop", capability)]
    found += [part for option in service.security_opt for part in ("--security-opt", _security(option))]
    found += ["--init"] if service.init else []
    found += ["--read-only", "--read-only-tmpfs=false"] if service.read_only else []
    found += ["--user", service.user] if service.user else []
    found += ["--entrypoint", json.dumps([*service.entrypoint])] if service.entrypoint else []
    if service.health_command:
        found += ["--health-cmd", json.dumps([*service.health_command]), "--health-interval", "disable"]
    return [*found, image, *service.command]


def _volume(text: str, config: Path) -> str:
    """Return a named volume as it is, and a file of the checkout with its whole path."""
    if not text.startswith("./"):
        return text
    source, _, rest = text.partition(":")
    return f"{(config / source).resolve()}:{rest}"


def _security(option: str) -> str:
    return option.removesuffix(":true")
