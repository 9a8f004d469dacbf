"""Every topic of the pipeline, on one screen.

All have the same number of partitions. All but ``<channel>-webhooks`` and ``<channel>-inbound`` are keyed by
``conversation_id``, so a conversation lives on one partition number of each. Those two are keyed by account. Records
carry the broker's append time: on ``messages`` it is the message's time of acceptance.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.contradictions import SEGMENT_HOURS
from app.settings import Settings
from domain.recipients import CHANNELS

_HOUR_MS = 3600 * 1000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic to be created. ``config``: the broker's topic settings."""

    name: str
    partitions: int
    replication_factor: int
    config: dict[str, str]


@dataclass(frozen=True, slots=True)
class Topics:
    """The names, with the prefix of the settings."""

    prefix: str = ""

    @property
    def messages(self) -> str:
        return f"{self.prefix}messages"

    @property
    def status_updates(self) -> str:
        return f"{self.prefix}status-updates"

    @property
    def traces(self) -> str:
        """The hops of deliveries that the status facts do not show."""
        return f"{self.prefix}traces"

    @property
    def dead_letters(self) -> str:
        return f"{self.prefix}dead-letters"

    @property
    def dead_letter_resolutions(self) -> str:
        """The operators' words on dead letters, each on the partition of its letters."""
        return f"{self.prefix}dead-letter-resolutions"

    def outbound(self, channel: str) -> str:
        return f"{self.prefix}{channel}-outbound"

    def events(self, channel: str) -> str:
        """The channel's receipts and inbound messages."""
        return f"{self.prefix}{channel}-events"

    def webhooks(self, channel: str) -> str:
        """The raw bodies of the provider's POSTs, keyed by account."""
        return f"{self.prefix}{channel}-webhooks"

    def inbound(self, channel: str) -> str:
        """Return the topic of webhook events about people and of reported sends, keyed by account."""
        return f"{self.prefix}{channel}-inbound"

    def contacts(self, channel: str) -> str:
        """Return the topic of contacts: a person's identifiers, for each conversation with them."""
        return f"{self.prefix}{channel}-contacts"

    def commands(self, channel: str) -> str:
        """The operators' commands to the channel's deliveries."""
        return f"{self.prefix}{channel}-commands"

    def accounts(self, channel: str) -> str:
        """The state of the channel's accounts, by partition."""
        return f"{self.prefix}{channel}-accounts"

    def changelog(self, role: str, table: str) -> str:
        return f"{group_of(role, self.prefix)}-{table}-changelog"


def group_of(role: str, prefix: str = "") -> str:
    """Return the consumer group (and Faust app id) of a role. It never changes: a new name would start over."""
    return f"{prefix}chat4all-{role}"


def all_topics(settings: Settings) -> list[TopicSpec]:
    """Return the topics required before any process of the system starts."""
    names = Topics(settings.topic_prefix)
    # the broker's time everywhere: a record stamped by a slow clock could pass its retention before it is delivered,
    # and the broker refuses one stamped by a fast clock
    durable = {
        "min.insync.replicas": str(settings.min_insync_replicas),
        "message.timestamp.type": "LogAppendTime",
    }

    def deleting(name: str, days: int, **extra: str) -> TopicSpec:
        config = {"cleanup.policy": "delete", "retention.ms": str(days * _DAY_MS), **durable, **extra}
        return TopicSpec(name, settings.partitions, settings.replication_factor, config)

    def messages_of(name: str) -> TopicSpec:
        """The records behind a second send: the rows that prevent it outlive the longest stay of a record."""
        return deleting(name, settings.messages_retention_days, **{"segment.ms": str(SEGMENT_HOURS * _HOUR_MS)})

    def compacted(name: str, **extra: str) -> TopicSpec:
        config = {"cleanup.policy": "compact", **durable, **extra}
        return TopicSpec(name, settings.partitions, settings.replication_factor, config)

    return [
        messages_of(names.messages),
        *(messages_of(names.outbound(channel)) for channel in CHANNELS),
        *(deleting(names.events(channel), settings.status_retention_days) for channel in CHANNELS),
        *(messages_of(names.commands(channel)) for channel in CHANNELS),
        *(
            deleting(names.webhooks(channel), settings.status_retention_days, **{"max.message.bytes": str(8 << 20)})
            for channel in CHANNELS
        ),
        *(messages_of(names.inbound(channel)) for channel in CHANNELS),
        *(deleting(names.contacts(channel), settings.status_retention_days) for channel in CHANNELS),
        deleting(names.traces, settings.messages_retention_days),
        # read from their begin by each API process: what is in the open segment is not compacted
        *(compacted(names.accounts(channel), **{"segment.ms": str(_HOUR_MS)}) for channel in CHANNELS),
        deleting(names.status_updates, settings.status_retention_days),
        deleting(names.dead_letters, settings.dead_letters_retention_days, **{"max.message.bytes": str(10 << 20)}),
        # a resolution is younger than its letter, so with the same retention it outlives it
        deleting(names.dead_letter_resolutions, settings.dead_letters_retention_days),
        compacted(names.changelog("core", "message_state")),
        *(
            compacted(names.changelog(channel, table))
            for channel in CHANNELS
            for table in ("attempts", "queue", "people")
        ),
    ]
