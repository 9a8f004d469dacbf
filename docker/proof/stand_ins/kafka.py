"""Stands in for the image apache/kafka: the variables ``KAFKA_…`` become ``server.properties``, then Kafka starts."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

PROPERTIES = Path("/tmp/server.properties")
LOG4J = Path("/tmp/log4j.properties")
NOT_PROPERTIES = ("KAFKA_HEAP_OPTS", "KAFKA_OPTS")
_LOG4J = """log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %-5p %c{1}: %m%n
"""


def properties(environ: dict[str, str]) -> dict[str, str]:
    """Return the properties, named as that image names them: one underscore is a dot, two are one, three a hyphen."""
    signs = {"_": ".", "__": "_", "___": "-"}
    named = (name for name in environ if name.startswith("KAFKA_") and name not in NOT_PROPERTIES)
    return {
        re.sub("_{1,3}", lambda found: signs[found.group()], name.removeprefix("KAFKA_").lower()): environ[name]
        for name in named
    }


def main() -> None:
    """Write the properties, format the storage the first time, and become Kafka."""
    PROPERTIES.write_text("".join(f"{key}={value}\n" for key, value in properties(dict(os.environ)).items()))
    LOG4J.write_text(_LOG4J)
    jars = ":".join(map(str, sorted(Path("/archives/kafka").rglob("*.jar"))))
    java = ["/usr/bin/java", f"-Dlog4j.configuration=file:{LOG4J}", "-cp", jars]
    tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={os.environ['CLUSTER_ID']}", "--ignore-formatted"]
    subprocess.run([*java, *tool, f"--config={PROPERTIES}"], check=True)
    heap = os.environ.get("KAFKA_HEAP_OPTS", "").split()
    os.execv(java[0], [java[0], *heap, "-XX:+UseSerialGC", *java[1:], "kafka.Kafka", str(PROPERTIES)])


if __name__ == "__main__":
    main()
