"""The core's dependencies, as Protocols, and the values passed through them.

Adapters live in ``storage/`` and ``channels/``; their fakes (``tests/fakes/``) pass the same contract tests.
Every method may raise ``domain.errors.Unavailable`` when its dependency does not answer in time.
"""

from domain.log_position import LogPosition
from domain.ports.accounts import (
    MAX_ADMINS,
    MAX_IDENTITIES,
    Admin,
    AdminStore,
    Identity,
    IdentityStore,
    RefreshToken,
    RefreshTokenStore,
    User,
    UserStore,
)
from domain.ports.channels import (
    AccountFault,
    AcknowledgingConnector,
    Attachment,
    CheckingConnector,
    Connector,
    ConnectorCapabilities,
    HistoryConnector,
    Polled,
    PollingConnector,
    ProfileConnector,
    Receipt,
    TwoWayConnector,
    WebhookProtocol,
)
from domain.ports.contacts import MAX_CONTACT_ACCOUNTS, ContactStore
from domain.ports.conversations import Activity, ActivityReader, ConversationStore, Joined, NewParticipant
from domain.ports.files import FileRecords, FileStore, Part, StoredObject, Upload
from domain.ports.messages import (
    Appended,
    MessageLog,
    MessageMirror,
    MessageReader,
    MirrorEntry,
    StoredMessage,
)
from domain.ports.traces import TraceStore

__all__ = [
    "MAX_ADMINS",
    "MAX_CONTACT_ACCOUNTS",
    "MAX_IDENTITIES",
    "AccountFault",
    "AcknowledgingConnector",
    "Activity",
    "ActivityReader",
    "Admin",
    "AdminStore",
    "Appended",
    "Attachment",
    "CheckingConnector",
    "Connector",
    "ConnectorCapabilities",
    "ContactStore",
    "ConversationStore",
    "FileRecords",
    "FileStore",
    "HistoryConnector",
    "Identity",
    "IdentityStore",
    "Joined",
    "LogPosition",
    "MessageLog",
    "MessageMirror",
    "MessageReader",
    "MirrorEntry",
    "NewParticipant",
    "Part",
    "Polled",
    "PollingConnector",
    "ProfileConnector",
    "Receipt",
    "RefreshToken",
    "RefreshTokenStore",
    "StoredMessage",
    "StoredObject",
    "TraceStore",
    "TwoWayConnector",
    "Upload",
    "User",
    "UserStore",
    "WebhookProtocol",
]
