"""Single requests to an S3 through miniopy-async: signed, bounded in time, retried where useful, errors mapped.

Of the library we use its client's one request (``_execute``: address, signature, errors as values) and its signer.
Its ``put_object`` holds the whole object in memory, and its sessions wait for 5 minutes
(docs/adr/0060-files-in-a-store.md).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from xml.etree import ElementTree

import aiohttp
from miniopy_async.error import InvalidResponseError, MinioException, S3Error, ServerError

from domain.errors import FileStoreUnavailable
from storage.bulk_threads import bulk_threads
from storage.s3_client import Body, SigningClient
from storage.s3_config import S3Config

log = logging.getLogger(__name__)
T = TypeVar("T")

_PAUSES_SECONDS = (0.1, 0.4, 1.2)  # before the second, third and fourth attempt; half of it is random
_PASSING = frozenset({"InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown"})
_GATEWAY_LOST = frozenset({502, 504})  # the server behind the gateway may have carried the request out
_HASH_THREADS = 2
_READ_BUFFER_BYTES = 256 * 1024  # of a connection; aiohttp stops reading at twice that


class ErrorResponse(Exception):
    """The store answered with an error. ``code``: S3's word for it, or "HTTP <status>"."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


class _Lost(Exception):
    """There was no answer. ``may_have_arrived``: the store may have carried the request out."""

    def __init__(self, reason: str, may_have_arrived: bool) -> None:
        super().__init__(reason)
        self.may_have_arrived = may_have_arrived


class Answer(NamedTuple):
    """``root``: the XML of the body, if it was any."""

    headers: Mapping[str, str]
    root: ElementTree.Element | None


@dataclass(frozen=True, slots=True)
class Request:
    """``key`` is empty for one about the bucket. ``repeatable``: doing it twice is as good as once."""

    method: str
    key: str = ""
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    body: bytes | None = None
    repeatable: bool = True


