"""Tells pages at once whose telephone has changed: ``GET /events``, server-sent events."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

MOST_LISTENERS = 100
MOST_NAMED = 500  # people in one event; if more have changed, an event names nobody and means everybody
KEEP_ALIVE_SECONDS = 15.0
GATHER_SECONDS = 0.02  # changes of one moment are one event


class _Listener:
    def __init__(self) -> None:
        self.changed: set[str] = set()
        self.wake = asyncio.Event()

    def take(self) -> list[str]:
        """Return the people that changed since the last call; nobody: too many to name."""
        names = [] if len(self.changed) > MOST_NAMED else sorted(self.changed)
        self.changed.clear()
        self.wake.clear()
        return names


class Pulse:
    """One for the process."""

    def __init__(self) -> None:
        self._listeners: set[_Listener] = set()
        self._is_closed = False

    def beat(self, person_id: str) -> None:
        """Tell every page that this person's telephone has changed."""
        for listener in self._listeners:
            if len(listener.changed) <= MOST_NAMED:
                listener.changed.add(person_id)
            listener.wake.set()

    def close(self) -> None:
        """End all streams."""
        self._is_closed = True
        for listener in self._listeners:
            listener.wake.set()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """``GET /events``: ``data: {"changed": ["<person id>", …]}`` whenever telephones have changed."""
        if len(self._listeners) >= MOST_LISTENERS:
            return web.json_response({"error": "too many pages are open"}, status=503)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        await response.write(b"retry: 500\n\n")
        listener = _Listener()
        self._listeners.add(listener)
        try:
            while not self._is_closed:
                try:
                    async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                        await listener.wake.wait()
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                await asyncio.sleep(GATHER_SECONDS)
                await response.write(f"data: {json.dumps({'changed': listener.take()})}\n\n".encode())
        except ConnectionError:
            pass  # the page is closed
        finally:
            self._listeners.discard(listener)
        return response
