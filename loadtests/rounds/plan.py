"""The plan of one round. It depends on the seed alone, so a round can be named and repeated."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from app.kafka.topics import Topics, TopicSpec, group_of
from app.settings import Settings

ROLE = "rounds"
TABLE = "fold"
PARTITIONS = 6
KEYS = 4_000
HISTORY_KEYS = 1_500  # keys that an established group has seen before
LATE_PER_SECOND = 400

SCENARIOS = ("quiet", "end-b", "kill-a", "end-a", "kill-b", "churn")
EXTRA_SCENARIOS = ("bounce-a", "freeze-a", "stutter")  # not in the draw; asked for by name
# fresh: no commit, empty changelog; established: an earlier load is committed and in the changelog; truncated: the
# same, but retention has moved the start of the log past the commit; holes: transaction markers between the records
HISTORIES = ("fresh", "fresh", "fresh", "established", "established", "truncated", "holes")


@dataclass(frozen=True, slots=True)
class Plan:
    """One round. ``delay_ms`` is the handler's, a batch; ``buffer`` is ``stream_buffer_maxsize``."""

    seed: int
    consumer: str  # "ours" or "stock"
    scenario: str
    history: str
    store: str
    table: bool
    static: bool
    delay_ms: int
    poll: int
    buffer: int
    join_after_seconds: float  # B starts so long after A
    act_after_seconds: float  # the scenario's event comes so long after B has joined
    late_after_seconds: tuple[float, float]  # halves of the late quarter begin so long after A, and B, have joined

    @classmethod
    def from_seed(cls, seed: int, consumer: str = "ours") -> Self:
        """Return the round of ``seed``: the same for every consumer, except for the unit of the buffer."""
        draw = random.Random(seed)
        scenario = SCENARIOS[seed % len(SCENARIOS)]
        history = draw.choice(HISTORIES)
        delay_ms = draw.choice((0, 50, 100))
        buffer = draw.randrange(3)
        return cls(
            seed=seed,
            consumer=consumer,
            scenario=scenario,
            history=history,
            store=draw.choice(("memory", "rocksdb")),
            table=draw.random() < 0.7,
            static=draw.random() < 0.25,
            delay_ms=delay_ms,
            poll=draw.choice((100, 500) if delay_ms == 100 else (50, 100, 500)),
            buffer=(2, 8, 64)[buffer] if consumer == "ours" else (256, 4_096, 20_000)[buffer],
            join_after_seconds=draw.uniform(0.3, 4.0),
            act_after_seconds=draw.uniform(0.0, 2.5),
            late_after_seconds=(draw.uniform(0.0, 2.0), draw.uniform(0.0, 2.0)),
        )

    def settings(self, kafka: str, prefix: str, folder: Path, worker: str) -> Settings:
        """Return the settings of one worker of this round."""
        return Settings(
            role=ROLE,
            instance=worker if self.static else "",
            kafka=kafka,
            topic_prefix=prefix,
            partitions=PARTITIONS,
            max_poll_records=self.poll,
            store=self.store,
            data_dir=str(folder / worker),
            log_level="WARNING",
            log_format="text",
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))

    def __str__(self) -> str:
        words = [self.scenario, self.history, self.store, "table" if self.table else "no-table"]
        if self.static:
            words.append("static")
        return " ".join([*words, f"delay={self.delay_ms}", f"poll={self.poll}", f"buffer={self.buffer}"])


@dataclass(frozen=True, slots=True)
class RoundTopics:
    """The three topics and the group of a round; ``prefix`` sets it apart from all others."""

    prefix: str

    @property
    def group(self) -> str:
        return group_of(ROLE, self.prefix)

    @property
    def input(self) -> str:
        return f"{self.prefix}input"

    @property
    def output(self) -> str:
        return f"{self.prefix}output"

    @property
    def changelog(self) -> str:
        return Topics(self.prefix).changelog(ROLE, TABLE)

    def specs(self) -> list[TopicSpec]:
        return [
            TopicSpec(self.input, PARTITIONS, 1, {}),
            TopicSpec(self.output, PARTITIONS, 1, {}),
            TopicSpec(self.changelog, PARTITIONS, 1, {"cleanup.policy": "compact"}),
        ]
