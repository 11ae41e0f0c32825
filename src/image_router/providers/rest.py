"""The direct road: the Gemini API over HTTP, pooled, bounded in memory, one send per call.

No retries and no redirects: what is sent again, and at whose cost, is decided above.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from math import inf
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from image_router._version import __version__
from image_router.core.catalog import Model
from image_router.core.errors import ConfigError
from image_router.core.reply import ApiError, FaultKind, RawAnswer, Reply, TransportFault
from image_router.core.text_calls import TextCall
from image_router.core.tracing import headers_onward
from image_router.providers import gemini_body, gemini_wire, json_text, spooling, text_wire
from image_router.providers.aside import aside
from image_router.providers.base import (
    Call,
    Entitlement,
    Errand,
    Letter,
    ListedModel,
    ModelsUnavailable,
    Running,
    Unreachable,
)
from image_router.providers.bodies import encoded_body, weight_of
from image_router.providers.error_wire import parse_error
from image_router.providers.gemini_wire import parse_models
from image_router.providers.probing import entitlement_of
from image_router.providers.spooling import BLOCK, SPOOLED_FROM, Extractor
from image_router.providers.wires import WIRES, ParseReply

BASE_URL = "https://generativelanguage.googleapis.com"
MAX_BODY = 128 * 1024 * 1024
"""Bytes of one answer. A 4K picture with its signature takes about 40 MB."""
CONNECTIONS = 1024
"""Open at once; a call beyond them waits."""
LOOKUP_TIMEOUT = 30.0
"""Seconds for a page of models or a probe."""
_MAX_PAGES = 50
_ERROR_BODY = 1024 * 1024
_READ_AHEAD = 1024 * 1024
"""Bytes that come in while nobody takes them: fewer would stop and start a large answer dozens of times."""
_SHORTEST_SECRET = 8
"""Characters. A shorter key stands in ordinary words, by which an error is understood."""


@dataclass(slots=True)
class _Exchange:
    """What has happened so far to one request, whatever ends it."""

    sent: bool = False
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    """What came, once nothing more comes."""
    extractor: Extractor | None = None
    """Has taken the pictures out of the body, where it is large and its caller wants them so."""
    listener: Callable[[RawAnswer], None] | None = None
    """Hears each piece of an answer of status 200 when it comes."""

    def answer(self, body: bytes) -> RawAnswer | None:
        """What came so far, with this body; None before the headers."""
        return None if self.status is None else RawAnswer(status=self.status, headers=self.headers, body=body)


class _TooLarge(Exception):
    """The answer is larger than the memory allowed for it."""


class RestProvider:
    """The Gemini API with an API key, or anything that speaks like it. Implements providers.base.Provider.

    `real` is False when nothing behind `base_url` can cost money. The key travels in a header and is never
    part of a URL, a message or a repr. Raises ConfigError for a key or base URL that cannot work.
    """

    name = "gemini"

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = BASE_URL,
        api_version: str = "v1beta",
        user_agent: str = f"image-router/{__version__}",
        real: bool = True,
        max_body: int = MAX_BODY,
    ) -> None:
        if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise ConfigError(
                "the API key is empty or holds characters that no key has; check GEMINI_API_KEY"
            )
        url = URL(base_url)
        if url.scheme not in ("http", "https") or not url.host:
            raise ConfigError(f"base URL {base_url!r} must start with http:// or https://")
        self.real = real
        self._user_agent = user_agent
        self._api_key = api_key
        self._host = base_url.rstrip("/")
        self._root = f"{self._host}/{api_version}/"
        self._max_body = max_body
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"RestProvider({self._root!r}, real={self.real})"

    async def generate(self, call: Call, *, timeout: float) -> Reply:
        """One call for one image; `timeout` in seconds covers everything. Sends once, raises nothing."""
        wire = WIRES[call.model.dialect]
        body = await aside(weight_of(call), encoded_body, call)
        return await self._asked(self._method_url(call.model), body, parse=wire.parse_reply, timeout=timeout)

    async def write(self, call: TextCall, *, timeout: float) -> Reply:
        """One call for words, likewise."""
        path = f"models/{quote(call.model.id, safe='')}:{gemini_body.METHOD}"
        body = json_text.dumps(text_wire.request_body(call))
        return await self._asked(path, body, parse=gemini_wire.parse_reply, timeout=timeout)

    async def relay(self, letter: Letter, model: Model, *, timeout: float) -> Reply:
        """One call with a body that is sent as it came; the reply keeps the answer as it came."""
        exchange = _Exchange(listener=letter.listener)
        parse = WIRES[model.dialect].parse_reply
        return await self._asked(letter.path, letter.body, parse=parse, timeout=timeout, exchange=exchange)

    @asynccontextmanager
    async def errand(self, errand: Errand) -> AsyncIterator[Running]:
        """Run an errand once, as it is. Raises Unreachable."""
        try:
            async with self._pool().request(
                errand.method,
                URL(f"{self._host}/{errand.path}", encoded=True),
                data=None if errand.body is None else BytesIO(errand.body),
                headers={**headers_onward(), **errand.headers},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_read=LOOKUP_TIMEOUT),
                trace_request_ctx=_Exchange(),
            ) as response:
                if response.status >= 400:
                    yield await self._failed(response)
                else:
                    pieces = response.content.iter_any()
                    yield Running(status=response.status, headers=dict(response.headers), pieces=pieces)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from None

    async def _asked(
        self,
        path: str,
        body: bytes,
        *,
        parse: ParseReply,
        timeout: float,
        exchange: _Exchange | None = None,
    ) -> Reply:
        started = time.perf_counter()
        relayed = exchange is not None
        exchange, fault = await self._send("POST", path, timeout=timeout, body=body, exchange=exchange)
        if exchange.status is not None and (fault is None or exchange.status >= 400):
            # The status of a failed answer counts even when its body was cut off.
            body = exchange.body
            reply = await aside(len(body), parse, exchange.status, exchange.headers, body=body)
            if exchange.extractor is not None:
                reply = exchange.extractor.restored(reply)
        else:
            reply = Reply(http_status=exchange.status, fault=fault)
        # A body that was cut off is no answer; of a failed call its status is, whatever came of its body.
        whole = fault is None or (exchange.status or 0) >= 400
        raw = exchange.answer(exchange.body) if relayed and whole else None
        return replace(reply, elapsed=time.perf_counter() - started, raw=raw)

    async def models(self) -> tuple[ListedModel, ...]:
        """All pages of models.list. Raises ModelsUnavailable."""
        found: list[ListedModel] = []
        token = ""
        for _ in range(_MAX_PAGES):
            page, next_token = await self._page(f"models?pageSize=1000{token}")
            found += page
            if not next_token:
                return tuple(found)
            token = f"&pageToken={quote(next_token, safe='')}"
        raise ModelsUnavailable(f"the list of models does not end after {_MAX_PAGES} pages")

    async def probe(self, model: Model) -> Entitlement:
        """Ask for nothing (an empty body): 400 says entitled, 404 says not; costs nothing."""
        exchange, fault = await self._send(
            "POST", self._method_url(model), timeout=LOOKUP_TIMEOUT, body=b"{}"
        )
        return entitlement_of(None if fault else self._error_in(exchange))

    async def aclose(self) -> None:
        """Close connections; the next call opens new ones."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _method_url(self, model: Model) -> str:
        return f"models/{quote(model.id, safe='')}:{WIRES[model.dialect].method}"

    async def _page(self, query: str) -> tuple[tuple[ListedModel, ...], str | None]:
        exchange, fault = await self._send("GET", query, timeout=LOOKUP_TIMEOUT)
        if fault is not None:
            raise ModelsUnavailable(f"the list of models could not be read: {fault.detail}")
        error = self._error_in(exchange)
        if error is not None:
            raise ModelsUnavailable(f"the provider refused the list of models: {error.message}", error)
        try:
            return parse_models(exchange.body)
        except ValueError as problem:
            raise ModelsUnavailable(f"the list of models is not readable: {problem}") from None

    def _error_in(self, exchange: _Exchange) -> ApiError | None:
        if exchange.status is None or exchange.status == 200:
            return None
        return parse_error(exchange.status, exchange.headers, body=exchange.body)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        timeout: float,
        body: bytes | None = None,
        exchange: _Exchange | None = None,
    ) -> tuple[_Exchange, TransportFault | None]:
        """Send once and read to the end; what went wrong on the way is a value."""
        exchange = exchange or _Exchange()
        try:
            async with asyncio.timeout(timeout), self._response(method, path, exchange, body) as response:
                await self._read(response, exchange)
        except TimeoutError:
            detail = f"no whole answer within {timeout:g} s"
            return exchange, _fault(FaultKind.TIMEOUT, exchange, detail)
        except _TooLarge as error:
            return exchange, _fault(FaultKind.MALFORMED, exchange, str(error))
        except aiohttp.ClientError as error:
            return exchange, _fault(_kind_of(error, exchange), exchange, str(error) or type(error).__name__)
        return exchange, None

    @asynccontextmanager
    async def _response(
        self, method: str, path: str, exchange: _Exchange, body: bytes | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        # A stream, because aiohttp warns of a large body of raw bytes. It re-sends only idempotent methods
        # on a lost connection (RFC 9112 9.3.1), so a POST goes out once; redirects would send it twice.
        async with self._pool().request(
            method,
            URL(self._root + path, encoded=True),
            data=None if body is None else BytesIO(body),
            headers=headers_onward(),
            allow_redirects=False,
            trace_request_ctx=exchange,
            read_bufsize=BLOCK if spooling.is_wanted() else _READ_AHEAD,
        ) as response:
            exchange.status, exchange.headers = response.status, dict(response.headers)
            yield response

    async def _read(self, response: aiohttp.ClientResponse, exchange: _Exchange) -> None:
        ok = response.status == 200
        limit = self._max_body if ok else _ERROR_BODY
        spool_from = _spool_from(response, exchange) if ok else limit
        pieces: list[bytes] = []
        size = 0
        try:
            async for piece in response.content.iter_any():
                pieces.append(piece)
                size += len(piece)
                if exchange.listener and ok and (heard := exchange.answer(piece)):
                    exchange.listener(heard)
                if size > limit and ok:
                    raise _TooLarge(f"the answer has more than {limit:,} bytes; raise max_body to read it")
                if size > limit:
                    break
                if size > spool_from and sum(map(len, pieces)) >= BLOCK:
                    await _extract(exchange, pieces)
            if exchange.extractor is not None:
                await _extract(exchange, pieces)
                pieces.append(exchange.extractor.body())
        finally:
            exchange.body = b"".join(pieces)
        if not ok:
            exchange.body = self._without_key(exchange.body)

    async def _failed(self, response: aiohttp.ClientResponse) -> Running:
        """An errand's error without the key in it; what is longer than an error is cut off."""
        exchange = _Exchange()
        await self._read(response, exchange)
        # Without the key the length is another one.
        headers = {name: text for name, text in response.headers.items() if name.lower() != "content-length"}
        return Running(status=response.status, headers=headers, pieces=_once(exchange.body))

    def _without_key(self, body: bytes) -> bytes:
        """Some errors quote the key."""
        if len(self._api_key) < _SHORTEST_SECRET:
            return body
        return body.replace(self._api_key.encode(), b"[key]")

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                read_bufsize=_READ_AHEAD,
                trust_env=self._root.startswith("https:"),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[_sending()],
                headers={
                    "x-goog-api-key": self._api_key,
                    "Content-Type": "application/json",
                    "Accept-Encoding": "identity",
                    "User-Agent": self._user_agent,
                },
            )
        return self._session


