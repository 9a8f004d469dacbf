"""Apache Kafka 3.9.1 in KRaft mode: one node, broker and controller."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Mapping, Sequence

from devstack import logs, probes, processes
from devstack.config import LOOPBACK
from devstack.errors import PartDidNotStart
from devstack.java import JavaPart, arguments_text, class_path, java_program, properties_text

_FORMAT_TIMEOUT_SECONDS = 60


def _new_cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


class Kafka(JavaPart):
    name = "kafka"
    title = "Kafka"
    cluster_id = ""  # of several brokers that belong together

    @property
    def ports(self) -> Mapping[str, int]:
        return {
            "kafka_port": self.config.kafka_port,
            "kafka_controller_port": self.config.kafka_controller_port,
        }

    @property
    def bootstrap(self) -> str:
        """The value for a client's `bootstrap_servers`."""
        return f"{LOOPBACK}:{self.config.kafka_port}"

    def ask(self, timeout_seconds: float) -> None:
        probes.ask_kafka(LOOPBACK, self.config.kafka_port, timeout_seconds)

    def configuration(self) -> dict[str, str]:
        return {
            "server.properties": properties_text(self.server_properties()),
            "log4j.properties": properties_text(self._log4j_properties()),
        }

    def server_properties(self) -> dict[str, object]:
        controller = f"{LOOPBACK}:{self.config.kafka_controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.data_folder,
            # A topic that nobody declared is a mistake to be seen, not created.
            "auto.create.topics.enable": "false",
            "num.partitions": 6,
            "default.replication.factor": 1,
            "min.insync.replicas": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 10,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            # A group of one machine is complete as soon as somebody joins.
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 6000,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "num.recovery.threads.per.data.dir": 2,
            "log.segment.bytes": 128 * 1024 * 1024,
            "log.cleaner.dedupe.buffer.size": 32 * 1024 * 1024,
            # After a crash the controller takes the broker back once its old session (9 s by default) is
            # over. The broker asks again after 0.1, 0.2, … 1.6 and 3.2 s: 3 s makes the attempt at 3.1 s
            # succeed, 4 s would wait for the one at 6.3 s.
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
        }

    def java_arguments(self) -> Sequence[str]:
        return [
            *self.common_options(self.config.kafka_heap_mb),
            *self.class_path_and_logging(),
            "kafka.Kafka",
            str(self.config_folder / "server.properties"),
        ]

    def prepare(self) -> None:
        super().prepare()
        if not (self.data_folder / "meta.properties").exists():
            self._format_storage()

    def _format_storage(self) -> None:
        """Write the cluster id and the bootstrap metadata; interrupted, it can be done again."""
        properties_file = self.config_folder / "server.properties"
        arguments_file = self.config_folder / "format.args"
        arguments = [
            *self.class_path_and_logging(),
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={self.cluster_id or _new_cluster_id()}",
            f"--config={properties_file}",
            "--ignore-formatted",
        ]
        arguments_file.write_text(arguments_text(arguments), encoding="utf-8")
        try:
            with self.output_file.open("wb") as output:
                subprocess.run(
                    [java_program(), f"@{arguments_file}"],
                    env=processes.minimal_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=_FORMAT_TIMEOUT_SECONDS,
                    check=True,
                )
        except subprocess.SubprocessError as error:
            words = "\n".join(logs.tail(self.output_file, 15))
            reason = f"could not format its storage ({type(error).__name__})"
            raise PartDidNotStart(self.title, reason, self.output_file, words) from error

    def class_path_and_logging(self) -> list[str]:
        """Return what a program of Kafka needs of Java."""
        return [
            f"-Dlog4j.configuration={(self.config_folder / 'log4j.properties').as_uri()}",
            "-cp",
            class_path(self.jars.class_path),
        ]

    def _log4j_properties(self) -> dict[str, object]:
        appender = "log4j.appender.file"
        return {
            "log4j.rootLogger": "INFO, file",
            appender: "org.apache.log4j.RollingFileAppender",
            f"{appender}.File": self.log_file,
            f"{appender}.MaxFileSize": f"{self.config.log_file_mb}MB",
            f"{appender}.MaxBackupIndex": 2,
            f"{appender}.layout": "org.apache.log4j.PatternLayout",
            f"{appender}.layout.ConversionPattern": "%d{ISO8601} %-5p [%t] %c{1}: %m%n",
        }
