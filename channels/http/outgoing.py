"""The context of a call to a provider: the trace to which it belongs."""

from __future__ import annotations

from contextvars import ContextVar

# the W3C ``traceparent`` of the calls of this task; empty: none is sent
traceparent: ContextVar[str] = ContextVar("traceparent", default="")
