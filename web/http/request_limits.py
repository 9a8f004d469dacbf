"""How often a user, and an address, may ask one process."""

from __future__ import annotations

import math
from collections.abc import Callable

from aiohttp import web

from app.settings import InvalidSetting, Settings
from domain.token_bucket import Rate, Taken
from web.errors import RateLimited
from web.http.client_address import ClientAddresses
from web.http.rate_limits import RateLimiter
from web.http.route import route_of

# The bucket used for a request, for the headers of its response: the result of taking, and its size.
RATE_LIMIT = web.RequestKey("rate_limit", tuple[Taken, int])


class RequestLimits:
    """Takes rate-limit tokens for requests. ``refused``: the number of refused requests. With n processes a user has
    n buckets.
    """

    def __init__(self, settings: Settings, addresses: ClientAddresses, clock: Callable[[], float]) -> None:
        self.refused = 0
        self._client_addresses = addresses
        self._users = RateLimiter(
            _rate("RATE_LIMIT_USER", settings.rate_limit_user_per_second, settings.rate_limit_user_burst), clock=clock
        )
        self._addresses = RateLimiter(
            _rate("RATE_LIMIT_ADDRESS", settings.rate_limit_address_per_second, settings.rate_limit_address_burst),
            clock=clock,
        )
        self._webhooks = RateLimiter(
            _rate("RATE_LIMIT_WEBHOOKS", settings.rate_limit_webhooks_per_second, settings.rate_limit_webhooks_burst),
            clock=clock,
        )
        self.limits_addresses = self._addresses.rate.is_limited

    def take_for_address(self, request: web.Request) -> None:
        """Take a token for the client's address, except on routes for monitoring. Raises ``RateLimited``."""
        route = route_of(request)
        if route is None or route.is_address_limited:
            self._take(self._addresses, request, self._client_addresses.of(request), 1, "your address")

    def take_for_webhook(self, request: web.Request) -> None:
        """Take a token for a provider's request, by the client's address. Raises ``RateLimited``."""
        self._take(self._webhooks, request, self._client_addresses.of(request), 1, "your address")

    def take_for_user(self, request: web.Request, user_id: str) -> None:
        """Count ``request`` for the user. Raises ``RateLimited``."""
        self._take(self._users, request, user_id, 1, "you")

    def take_more_for_user(self, request: web.Request, user_id: str, more: int) -> None:
        """Take ``more`` tokens for a request beyond its first: a batch counts its messages, and a message to several
        counts its recipients, because each costs the system as much as a message to one.

        A request for more than the bucket holds passes if the bucket is full; otherwise it never could. Raises
        ``RateLimited``.
        """
        self._take(self._users, request, user_id, min(more, self._users.rate.burst - 1), "you")

    def _take(self, limiter: RateLimiter, request: web.Request, key: str, tokens: int, who: str) -> None:
        burst = limiter.rate.burst
        taken = limiter.take(key, tokens)
        if taken is None:
            return
        if taken.allowed:
            request[RATE_LIMIT] = (taken, burst)
            return
        self.refused += 1
        wait = max(1, math.ceil(taken.retry_after_seconds))
        detail = f"too many requests from {who}: {limiter.rate.per_second:g} a second; try again in {wait} s"
        raise RateLimited(detail, burst, taken.remaining, wait, math.ceil(taken.reset_seconds))


def _rate(name: str, per_second: float, burst: int) -> Rate:
    try:
        return Rate(per_second, burst)
    except ValueError as error:
        raise InvalidSetting(f"CHAT4ALL_{name}_PER_SECOND or _BURST: {error}") from None
