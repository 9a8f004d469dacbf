"""The images of the proof: bases from Debian's packages, stand-ins for third parties, and the product's own."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from devstack import Stack, StackConfig
from docker.proof.compose_file import Service
from docker.proof.podman import Podman

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SUITE = "bookworm"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
BASE, BASE_PACKAGES = "localhost/chat4all-python", "ca-certificates,python3,python3-venv"
STAND_INS = ("kafka", "cassandra", "minio", "nginx", "prometheus", "alertmanager")
DEBOOTSTRAP_SECONDS = 1_200
Say = Callable[[str], None]


class ImageFailed(Exception):
    """A base could not be made."""


def image_of(service: Service) -> str:
    """Return the image that the proof uses for a service; "" if it has none."""
    if service.target:
        return f"localhost/chat4all-{service.target}"
    name = service.image.partition(":")[0].rpartition("/")[2].removesuffix("-unprivileged")
    return f"localhost/chat4all-stand-in-{name}" if name in STAND_INS else ""


def make_images(podman: Podman, services: Iterable[Service], say: Say) -> None:
    """Make what the services need. Only the base is kept from an earlier run; of the rest podman keeps the layers."""
    services = list(services)
    if not podman.has_image(BASE):
        say(f"making {BASE} of Debian's packages")
        _make_base(podman)
    for image in sorted({image_of(each) for each in services if not each.target}):
        say(f"making {image}")
        _make_stand_in(podman, image.removeprefix("localhost/chat4all-stand-in-"), image)
    for target in sorted({each.target for each in services if each.target}):
        say(f"building docker/Dockerfile, target {target}")
        podman.build(ROOT, ROOT / "docker" / "Dockerfile", f"localhost/chat4all-{target}", target=target, base=BASE)


def _make_base(podman: Podman) -> None:
    """Make an image by debootstrap, with this machine's certificates, which may know a proxy's."""
    with tempfile.TemporaryDirectory(dir=podman.folder) as folder:
        root, archive = Path(folder) / "root", Path(folder) / "root.tar"
        command = ["debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", SUITE, str(root)]
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEBOOTSTRAP_SECONDS,
            check=False,
        )
        if done.returncode:
            raise ImageFailed(f"{' '.join(command)}: {done.stdout[-1_000:]}")
        if Path(CERTIFICATES).exists():
            shutil.copy(CERTIFICATES, root / CERTIFICATES.lstrip("/"))
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
        shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)
        with tarfile.open(archive, "w") as tar:
            tar.add(root, arcname=".")
        podman.import_root(archive, BASE, {"PIP_CERT": CERTIFICATES, "PIP_DEFAULT_TIMEOUT": "180"})


def _make_stand_in(podman: Podman, name: str, image: str) -> None:
    """Make one of ``STAND_INS``; the archives are those of the devstack, checked by their hashes."""
    stack = Stack(StackConfig.from_environment())
    with tempfile.TemporaryDirectory(dir=podman.folder) as folder:
        context = Path(folder)
        for file in (HERE / "stand_ins").iterdir():
            if file.is_file():
                shutil.copy(file, context)
        shutil.copytree(ROOT / "devstack", context / "devstack", ignore=shutil.ignore_patterns("__pycache__"))
        (context / "archives").mkdir()
        if name in ("kafka", "cassandra"):
            stack.fetch([name])
            shutil.copytree(stack.config.jars_folder / name, context / "archives" / name)
        if name == "minio":
            stack.fetch([name])
            shutil.copy(_minio_program(stack), context / "archives" / "minio")
        podman.build(context, context / "Dockerfile", image, target=name)


def _minio_program(stack: Stack) -> Path:
    program = getattr(stack.part("minio"), "program", None)
    if not isinstance(program, Path):
        raise ImageFailed("there is no server of MinIO: run `make minio`")
    return program
