"""`chat4all provider`: its options, and where its receipts go."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from app.kafka.batch_producer import BatchProducer
from app.kafka.codec import decode
from app.kafka.partitions import partition_for
from app.settings import Settings
from chat4all.cli.main import main
from cli.provider_process import reporter
from domain.records import ReceiptReported


class Producer:
    """Keeps the records that would be written."""

    def __init__(self) -> None:
        self.records: list[tuple[str, int, bytes, bytes]] = []

    async def send_and_wait(self, topic: str, partition: int, key: bytes, value: bytes) -> None:
        self.records.append((topic, partition, key, value))


async def test_a_receipt_goes_to_its_channels_events_on_its_conversations_partition() -> None:
    producer: Any = Producer()
    report = reporter(Settings(topic_prefix="t-", partitions=6), cast(BatchProducer, producer))
    receipt = ReceiptReported("main", "p-1", "m-1", "READ", 5)
    await report("telegram", "c-1", receipt)
    [(topic, partition, key, value)] = producer.records
    assert (topic, key) == ("t-telegram-events", b"c-1")
    assert partition == partition_for(b"c-1", 6)
    assert decode(value, ReceiptReported) == receipt


@pytest.mark.parametrize(
    ("arguments", "content", "words"),
    [
        (["--preset", "nonsense"], "", "unknown preset 'nonsense'"),
        (["--faults", "faults.toml"], "slow_share = 2", "faults.toml: slow_share is 2"),
        (["--faults", "faults.toml"], "slow", "faults.toml: not TOML"),
    ],
)
def test_wrong_faults_are_a_sentence_and_no_traceback(
    arguments: list[str], content: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("faults.toml").write_text(content)
    result = CliRunner().invoke(main, ["provider", *arguments])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert words in result.output
