"""Health and metrics, for operators."""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter
from typing import Any

from aiohttp import web

from domain.errors import Unavailable
from web.http.app_keys import METRICS, PROBES, SIBLINGS, Probe
from web.http.responses import json_response

log = logging.getLogger(__name__)

PROBE_SECONDS = 2.0


async def show_liveness(request: web.Request) -> web.Response:
    """``GET /health``: this process answers. It says nothing of Kafka or Cassandra: restarting cures neither."""
    return json_response({"status": "UP"})


async def show_readiness(request: web.Request) -> web.Response:
    """``GET /health/ready``: 200 if every component answers within ``PROBE_SECONDS``, else 503."""
    probes = request.app[PROBES]
    results = await asyncio.gather(*(_component(name, probe) for name, probe in probes.items()))
    components = dict(zip(probes, results, strict=True))
    is_up = all(component["status"] == "UP" for component in results)
    headers = {"Cache-Control": "no-store"} if is_up else {"Cache-Control": "no-store", "Retry-After": "2"}
    document = {"status": "UP" if is_up else "DOWN", "components": components}
    return json_response(document, 200 if is_up else 503, headers)


async def show_metrics(request: web.Request) -> web.Response:
    """``GET /metrics``: Prometheus text of this process and of those that share its port."""
    _, headers = request.app[METRICS].rendered()
    return web.Response(body=await request.app[SIBLINGS].text(), headers=headers)


async def _component(name: str, probe: Probe) -> dict[str, Any]:
    started = perf_counter()
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await probe()
        status = "UP"
    except (Unavailable, TimeoutError, OSError) as error:
        log.warning("%s is down: %s", name, error or "no answer in time")
        status = "DOWN"
    return {"status": status, "latency_ms": round((perf_counter() - started) * 1000, 1)}
