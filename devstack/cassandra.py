"""Apache Cassandra 5.0.5: one node, no authentication, small memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from devstack import probes
from devstack.config import LOOPBACK
from devstack.java import JavaPart, class_path

# What Cassandra opens of the Java 17 runtime: conf/jvm17-server.options of its distribution.
_EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
)
_OPENS = (
    "java.base/java.lang.module",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "jdk.management/com.sun.management.internal",
    "java.base/sun.nio.ch",
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.reflect",
    "java.base/java.util",
    "java.base/java.nio",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.rmi/sun.rmi.transport.tcp",
)

_LOGBACK = """\
<configuration>
  <appender name="FILE" class="ch.qos.logback.core.rolling.RollingFileAppender">
    <file>{file}</file>
    <rollingPolicy class="ch.qos.logback.core.rolling.FixedWindowRollingPolicy">
      <fileNamePattern>{file}.%i</fileNamePattern><minIndex>1</minIndex><maxIndex>2</maxIndex>
    </rollingPolicy>
    <triggeringPolicy class="ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy">
      <maxFileSize>{size_mb}MB</maxFileSize>
    </triggeringPolicy>
    <encoder><pattern>%date{{ISO8601}} %-5level [%thread] %logger{{0}}: %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="FILE"/></root>
</configuration>
"""


class Cassandra(JavaPart):
    name = "cassandra"
    title = "Cassandra"

    @property
    def ports(self) -> Mapping[str, int]:
        return {
            "cassandra_port": self.config.cassandra_port,
            "cassandra_storage_port": self.config.cassandra_storage_port,
        }

    def ask(self, timeout_seconds: float) -> None:
        probes.ask_cassandra(LOOPBACK, self.config.cassandra_port, timeout_seconds)

    def configuration(self) -> dict[str, str]:
        settings = self.settings()
        log_file = escape(str(self.log_file))
        return {
            # JSON values are YAML too, and quote any path rightly.
            "cassandra.yaml": "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()),
            "logback.xml": _LOGBACK.format(file=log_file, size_mb=self.config.log_file_mb),
        }

    def settings(self) -> dict[str, object]:
        """cassandra.yaml. Other options keep the server's defaults."""
        data = self.data_folder
        seeds = f"{LOOPBACK}:{self.config.cassandra_storage_port}"
        return {
            "cluster_name": "chat4all",
            "num_tokens": 16,
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "endpoint_snitch": "SimpleSnitch",
            "dynamic_snitch": False,
            "seed_provider": [
                {
                    "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                    "parameters": [{"seeds": seeds}],
                }
            ],
            "listen_address": LOOPBACK,
            "storage_port": self.config.cassandra_storage_port,
            "rpc_address": LOOPBACK,
            "native_transport_port": self.config.cassandra_port,
            "authenticator": "AllowAllAuthenticator",
            "authorizer": "AllowAllAuthorizer",
            "data_file_directories": [str(data / "data")],
            "commitlog_directory": str(data / "commitlog"),
            "saved_caches_directory": str(data / "saved_caches"),
            "hints_directory": str(data / "hints"),
            "cdc_raw_directory": str(data / "cdc_raw"),
            "hinted_handoff_enabled": False,
            # Tests drop tables; a snapshot of each would fill the disk.
            "auto_snapshot": False,
            "commitlog_sync": "periodic",
            "commitlog_sync_period": "10000ms",
            "commitlog_segment_size": "16MiB",
            "commitlog_total_space": "256MiB",
            "memtable_allocation_type": "heap_buffers",
            "memtable_heap_space": f"{max(32, self.config.cassandra_heap_mb // 4)}MiB",
            "key_cache_size": "16MiB",
            "file_cache_size": "32MiB",
            "networking_cache_size": "16MiB",
            "concurrent_reads": 8,
            "concurrent_writes": 16,
            "concurrent_counter_writes": 4,
            "concurrent_compactors": 1,
            "native_transport_max_threads": 32,
            "batch_size_warn_threshold": "64KiB",
            "batch_size_fail_threshold": "640KiB",
            "unlogged_batch_across_partitions_warn_threshold": 100,
        }

    def java_arguments(self) -> Sequence[str]:
        jars = self.jars.class_path
        jamm = next(jar for jar in jars if jar.name.startswith("jamm-"))
        return [
            *self.common_options(self.config.cassandra_heap_mb),
            "-Xss512k",
            "-Djdk.attach.allowAttachSelf=true",
            *(f"--add-exports={package}=ALL-UNNAMED" for package in _EXPORTS),
            *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENS),
            f"-javaagent:{jamm}",
            f"-Dcassandra.storagedir={self.data_folder}",
            "-Dcassandra-foreground=yes",
            # A ring of one: nobody to wait for at the start, nobody to tell at the end.
            "-Dcassandra.ring_delay_ms=0",
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.shutdown_announce_in_ms=0",
            "-cp",
            class_path([self.config_folder, *jars]),
            "org.apache.cassandra.service.CassandraDaemon",
        ]
