"""Builds the services that read and write topics of their own: webhooks, dead letters, accounts of channels."""

from __future__ import annotations

from app.accounts import account_secret, load_accounts
from app.kafka.topics import Topics
from web.admin.channels import Channels
from web.admin.dead_letters import DeadLetters
from web.bootstrap.adapters import Adapters
from web.webhooks.service import Webhooks


def dead_letters_of(adapters: Adapters) -> DeadLetters:
    """Return the dead letters of the system, for operators."""
    settings = adapters.settings
    return DeadLetters(
        log=adapters.record_log,
        topics=Topics(settings.topic_prefix),
        partitions=settings.partitions,
        outcome_ms=int(settings.state_retention_hours * 3_600_000),
        clock_ms=adapters.clock_ms,
    )


def channels_of(adapters: Adapters) -> Channels:
    """Return the accounts of the channels, for operators."""
    settings = adapters.settings
    return Channels(
        log=adapters.record_log,
        topics=Topics(settings.topic_prefix),
        partitions=settings.partitions,
        accounts=load_accounts(settings),
        clock_ms=adapters.clock_ms,
    )


def webhooks_of(adapters: Adapters) -> Webhooks:
    """Return the receiver of the providers' webhooks."""
    settings = adapters.settings
    return Webhooks(
        log=adapters.record_log,
        topics=Topics(settings.topic_prefix),
        partitions=settings.partitions,
        protocols=adapters.webhook_protocols,
        accounts=load_accounts(settings),
        secret_of=account_secret,
        clock_ms=adapters.clock_ms,
        tracing=adapters.tracing,
    )
