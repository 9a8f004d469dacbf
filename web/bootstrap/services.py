"""Every service of one process, built from its adapters."""

from __future__ import annotations

from functools import partial

from app.accounts import account_names, load_accounts
from app.kafka.topics import Topics
from app.secret_file import checked, secret_of
from domain.login_attempts import LockoutPolicy
from domain.signed_links import link_key
from domain.token_bucket import Rate
from storage.bulk_threads import bulk_threads
from web.accounts.identities import LinkedIdentities
from web.accounts.login_throttle import LoginThrottle
from web.accounts.passwords import Passwords
from web.accounts.roles import Roles
from web.accounts.service import Accounts
from web.accounts.sessions import Sessions
from web.accounts.tokens import Tokens
from web.bootstrap.adapters import Adapters
from web.bootstrap.edges import channels_of, dead_letters_of, webhooks_of
from web.conversations.announced import AnnouncedMembers
from web.conversations.existing_users import ExistingUsers
from web.conversations.groups import Groups
from web.conversations.listing import ConversationLists
from web.conversations.memberships import Memberships
from web.conversations.opener import ConversationOpener
from web.conversations.participants import Participants
from web.conversations.service import Conversations
from web.conversations.usernames import Usernames
from web.files.downloads import Downloads
from web.files.links import check_public_url
from web.files.registry import KnownFiles
from web.files.service import Files
from web.files.transfer_throttle import Throttle
from web.flow.lag import KafkaLag
from web.flow.ledger import read_balance
from web.flow.recorder import FlowRecorder
from web.flow.service import FlowService
from web.history.service import MessageHistory
from web.http.client_address import ClientAddresses
from web.http.concurrency_limit import ConcurrencyLimit
from web.http.cors import CorsPolicy
from web.http.metrics import Metrics
from web.http.request_limits import RequestLimits
from web.live.log_reader import KafkaLogReader
from web.live.service import Live
from web.messages.attached_files import AttachedFiles
from web.messages.contacts import AddressBook
from web.messages.facts import StatusWriter
from web.messages.past import PastMessages
from web.messages.read_marks import ReadMarks
from web.messages.recipient_resolver import RecipientResolver
from web.messages.sending import Sending
from web.messages.targets import MessageTargets
from web.messages.traces import MessageTraces
from web.uploads.context import UploadContext
from web.uploads.part_writer import HASH_THREADS, PartSlots
from web.uploads.service import Uploads


