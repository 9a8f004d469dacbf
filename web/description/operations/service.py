"""Health, metrics and the description itself."""

from __future__ import annotations

from collections.abc import Mapping

from web.contract import health_responses as health
from web.description.operations.operation import ANY_JSON, HTML, OPERATIONS_TAG, PAGE_PART, TEXT, Operation

READINESS = Operation(
    OPERATIONS_TAG,
    "Readiness",
    {200: health.Readiness, 503: health.Readiness},
    is_local=True,
    description="503 while a required dependency is down.",
)

METRICS = Operation(OPERATIONS_TAG, "Prometheus metrics of this process", {200: TEXT}, is_local=True)
OPERATIONS: Mapping[str, Operation] = {
    "GET /health": Operation(OPERATIONS_TAG, "Liveness", {200: health.Liveness}, is_local=True),
    "GET /health/ready": READINESS,
    "GET /actuator/health": READINESS,
    "GET /metrics": METRICS,
    "GET /actuator/prometheus": METRICS,
    "GET /openapi.json": Operation(
        OPERATIONS_TAG, "This description, as OpenAPI 3.1", {200: ANY_JSON}, (429,), is_local=True
    ),
    "GET /": Operation(OPERATIONS_TAG, "Console: a page for people", {200: HTML, 304: None}, (429,), is_local=True),
    "GET /console/{name}": Operation(
        OPERATIONS_TAG, "File of the console", {200: PAGE_PART, 304: None}, (404, 429), is_local=True
    ),
    "GET /docs": Operation(OPERATIONS_TAG, "API documentation page", {200: HTML}, (429,), is_local=True),
}
