"""Give the handlers their services, by typed keys."""

from __future__ import annotations

from aiohttp import web

from web.accounts.identities import IDENTITIES
from web.accounts.roles import ROLES
from web.accounts.service import ACCOUNTS
from web.accounts.tokens import TOKENS
from web.admin.channels import ADMIN_CHANNELS
from web.admin.dead_letters import DEAD_LETTERS
from web.bootstrap.services import Services
from web.conversations.groups import GROUPS
from web.conversations.service import CONVERSATIONS
from web.conversations.usernames import USERNAMES
from web.files.service import FILES
from web.flow.service import FLOW
from web.history.service import HISTORY
from web.http.app_keys import (
    CLIENT_ADDRESSES,
    CLOCK_MS,
    CORS,
    METRICS,
    ON_MESSAGE_REQUEST,
    PROBES,
    REQUEST_LIMITS,
    SETTINGS,
    SIBLINGS,
    TRACING,
)
from web.http.siblings import Siblings
from web.live.service import LIVE
from web.messages.contacts import ADDRESS_BOOK
from web.messages.facts import STATUSES
from web.messages.past import PAST_MESSAGES
from web.messages.read_marks import READ_MARKS
from web.messages.sending import SENDING
from web.messages.traces import TRACES
from web.uploads.service import UPLOADS
from web.webhooks.service import WEBHOOKS


def install(app: web.Application, services: Services) -> None:
    """Give the handlers their services. This is all of an application that they can reach."""
    app[SETTINGS], app[METRICS], app[CORS] = services.settings, services.metrics, services.cors
    metrics, port = services.metrics, services.settings.port
    app[TRACING] = services.adapters.tracing
    app[SIBLINGS] = Siblings(port, metrics.process, lambda: metrics.rendered()[0])
    app[REQUEST_LIMITS], app[CLIENT_ADDRESSES] = services.request_limits, services.client_addresses
    app[ON_MESSAGE_REQUEST] = services.transfer_throttle.message_accepted
    app[CLOCK_MS], app[PROBES] = services.adapters.clock_ms, services.adapters.probes
    app[HISTORY], app[TRACES] = services.history, services.traces
    app[PAST_MESSAGES] = services.past_messages
    app[TOKENS], app[ACCOUNTS], app[IDENTITIES] = services.tokens, services.accounts, services.identities
    app[ROLES] = services.roles
    app[USERNAMES], app[CONVERSATIONS], app[GROUPS] = services.usernames, services.conversations, services.groups
    app[FILES], app[UPLOADS] = services.files, services.uploads
    app[SENDING], app[STATUSES] = services.sending, services.statuses
    app[READ_MARKS], app[ADDRESS_BOOK] = services.read_marks, services.address_book
    app[LIVE], app[WEBHOOKS] = services.live, services.webhooks
    app[DEAD_LETTERS], app[ADMIN_CHANNELS] = services.dead_letters, services.channels
    app[FLOW] = services.flow
