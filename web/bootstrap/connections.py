"""The adapters of a real process: Kafka, Cassandra and the store of files."""

from __future__ import annotations

from functools import partial

from app.cassandra import cassandra_config
from app.files import open_file_store
from app.kafka.address import kafka_security
from app.kafka.batch_producer import BatchProducer
from app.kafka.partitions import partition_by
from app.kafka.topics import Topics
from app.settings import Settings
from app.tracing import tracing_of
from storage.cassandra.activity import CassandraActivityReader
from storage.cassandra.admins import CassandraAdminStore
from storage.cassandra.contacts import CassandraContactStore
from storage.cassandra.conversations import CassandraConversationStore
from storage.cassandra.files import CassandraFileRecords
from storage.cassandra.identities import CassandraIdentityStore
from storage.cassandra.reader import CassandraMessageReader
from storage.cassandra.refresh_tokens import CassandraRefreshTokenStore
from storage.cassandra.schema import check_schema, latest_version
from storage.cassandra.session import CassandraSession
from storage.cassandra.traces import CassandraTraceStore
from storage.cassandra.users import CassandraUserStore
from web.admin.record_log import KafkaRecordLog
from web.bootstrap.adapters import Adapters
from web.history.log_tailer import LogTailer
from web.history.recent import RecentMessages
from web.messages.log_writer import KafkaMessageLog


class Connections:
    """The connections of one process, not opened yet. Opening and closing them is the server's part."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = topics = Topics(settings.topic_prefix)
        self.batch_producer = BatchProducer(
            settings.kafka,
            client_id="chat4all-api",
            timeout_seconds=settings.accept_timeout_seconds,
            security=kafka_security(settings),
            expected_partitions=dict.fromkeys((topics.messages, topics.status_updates), settings.partitions),
        )
        self.cassandra = CassandraSession(cassandra_config(settings))
        self.file_store = open_file_store(settings)
        self.recent = RecentMessages(settings.recent_messages)
        self.tailer = LogTailer(settings, self.recent)
        self.tracing = tracing_of(settings, "api")

    def adapters(self) -> Adapters:
        """Return the adapters over these connections."""
        cassandra = self.cassandra
        partition_of = partition_by(self._settings.partitions)
        return Adapters(
            settings=self._settings,
            log=KafkaMessageLog(self.batch_producer, self._topics, self._settings.partitions),
            record_log=KafkaRecordLog(self._settings, self.batch_producer),
            reader=CassandraMessageReader(cassandra, partition_of),
            users=CassandraUserStore(cassandra),
            admins=CassandraAdminStore(cassandra),
            identities=CassandraIdentityStore(cassandra),
            refresh_tokens=CassandraRefreshTokenStore(cassandra),
            contacts=CassandraContactStore(cassandra),
            conversations=CassandraConversationStore(cassandra),
            activity=CassandraActivityReader(cassandra, partition_of),
            files=CassandraFileRecords(cassandra),
            traces=CassandraTraceStore(cassandra),
            file_store=self.file_store,
            recent=self.recent,
            tailer=self.tailer,
            tracing=self.tracing,
            probes={
                "kafka": self.tailer.ping,
                "cassandra": partial(check_schema, cassandra, latest_version()),
                "files": self.file_store.ping,
            },
        )