def _spool_from(response: aiohttp.ClientResponse, exchange: _Exchange) -> float:
    """Bytes of an answer from which on its pictures go to a file."""
    if exchange.listener is not None or not spooling.is_wanted():
        return inf
    return 0 if (response.content_length or 0) > SPOOLED_FROM else SPOOLED_FROM


async def _extract(exchange: _Exchange, pieces: list[bytes]) -> None:
    """Take the pictures out of what has come, in a thread that may wait for the disk."""
    if exchange.extractor is None:
        exchange.extractor = Extractor()
    block = b"".join(pieces)
    pieces.clear()
    await asyncio.to_thread(exchange.extractor.feed, block)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _sending() -> aiohttp.TraceConfig:
    """Note the moment from which the provider may have received a request: just before its first byte."""

    async def _started(session: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
        context.trace_request_ctx.sent = True

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(_started)
    return config


def _kind_of(error: aiohttp.ClientError, exchange: _Exchange) -> FaultKind:
    if not exchange.sent:
        return FaultKind.CONNECT
    if isinstance(error, aiohttp.ClientPayloadError):
        return FaultKind.TRUNCATED
    if isinstance(error, aiohttp.ClientResponseError):
        return FaultKind.MALFORMED
    return FaultKind.DROPPED


def _fault(kind: FaultKind, exchange: _Exchange, detail: str) -> TransportFault:
    return TransportFault(kind=kind, sent=exchange.sent, detail=detail)
