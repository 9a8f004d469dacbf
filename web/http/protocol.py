"""The HTTP protocol class: errors outside the application become problems with a request id, too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from web.http.app_keys import SETTINGS
from web.http.client_frames import ClientFrames
from web.http.middlewares import request_id_of
from web.http.problems import INTERNAL, Problem, problem_answer, problem_of_http

if TYPE_CHECKING:
    from aiohttp.http import WebSocketReader

log = logging.getLogger(__name__)

# Once an answer is out, the rest of a refused body is read and thrown away for this long, so that the client, still
# sending, gets to read the answer.
LINGERING_SECONDS = 5.0
KEEPALIVE_SECONDS = 75.0
BACKLOG = 1_024


class ProblemProtocol(web.RequestHandler):
    """``aiohttp``'s protocol with our errors."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer malformed HTTP (400) or an uncaught error (500), and close."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun; it cannot become another")
        request_id = request_id_of(request.headers)
        if status >= 500:
            log.error("an error outside the handlers", exc_info=exc, extra={"request_id": request_id})
            problem = INTERNAL
        else:
            log.debug("not HTTP: %s", exc, extra={"request_id": request_id})
            detail = "this is not a valid HTTP request"
            if isinstance(exc, LineTooLong):
                detail = f"the request line, or one of the headers, has more than {self.max_field_size} bytes"
            problem = Problem(HTTPStatus(status), "malformed-http", detail)
        response = problem_answer(problem, "", request_id)
        response.force_close()
        return response

    def set_parser(self, parser: WebSocketReader, data_received_cb: Callable[[], None] | None = None) -> None:
        """Called when the connection has become a WebSocket."""
        super().set_parser(cast("WebSocketReader", ClientFrames(parser)), data_received_cb)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Turn aiohttp's own errors outside the middlewares (an unknown ``Expect``) into problems."""
        if isinstance(resp, web.HTTPException):
            resp = problem_answer(problem_of_http(resp), request.rel_url.raw_path, request_id_of(request.headers))
        return await super().finish_response(request, resp, start_time)


async def listen(runner: web.AppRunner, host: str, port: int) -> asyncio.Server:
    """Accept connections for ``runner`` after its set-up. Several processes may listen on the same port."""
    server = runner.server
    if server is None:
        raise RuntimeError("set the runner up first")
    loop = asyncio.get_running_loop()
    settings = runner.app[SETTINGS]

    def protocol() -> ProblemProtocol:
        return ProblemProtocol(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # aiohttp itself passes None to have none
            auto_decompress=False,
            keepalive_timeout=KEEPALIVE_SECONDS,
            lingering_time=LINGERING_SECONDS,
            max_line_size=settings.max_header_bytes,
            max_field_size=settings.max_header_bytes,
            max_headers=settings.max_headers,
        )

    return await loop.create_server(protocol, host, port, reuse_port=True, reuse_address=True, backlog=BACKLOG)