class S3Calls:
    """Requests to one bucket, created at its first use. ``connections`` bounds concurrent requests."""

    def __init__(self, config: S3Config, connections: int) -> None:
        self._config = config
        self._connections = connections
        self._client: SigningClient | None = None
        self._threads: Executor | None = None
        self._making_bucket = asyncio.Lock()

    async def call(self, request: Request, expected: Collection[str] = (), seconds: float | None = None) -> Answer:
        """Return the answer. Raises ``ErrorResponse`` for the ``expected`` codes, ``FileStoreUnavailable`` for any
        other error, and without an answer within ``seconds`` (default: the setting).
        """

        async def attempt() -> Answer:
            response = await self._send(request)
            async with response:
                body = await response.read()
            root = _parsed(body)
            if root is not None and _local_name(root) == "Error":  # which S3 may say with status 200
                raise ErrorResponse(text_of(root, "Code"), response.status)
            return Answer(response.headers, root)

        return await self._until_it_works(attempt, request, expected, seconds)

    async def open(self, request: Request, expected: Collection[str] = ()) -> aiohttp.ClientResponse:
        """Return the answer with its body still to be read. Raises as ``call``."""

        async def attempt() -> aiohttp.ClientResponse:
            return await self._send(request)

        return await self._until_it_works(attempt, request, expected, None)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close_session()  # type: ignore[no-untyped-call]
        if self._threads is not None:
            self._threads.shutdown(wait=False)

    async def _until_it_works(
        self, attempt: Callable[[], Awaitable[T]], request: Request, expected: Collection[str], seconds: float | None
    ) -> T:
        pauses = iter(_PAUSES_SECONDS)
        try:
            async with asyncio.timeout(seconds or self._config.timeout_seconds):
                while True:
                    try:
                        return await attempt()
                    except ErrorResponse as error:
                        if error.code in expected:
                            raise
                        if error.code == "NoSuchBucket" and request.method != "HEAD":
                            await self._make_bucket()
                        elif not _may_pass(error) or (error.status in _GATEWAY_LOST and not request.repeatable):
                            raise self._away(f"answers {error.code}") from error
                        reason = f"answers {error.code}"
                    except _Lost as error:
                        reason = str(error)
                        if error.may_have_arrived and not request.repeatable:
                            raise self._away(reason) from error
                    pause = next(pauses, None)
                    if pause is None:
                        raise self._away(reason)
                    await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        except TimeoutError as error:
            raise self._away("does not answer in time") from error

    async def _send(self, request: Request) -> aiohttp.ClientResponse:
        """Raises ``ErrorResponse``, ``_Lost``, ``TimeoutError``."""
        try:
            body: Any = None if request.body is None else Body(request.body)
            response: aiohttp.ClientResponse = await self._opened()._execute(
                request.method,
                self._config.bucket,
                request.key or None,
                body=body,
                headers=dict(request.headers or {}),
                query_params=dict(request.query or {}),
            )
            return response
        except S3Error as error:
            raise ErrorResponse(error.code or "an error without a code", error.response.status) from error
        except (InvalidResponseError, ServerError) as error:
            status = error._code if isinstance(error, InvalidResponseError) else error.status_code
            raise ErrorResponse(f"HTTP {status}", status) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _Lost("cannot be reached", may_have_arrived=False) from error
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise _Lost("broke the connection", may_have_arrived=True) from error
        except (MinioException, ElementTree.ParseError, UnicodeDecodeError) as error:
            raise ErrorResponse(f"something that is not S3 ({type(error).__name__})", 500) from error

    async def _make_bucket(self) -> None:
        config = self._config
        async with self._making_bucket:
            elsewhere = config.region != "us-east-1"  # where it must not be named
            body = f"<CreateBucketConfiguration><LocationConstraint>{config.region}</LocationConstraint>" * elsewhere
            body += "</CreateBucketConfiguration>" * elsewhere
            try:
                response = await self._send(Request("PUT", body=body.encode()))
                response.release()
                log.info("made the bucket %s", config.bucket)
            except ErrorResponse as error:
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):  # another process was first
                    raise self._away(f"has no bucket {config.bucket}, and answers {error.code} to making it") from error

    def _away(self, reason: str) -> FileStoreUnavailable:
        log.warning("the store of files at %s %s", self._config.url, reason)
        return FileStoreUnavailable(f"the store of files {reason}")

    def _opened(self) -> SigningClient:
        if self._client is None:  # a session needs the running loop
            seconds = self._config.timeout_seconds
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                timeout=aiohttp.ClientTimeout(total=None, connect=seconds, sock_read=seconds),
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
                read_bufsize=_READ_BUFFER_BYTES,
            )
            self._client = SigningClient(
                self._config.endpoint,
                self._config.access_key,
                self._config.secret_key,
                secure=self._config.is_secure,
                region=self._config.region,
                session=session,
            )
            self._threads = bulk_threads(_HASH_THREADS, "chat4all-sign")
            self._client.hash_in(self._threads)
        return self._client


def _may_pass(error: ErrorResponse) -> bool:
    is_full = error.status == 507 or error.code == "XMinioStorageFull"
    made_bucket = error.code == "NoSuchBucket"
    return made_bucket or error.code in _PASSING or (error.status >= 500 and error.status != 501 and not is_full)


def _parsed(body: bytes) -> ElementTree.Element | None:
    text = body.strip()  # S3 sends white space while it works on a long answer
    if not text.startswith(b"<"):
        return None
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ErrorResponse("something that is not XML", 500) from error


def _local_name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def text_of(element: ElementTree.Element, name: str) -> str:
    """Return the text of the first child of this name, in any namespace; empty if there is none."""
    return next((child.text or "" for child in element if _local_name(child) == name), "")


def children_of(element: ElementTree.Element | None, name: str) -> list[ElementTree.Element]:
    """Return the children of this name."""
    return [] if element is None else [child for child in element if _local_name(child) == name]
