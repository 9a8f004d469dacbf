"""A proxy that plays outages of the server behind it."""

from __future__ import annotations

import asyncio


class Proxy:
    """Passes bytes between 127.0.0.1:``port`` and a server: to play refused connections, or a server that stalls."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._bytes_left: int | None = None
        self.port = 0

    @property
    def connections(self) -> int:
        """Return the number of open connections."""
        return len(self._pipes) // 2

    async def on(self) -> None:
        """Listen, always on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def off(self) -> None:
        """Refuse connections, and cut those there are."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    def cut(self) -> None:
        """Cut the connections there are; take new ones."""
        for pipe in self._pipes:
            pipe.cancel()

    def stall(self) -> None:
        """Keep connections open and accept more, but pass nothing on."""
        self._flows.clear()

    def stall_after(self, size_bytes: int) -> None:
        """Stall when so many bytes have come from now on, both ways together."""
        self._bytes_left = size_bytes

    @property
    def is_stalled(self) -> bool:
        return not self._flows.is_set()

    def resume(self) -> None:
        """Pass on again."""
        self._bytes_left = None
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        for source, sink in ((reader, upstream[1]), (upstream[0], writer)):
            pipe = asyncio.create_task(self._pipe(source, sink))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    def _count(self, size_bytes: int) -> None:
        if self._bytes_left is not None:
            self._bytes_left -= size_bytes
            if self._bytes_left < 0:
                self.stall()

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(65_536):
                self._count(len(chunk))
                await self._flows.wait()
                sink.write(chunk)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()