class Services:
    """Every service of one process, each built once, from the lowest room to the highest.

    Raises ``InvalidSetting`` for a setting that a service refuses.
    """

    def __init__(self, adapters: Adapters) -> None:
        self.adapters = adapters
        self.settings = adapters.settings
        self._build_http()
        self._build_history()
        self._build_accounts()
        self._build_conversations()
        self._build_files()
        self._build_uploads()
        self._build_messages()
        self._build_live()
        self.dead_letters = dead_letters_of(adapters)
        self.channels = channels_of(adapters)
        self._build_flow()
        self.webhooks = webhooks_of(adapters)

    def _build_http(self) -> None:
        settings = self.settings
        check_public_url(settings.public_url)
        self.metrics = Metrics(settings.instance if settings.role == "api" else "")
        self.client_addresses = ClientAddresses(settings.trusted_proxies)
        self.request_limits = RequestLimits(settings, self.client_addresses, self.adapters.monotonic)
        self.cors = CorsPolicy(settings.cors_origins)

    def _build_history(self) -> None:
        adapters = self.adapters
        self.history = MessageHistory(
            log=adapters.log,
            reader=adapters.reader,
            recent=adapters.recent,
            tailer=adapters.tailer,
            partitions=self.settings.partitions,
            clock_ms=adapters.clock_ms,
            monotonic=adapters.monotonic,
        )

    def _build_accounts(self) -> None:
        adapters, settings = self.adapters, self.settings
        self.tokens = Tokens(
            secret_of(settings.jwt_secret),
            ttl_seconds=settings.jwt_ttl_seconds,
            clock_ms=adapters.clock_ms,
            previous_secret=checked(settings.jwt_previous_secret, "CHAT4ALL_JWT_PREVIOUS_SECRET"),
        )
        self.roles = Roles(adapters.admins, adapters.monotonic)
        self.sessions = Sessions(
            adapters.refresh_tokens,
            ttl_seconds=settings.refresh_ttl_seconds,
            clock_ms=adapters.clock_ms,
            randomness=adapters.randomness,
        )
        self.login_throttle = LoginThrottle(
            LockoutPolicy(settings.login_failures_per_account, settings.login_longest_wait_seconds),
            Rate(settings.login_failures_per_address_hour / 3600, settings.login_failures_per_address),
            clock=adapters.monotonic,
        )
        self.passwords = Passwords.from_settings(settings)
        self.accounts = Accounts(
            users=adapters.users,
            passwords=self.passwords,
            login_throttle=self.login_throttle,
            sessions=self.sessions,
            tokens=self.tokens,
            clock_ms=adapters.clock_ms,
            randomness=adapters.randomness,
        )

    def _build_conversations(self) -> None:
        adapters, settings = self.adapters, self.settings
        store, clock_ms, randomness = adapters.conversations, adapters.clock_ms, adapters.randomness
        self.usernames = Usernames(adapters.users, adapters.monotonic)
        self.announced = AnnouncedMembers(self.usernames.ids_of)
        self.participants = Participants(store, settings.live_membership_seconds, announced=self.announced)
        self.memberships = Memberships(
            store,
            clock_ms,
            adapters.monotonic,
            group_seconds=settings.group_membership_seconds,
            outage_seconds=settings.group_outage_seconds,
            announced=self.announced,
        )
        self.conversation_opener = ConversationOpener(
            store, self.memberships, self.participants, clock_ms, adapters.monotonic
        )
        self.existing_users = ExistingUsers(adapters.users, self.usernames, self.memberships, self.conversation_opener)
        self.lists = ConversationLists(
            conversations=store,
            activity=adapters.activity,
            history=self.history,
            announced=self.announced,
            most_listed=settings.listed_conversations,
        )
        self.conversations = Conversations(
            store=store,
            lists=self.lists,
            history=self.history,
            usernames=self.usernames,
            existing_users=self.existing_users,
            memberships=self.memberships,
            clock_ms=clock_ms,
            randomness=randomness,
        )
        self.groups = Groups(
            store=store,
            usernames=self.usernames,
            existing_users=self.existing_users,
            participants=self.participants,
            memberships=self.memberships,
            clock_ms=clock_ms,
            randomness=randomness,
        )

    def _build_files(self) -> None:
        adapters, settings = self.adapters, self.settings
        self.download_limit = ConcurrencyLimit("downloads", settings.downloads_at_once)
        self.transfer_throttle = Throttle(adapters.monotonic, settings.files_busy_share)
        self.known_files = KnownFiles(adapters.files, self.memberships, adapters.monotonic)
        self.downloads = Downloads(
            file_store=adapters.file_store,
            known_files=self.known_files,
            limit=self.download_limit,
            throttle=self.transfer_throttle,
            metrics=self.metrics,
            stall_seconds=settings.upload_stall_seconds,
        )
        secrets = (secret_of(settings.jwt_secret), settings.jwt_previous_secret)
        self.files = Files(
            records=adapters.files,
            store=adapters.file_store,
            known_files=self.known_files,
            downloads=self.downloads,
            conversations=adapters.conversations,
            link_keys=[link_key(secret) for secret in secrets if secret],
            link_seconds=settings.files_link_seconds,
            clock_ms=adapters.clock_ms,
        )

    def _build_uploads(self) -> None:
        adapters, settings = self.adapters, self.settings
        self.upload_limit = ConcurrencyLimit("uploads", settings.uploads_at_once, settings.uploads_per_user)
        self.upload_threads = bulk_threads(HASH_THREADS, "chat4all-hash")
        self.upload_context = UploadContext(
            files=adapters.files,
            file_store=adapters.file_store,
            known_files=self.known_files,
            memberships=self.memberships,
            existing_users=self.existing_users,
            limit=self.upload_limit,
            throttle=self.transfer_throttle,
            part_slots=PartSlots(),
            threads=self.upload_threads,
            metrics=self.metrics,
            settings=settings,
            clock_ms=adapters.clock_ms,
            randomness=adapters.randomness,
        )
        self.uploads = Uploads(self.upload_context)

    def _build_messages(self) -> None:
        adapters = self.adapters
        self.statuses = StatusWriter(adapters.log, self.history)
        topics = Topics(self.settings.topic_prefix)
        self.traces = MessageTraces(adapters.traces, adapters.record_log, topics, self.settings.partitions)
        self.past_messages = PastMessages(
            adapters.reader,
            adapters.record_log,
            adapters.tailer.mirrored,
            topics.status_updates,
            self.settings.partitions,
        )
        self.read_marks = ReadMarks(adapters.record_log, topics, self.settings.partitions)
        self.address_book = AddressBook(
            adapters.contacts,
            adapters.recent.inbound,
            load_accounts(self.settings),
            self.metrics,
            adapters.clock_ms,
            adapters.monotonic,
        )
        self.recipient_resolver = RecipientResolver(
            users=adapters.users,
            identities=adapters.identities,
            conversations=adapters.conversations,
            memberships=self.memberships,
            conversation_opener=self.conversation_opener,
            participants=self.participants,
            history=self.history,
            address_book=self.address_book,
            accounts=account_names(self.settings),
            monotonic=adapters.monotonic,
        )
        self.identities = LinkedIdentities(adapters.identities, adapters.clock_ms, self.recipient_resolver.forget)
        self.sending = Sending(
            log=adapters.log,
            history=self.history,
            recipient_resolver=self.recipient_resolver,
            attached_files=AttachedFiles(self.known_files, self.memberships),
            targets=MessageTargets(self.history, self.memberships),
            metrics=self.metrics,
            clock_ms=adapters.clock_ms,
            randomness=adapters.randomness,
            timeout_seconds=self.settings.accept_timeout_seconds,
            tracing=adapters.tracing,
        )

    def _build_live(self) -> None:
        self.live = Live(
            settings=self.settings,
            participants=self.participants,
            usernames=self.usernames,
            history=self.history,
            metrics=self.metrics,
            statuses=self.statuses,
            known_files=self.known_files,
            open_log=self.adapters.open_log or partial(KafkaLogReader.open, self.settings),
            clock_ms=self.adapters.clock_ms,
            on_written=self.memberships.wrote,
        )

    def _build_flow(self) -> None:
        adapters = self.adapters
        self.flow = FlowService(
            recorder=FlowRecorder(self.live.hub, adapters.clock_ms),
            lag=adapters.lag or KafkaLag(self.settings),
            balance=partial(read_balance, self.settings.ledger_url),
            clock_ms=adapters.clock_ms,
            monotonic=adapters.monotonic,
        )
