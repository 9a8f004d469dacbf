"""The composition root: settings and ports in, services out."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial

from aiohttp import web

from app.secret_file import checked, secret_of
from app.settings import Settings
from domain.login_attempts import LockoutPolicy
from domain.ports import (
    ActivityReader,
    ConversationStore,
    FileRecords,
    FileStore,
    IdentityStore,
    MessageLog,
    MessageReader,
    RefreshTokenStore,
    UserStore,
)
from domain.signed_links import link_key
from domain.token_bucket import Rate
from storage.bulk_threads import bulk_threads
from web.accounts.login_throttle import LoginThrottle
from web.accounts.passwords import Passwords
from web.accounts.sessions import Sessions
from web.accounts.tokens import Tokens
from web.conversations.existing_users import ExistingUsers
from web.conversations.listing import ConversationLists
from web.conversations.memberships import Memberships
from web.conversations.opener import ConversationOpener
from web.conversations.usernames import Usernames
from web.files.downloads import Downloads
from web.files.links import check_public_url
from web.files.registry import KnownFiles
from web.files.transfer_throttle import Throttle
from web.history.recent import RecentMessages
from web.history.service import MessageHistory
from web.history.tailer_port import Tailer
from web.http.client_address import ClientAddresses
from web.http.concurrency_limit import ConcurrencyLimit
from web.http.cors import CorsPolicy
from web.http.metrics import Metrics
from web.http.request_limits import RequestLimits
from web.live.log_reader import KafkaLogReader
from web.live.service import Live, OpenLog
from web.messages.attached_files import AttachedFiles
from web.messages.facts import StatusWriter
from web.messages.recipient_resolver import RecipientResolver
from web.messages.sending import Sending
from web.uploads.context import UploadContext
from web.uploads.part_writer import HASH_THREADS, PartSlots
from web.uploads.resumable import ResumableUploads


def wall_clock_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


# Returns if the dependency answers; raises ``domain.errors.Unavailable`` (or does not return in time) if it does not.
Probe = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Dependencies:
    """The settings and the ports; the services over them are built on first use."""

    settings: Settings
    log: MessageLog
    reader: MessageReader
    users: UserStore
    identities: IdentityStore
    refresh_tokens: RefreshTokenStore
    conversations: ConversationStore
    activity: ActivityReader
    files: FileRecords
    file_store: FileStore
    recent: RecentMessages
    tailer: Tailer
    probes: Mapping[str, Probe] = field(default_factory=dict)
    # opens the log for a replay; by default Kafka
    open_log: OpenLog | None = None
    clock_ms: Callable[[], int] = wall_clock_ms
    monotonic: Callable[[], float] = time.monotonic
    randomness: Callable[[int], bytes] = os.urandom

    @cached_property
    def memberships(self) -> Memberships:
        group_seconds = self.settings.group_membership_seconds
        return Memberships(self.conversations, self.clock_ms, self.monotonic, group_seconds=group_seconds)

    @cached_property
    def conversation_opener(self) -> ConversationOpener:
        return ConversationOpener(
            self.conversations, self.memberships, self.live.participants, self.clock_ms, self.monotonic
        )

    @cached_property
    def usernames(self) -> Usernames:
        return Usernames(self.users, self.monotonic)

    @cached_property
    def lists(self) -> ConversationLists:
        return ConversationLists(
            conversations=self.conversations,
            activity=self.activity,
            history=self.history,
            most_listed=self.settings.listed_conversations,
        )

    @cached_property
    def recipient_resolver(self) -> RecipientResolver:
        return RecipientResolver(
            users=self.users,
            identities=self.identities,
            conversations=self.conversations,
            memberships=self.memberships,
            conversation_opener=self.conversation_opener,
            participants=self.live.participants,
            history=self.history,
            monotonic=self.monotonic,
        )

    @cached_property
    def known_files(self) -> KnownFiles:
        return KnownFiles(self.files, self.memberships, self.monotonic)

    @cached_property
    def attached_files(self) -> AttachedFiles:
        return AttachedFiles(self.known_files, self.memberships)

    @cached_property
    def link_keys(self) -> list[bytes]:
        previous = self.settings.jwt_previous_secret
        return [link_key(secret) for secret in (secret_of(self.settings.jwt_secret), previous) if secret]

    @cached_property
    def upload_limit(self) -> ConcurrencyLimit:
        return ConcurrencyLimit("uploads", self.settings.uploads_at_once, self.settings.uploads_per_user)

    @cached_property
    def download_limit(self) -> ConcurrencyLimit:
        return ConcurrencyLimit("downloads", self.settings.downloads_at_once)

    @cached_property
    def transfer_throttle(self) -> Throttle:
        return Throttle(self.monotonic, self.settings.files_busy_share)

    @cached_property
    def downloads(self) -> Downloads:
        return Downloads(
            file_store=self.file_store,
            known_files=self.known_files,
            limit=self.download_limit,
            throttle=self.transfer_throttle,
            metrics=self.metrics,
            stall_seconds=self.settings.upload_stall_seconds,
        )

    @cached_property
    def existing_users(self) -> ExistingUsers:
        return ExistingUsers(self.users, self.usernames, self.memberships, self.conversation_opener)

    @cached_property
    def upload_threads(self) -> ThreadPoolExecutor:
        return bulk_threads(HASH_THREADS, "chat4all-hash")

    @cached_property
    def upload_context(self) -> UploadContext:
        return UploadContext(
            files=self.files,
            file_store=self.file_store,
            known_files=self.known_files,
            memberships=self.memberships,
            existing_users=self.existing_users,
            limit=self.upload_limit,
            throttle=self.transfer_throttle,
            part_slots=PartSlots(),
            threads=self.upload_threads,
            metrics=self.metrics,
            settings=self.settings,
            clock_ms=self.clock_ms,
            randomness=self.randomness,
        )

    @cached_property
    def resumable(self) -> ResumableUploads:
        return ResumableUploads(self.upload_context)

    @cached_property
    def history(self) -> MessageHistory:
        return MessageHistory(
            log=self.log,
            reader=self.reader,
            recent=self.recent,
            tailer=self.tailer,
            partitions=self.settings.partitions,
            clock_ms=self.clock_ms,
            monotonic=self.monotonic,
        )

    @cached_property
    def statuses(self) -> StatusWriter:
        return StatusWriter(self.log, self.history)

    @cached_property
    def sending(self) -> Sending:
        return Sending(
            log=self.log,
            history=self.history,
            recipient_resolver=self.recipient_resolver,
            attached_files=self.attached_files,
            metrics=self.metrics,
            clock_ms=self.clock_ms,
            randomness=self.randomness,
            timeout_seconds=self.settings.accept_timeout_seconds,
        )

    @cached_property
    def tokens(self) -> Tokens:
        return Tokens(
            secret_of(self.settings.jwt_secret),
            ttl_seconds=self.settings.jwt_ttl_seconds,
            clock_ms=self.clock_ms,
            previous_secret=checked(self.settings.jwt_previous_secret, "CHAT4ALL_JWT_PREVIOUS_SECRET"),
        )

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(
            self.refresh_tokens,
            ttl_seconds=self.settings.refresh_ttl_seconds,
            clock_ms=self.clock_ms,
            randomness=self.randomness,
        )

    @cached_property
    def client_addresses(self) -> ClientAddresses:
        return ClientAddresses(self.settings.trusted_proxies)

    @cached_property
    def request_limits(self) -> RequestLimits:
        return RequestLimits(self.settings, self.client_addresses, self.monotonic)

    @cached_property
    def cors(self) -> CorsPolicy:
        return CorsPolicy(self.settings.cors_origins)

    @cached_property
    def login_throttle(self) -> LoginThrottle:
        settings = self.settings
        return LoginThrottle(
            LockoutPolicy(settings.login_failures_per_account, settings.login_longest_wait_seconds),
            Rate(settings.login_failures_per_address_hour / 3600, settings.login_failures_per_address),
            clock=self.monotonic,
        )

    @cached_property
    def passwords(self) -> Passwords:
        return Passwords.from_settings(self.settings)

    @cached_property
    def metrics(self) -> Metrics:
        metrics = Metrics(self.settings.instance if self.settings.role == "api" else "")
        metrics.watch(
            "chat4all_password_hashes_waiting", "Passwords queued or being hashed.", lambda: self.passwords.waiting
        )
        metrics.watch(
            "chat4all_logins_throttled",
            "Logins refused because of wrong passwords before.",
            lambda: self.login_throttle.refused,
        )
        metrics.watch(
            "chat4all_requests_rate_limited",
            "Requests refused because a user or an address asks too often.",
            lambda: self.request_limits.refused,
        )
        metrics.watch(
            "chat4all_refresh_tokens_reused",
            "Sessions ended because a used refresh token came again.",
            lambda: self.sessions.reuses,
        )
        metrics.watch("chat4all_uploads_under_way", "Uploads being received.", lambda: self.upload_limit.under_way)
        metrics.watch(
            "chat4all_uploads_refused", "Uploads turned away for want of room.", lambda: self.upload_limit.refused
        )
        metrics.watch(
            "chat4all_transfers_bytes_per_second",
            "What files are held to, so that messages stay quick.",
            lambda: self.transfer_throttle.bytes_per_second,
        )
        metrics.watch("chat4all_downloads_under_way", "Downloads being sent.", lambda: self.download_limit.under_way)
        metrics.watch("chat4all_recent_messages", "Messages in the cache of recent ones.", lambda: len(self.recent))
        metrics.watch(
            "chat4all_follower_records_behind",
            "Records in Kafka that the API has yet to read.",
            self.tailer.records_behind,
        )
        return metrics

    @cached_property
    def live(self) -> Live:
        open_log = self.open_log or partial(KafkaLogReader.open, self.settings)
        return Live(
            self.settings,
            self.conversations,
            self.usernames,
            self.history,
            self.metrics,
            self.clock_ms,
            open_log,
            self.statuses,
        )

    def prepare(self) -> None:
        """Build the services with slow or failing set-up now (the secret's file, the stand-in hash for unknown
        users).
        """
        _ = self.tokens, self.client_addresses, self.login_throttle, self.passwords, self.metrics, self.memberships
        check_public_url(self.settings.public_url)
        _ = self.live, self.sending, self.request_limits, self.cors, self.known_files, self.link_keys, self.resumable


DEPENDENCIES = web.AppKey("dependencies", Dependencies)
