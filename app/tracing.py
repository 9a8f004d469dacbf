"""Traces by OpenTelemetry: one trace a message, from the request through Kafka and the channel to the receipts.

Off by default: then ``tracing_of`` returns ``None``, OpenTelemetry's SDK is not imported, and each place asks only
whether there is a tracer. The W3C ``traceparent`` of a message is a header of its records, and of its row in the queue
and its outcome on record. Batches have spans of their own, linked with the messages in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import time_ns
from typing import TYPE_CHECKING, Any

from app.settings import InvalidSetting, Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span
    from opentelemetry.sdk.trace.export import SpanExporter

TRACEPARENT = "traceparent"
MOST_LINKS = 128  # of a span, as OpenTelemetry's default
WAITING_SPANS = 4_096  # for the exporter; more are dropped, so a slow collector slows nothing
EXPORT_SECONDS = 5.0

Attributes = Mapping[str, str | int | float | bool]
Headers = Iterable[tuple[str, bytes]]


def tracing_of(settings: Settings, role: str) -> Tracing | None:
    """Return the tracer of this process, ``None`` if the settings name no collector.

    Raises ``InvalidSetting`` if OpenTelemetry is not installed.
    """
    if not settings.otlp_url:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise InvalidSetting("CHAT4ALL_OTLP_URL needs OpenTelemetry: pip install '.[otel]'") from None
    exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_url.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
    return Tracing(exporter, role, settings.instance, settings.trace_share)


class Tracing:
    """Makes spans and hands them to ``exporter``, in the background. ``share``: of the traces begun here, 0 to 1.

    The sampled flag of an incoming ``traceparent`` decides whether its trace is kept. ``at_once``: export each
    span when it ends.
    """

    def __init__(
        self, exporter: SpanExporter, role: str, instance: str = "", share: float = 1.0, *, at_once: bool = False
    ) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
        from opentelemetry.trace import SpanKind

        self.kinds = SpanKind
        about = {"service.name": f"chat4all-{role}", "service.instance.id": instance or role}
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(share)), resource=Resource.create(about), shutdown_on_exit=False
        )
        self._provider.add_span_processor(
            SimpleSpanProcessor(exporter)
            if at_once
            else BatchSpanProcessor(exporter, max_queue_size=WAITING_SPANS, export_timeout_millis=EXPORT_SECONDS * 1000)
        )
        self._tracer = self._provider.get_tracer("chat4all")

    def start(
        self,
        name: str,
        kind: str,
        parent: str = "",
        *,
        links: Iterable[str] = (),
        began_ns: int | None = None,
        about: Attributes | None = None,
    ) -> Span:
        """Return a span that has begun. ``kind``: a name of ``SpanKind``. ``parent``, ``links``: values of
        ``traceparent``; what is none of them is passed over.
        """
        from opentelemetry.context import Context
        from opentelemetry.trace import Link, NonRecordingSpan, set_span_in_context

        known = _context(parent)
        span: Any = self._tracer.start_span(
            name,
            context=Context() if known is None else set_span_in_context(NonRecordingSpan(known), Context()),
            kind=self.kinds[kind],
            links=[Link(found) for link in links if (found := _context(link)) is not None][:MOST_LINKS],
            start_time=began_ns,
            attributes=dict(about or {}),
        )
        return span  # type: ignore[no-any-return]

    @contextmanager
    def span(self, name: str, kind: str, parent: str = "", about: Attributes | None = None) -> Iterator[Span]:
        """Span the work of the ``with`` statement; an error that leaves it is noted."""
        made = self.start(name, kind, parent, about=about)
        try:
            yield made
        except BaseException as error:
            failed(made, repr(error)[:200])
            raise
        finally:
            made.end()

    def batch(self, agent: str, records: Sequence[Any], began_ns: int) -> None:
        """Span a batch whose effects are durable now, and each record in it that belongs to a trace."""
        ends_ns = time_ns()
        parents = [parent for record in records if (parent := traceparent_in(record.headers))]
        if not parents:
            return
        about: Attributes = {"messaging.system": "kafka", "messaging.batch.message_count": len(records)}
        whole = self.start(f"{agent} batch", "CONSUMER", links=parents, began_ns=began_ns, about=about)
        link = traceparent_of(whole)
        for record in records:
            if parent := traceparent_in(record.headers):
                place: Attributes = {
                    "messaging.destination.name": record.topic,
                    "messaging.destination.partition.id": str(record.partition),
                    "messaging.kafka.offset": record.offset,
                }
                self.start(agent, "CONSUMER", parent, links=(link,), began_ns=began_ns, about=place).end(ends_ns)
        whole.end(ends_ns)

    def own_trace(self, headers: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the headers of one message of a request with several: it begins a trace, with a link to theirs."""
        links = (headers.get(TRACEPARENT, b"").decode("latin-1"),)
        span = self.start("accept", "PRODUCER", links=links)
        span.end()
        return {**headers, TRACEPARENT: traceparent_of(span).encode()}

    def close(self) -> None:
        """Export the waiting spans, for a bounded time."""
        self._provider.shutdown()


def traceparent_of(span: Span) -> str:
    """Return the W3C ``traceparent`` of a span."""
    found: Any = span.get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"


def failed(span: Span, reason: str) -> None:
    """Mark a span as failed."""
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.ERROR, reason))


def traceparent_in(headers: Headers | None) -> str:
    """Return the ``traceparent`` of a record's headers, empty if there is none."""
    for name, value in headers or ():
        if name == TRACEPARENT and value is not None:
            return value.decode("latin-1")
    return ""


def trace_headers(headers: Headers | None) -> tuple[tuple[str, bytes], ...]:
    """Return the trace headers for the records made from a record."""
    parent = traceparent_in(headers)
    return ((TRACEPARENT, parent.encode("latin-1")),) if parent else ()


def _context(traceparent: str) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    try:
        _, trace, span, flags = traceparent.split("-")[:4]
        found = SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    except ValueError:
        return None
    return found if found.is_valid else None
