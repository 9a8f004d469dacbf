"""Writes the lock files anew, after a version below was changed: `python -m devstack.lock_jars`.

Takes a minute: jgo walks the POMs of each dependency and downloads everything into a temporary folder.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from jgo.maven import Artifact, MavenContext, PythonResolver
from jgo.parse import Coordinate

from devstack.jars import Jar, sha256_of

ROOTS = {
    # slf4j-reload4j is what Kafka's own distribution logs with; the Maven artifact leaves it out.
    "kafka.lock": ("org.apache.kafka:kafka_2.13:3.9.1", "org.slf4j:slf4j-reload4j:1.7.36"),
    "cassandra.lock": ("org.apache.cassandra:cassandra-all:5.0.5",),
}


def resolve(roots: tuple[str, ...], folder: Path) -> list[Jar]:
    """All archives needed by the roots at run time, the roots first."""
    maven = MavenContext(resolver=PythonResolver(), repo_cache=folder, local_repos=[], timeout=30)
    dependencies = [maven.create_dependency(Coordinate.parse(root)) for root in roots]
    inputs, transitive = maven.resolver.resolve(dependencies)
    artifacts = [dependency.artifact for dependency in (*inputs, *transitive)]
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(_jar, artifacts))


def _jar(artifact: Artifact) -> Jar:
    sha256 = sha256_of(artifact.resolve())
    return Jar(artifact.groupId, artifact.artifactId, artifact.version, artifact.classifier, sha256)


def main() -> None:
    for name, roots in ROOTS.items():
        with tempfile.TemporaryDirectory() as folder:
            jars = resolve(roots, Path(folder))
        header = f"# The jars of {' + '.join(roots)}. Written by `python -m devstack.lock_jars`."
        (Path(__file__).parent / name).write_text("\n".join([header, *map(str, jars), ""]))
        click.echo(f"{name}: {len(jars)} jars")


if __name__ == "__main__":
    main()
