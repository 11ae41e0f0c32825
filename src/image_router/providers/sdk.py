"""Any google.genai.Client the user hands in: Vertex or Enterprise, default credentials, own proxies.

The client's raw request is used, not its typed methods: those drop finishMessage and unknown fields, merge
continuations, and refuse :predict in Developer mode since 2.20. Nothing of google.genai is imported here.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson

from image_router.core.catalog import Model
from image_router.core.errors import ConfigError
from image_router.core.reply import ApiError, FaultKind, RawAnswer, Reply, TransportFault
from image_router.core.text_calls import TextCall
from image_router.core.tracing import headers_onward
from image_router.core.types import Dialect
from image_router.providers import text_wire
from image_router.providers.base import (
    Call,
    Entitlement,
    Errand,
    Letter,
    ListedModel,
    ModelsUnavailable,
    Provider,
    Relays,
    Running,
    Unreachable,
)
from image_router.providers.error_wire import parse_error
from image_router.providers.probing import entitlement_of
from image_router.providers.sdk_raw import RawCall, RawResponse, opened
from image_router.providers.wires import WIRES, Wire

LOOKUP_TIMEOUT = 30.0
"""Seconds for the list of models or a probe."""
ERRAND_TIMEOUT = 300.0
"""Seconds for an errand: a piece of a file goes up in one."""
MAX_BODY = 128 * 1024 * 1024
"""Bytes of one answer that passes on."""

# Exception class name → (how the transport failed, whether the request may have been received). Names, since
# the client chooses between aiohttp, httpx and httpx2, and none of the three need be installed.
_FAULTS: Mapping[str, tuple[FaultKind, bool]] = {
    "ConnectionTimeoutError": (FaultKind.CONNECT, False),
    "ClientConnectorError": (FaultKind.CONNECT, False),
    "ConnectError": (FaultKind.CONNECT, False),
    "ConnectTimeout": (FaultKind.CONNECT, False),
    "PoolTimeout": (FaultKind.CONNECT, False),
    "ProxyError": (FaultKind.CONNECT, False),
    "ClientPayloadError": (FaultKind.TRUNCATED, True),
    "IncompleteRead": (FaultKind.TRUNCATED, True),
    "DecodingError": (FaultKind.MALFORMED, True),
    "JSONDecodeError": (FaultKind.MALFORMED, True),
    "UnicodeDecodeError": (FaultKind.MALFORMED, True),
    "ClientResponseError": (FaultKind.MALFORMED, True),
    "TimeoutException": (FaultKind.TIMEOUT, True),
    "TimeoutError": (FaultKind.TIMEOUT, True),
    "TransportError": (FaultKind.DROPPED, True),
    "ClientError": (FaultKind.DROPPED, True),
    "OSError": (FaultKind.DROPPED, True),
}

_NO_CREDENTIALS = frozenset({"DefaultCredentialsError", "RefreshError"})


class SdkProvider:
    """A provider over a google.genai client, Developer API or Vertex/Enterprise.

    `predict` serves Imagen instead of the client, when given. `real` is False when nothing behind the client
    can cost money. `owned` clients are closed with the provider; a client of the user stays open. Retries of
    the client are switched off for every call. Raises ConfigError for an object that is no google-genai
    client.
    """

    name = "google-genai"

    def __init__(
        self, client: Any, *, predict: Provider | None = None, real: bool = True, owned: bool = False
    ) -> None:
        transport = getattr(client, "_api_client", None)
        if not callable(getattr(transport, "async_request", None)):
            raise ConfigError(
                f"{type(client).__name__} is no google.genai.Client; pass one of google-genai 2.20 or later"
            )
        self.real = real
        self._client = client
        self._transport: Any = transport
        self._predict = predict
        self._owned = owned

    def __repr__(self) -> str:
        mode = "enterprise" if self._transport.vertexai else "developer"
        return f"SdkProvider({mode}, real={self.real})"

    async def generate(self, call: Call, *, timeout: float) -> Reply:
        """One call for one image; `timeout` in seconds covers everything. Sends once, raises nothing."""
        if call.model.dialect is Dialect.PREDICT and self._predict is not None:
            return await self._predict.generate(call, timeout=timeout)
        started = time.perf_counter()
        wire = WIRES[call.model.dialect]
        body = await asyncio.to_thread(wire.request_body, call)
        reply = await self._post(call.model.id, body, wire=wire, timeout=timeout)
        return replace(reply, elapsed=time.perf_counter() - started)

    async def write(self, call: TextCall, *, timeout: float) -> Reply:
        """One call for words, likewise."""
        started, wire = time.perf_counter(), WIRES[Dialect.GENERATE_CONTENT]
        reply = await self._post(call.model.id, text_wire.request_body(call), wire=wire, timeout=timeout)
        return replace(reply, elapsed=time.perf_counter() - started)

    async def relay(self, letter: Letter, model: Model, *, timeout: float) -> Reply:
        """One call with a body that is sent as it came; the reply keeps the answer as it came."""
        if model.dialect is Dialect.PREDICT and isinstance(self._predict, Relays):
            return await self._predict.relay(letter, model, timeout=timeout)
        started, parse = time.perf_counter(), WIRES[model.dialect].parse_reply
        folder = "publishers/google/" if self._transport.vertexai else ""
        call = RawCall(method="post", path=f"{folder}{letter.path}", body=letter.body, timeout=timeout)
        try:
            async with _answering(timeout), opened(self._transport, call) as response:
                raw = await _whole(response, letter)
        except _Unanswered as failed:
            return replace(failed.reply, elapsed=time.perf_counter() - started)
        reply = await asyncio.to_thread(parse, raw.status, raw.headers, body=raw.body)
        return replace(reply, elapsed=time.perf_counter() - started, raw=raw)

    @asynccontextmanager
    async def errand(self, errand: Errand) -> AsyncIterator[Running]:
        """Run an errand once, as it is. Raises Unreachable, and ConfigError at the enterprise endpoint."""
        if self._transport.vertexai:
            raise ConfigError(
                "the enterprise endpoint has no files, batches or token counts under these addresses; use "
                "the Gemini API for them: provider = rest with an API key"
            )
        call = RawCall(
            method=errand.method, path=errand.path, body=errand.body, headers=errand.headers, version=""
        )
        try:
            async with _answering(ERRAND_TIMEOUT), opened(self._transport, call) as response:
                yield Running(status=response.status, headers=response.headers, pieces=response.pieces)
        except _Unanswered as failed:
            raise Unreachable(str(failed)) from None

    async def models(self) -> tuple[ListedModel, ...]:
        """All pages of models.list. Raises ModelsUnavailable."""
        try:
            async with _answering(LOOKUP_TIMEOUT):
                pages = await self._client.aio.models.list(config={"page_size": 1000})
                return tuple([_listed(model) async for model in pages])
        except _Unanswered as failed:
            error, cause = failed.reply.error, failed.__cause__
            words = error.message if error else str(failed)
            raise ModelsUnavailable(f"the list of models could not be read: {words}", error) from cause

    async def probe(self, model: Model) -> Entitlement:
        """Ask for nothing: 400 says entitled, 404 says not; costs nothing."""
        if model.dialect is Dialect.PREDICT and self._predict is not None:
            return await self._predict.probe(model)
        # An empty list, since the client sends no body at all for an empty object.
        field = "instances" if model.dialect is Dialect.PREDICT else "contents"
        wire = WIRES[model.dialect]
        reply = await self._post(model.id, {field: []}, wire=wire, timeout=LOOKUP_TIMEOUT)
        return entitlement_of(reply.error)

    async def aclose(self) -> None:
        """Close the client if it is ours."""
        if self._owned:
            await self._client.aio.aclose()
            await asyncio.to_thread(self._client.close)

    async def _post(self, model_id: str, body: dict[str, Any], *, wire: Wire, timeout: float) -> Reply:
        folder = "publishers/google/models" if self._transport.vertexai else "models"
        # One attempt, said outright: without it the client re-sends a POST after a lost connection.
        options: dict[str, Any] = {"timeout": math.ceil(timeout * 1000), "retry_options": {"attempts": 1}}
        if trace := headers_onward():
            options["headers"] = trace
        try:
            async with _answering(timeout):
                answer = await self._transport.async_request(
                    "post", f"{folder}/{model_id}:{wire.method}", body, options
                )
        except _Unanswered as failed:
            return failed.reply
        text: str = answer.body or ""
        return await asyncio.to_thread(wire.parse_reply, 200, answer.headers or {}, body=text.encode())


async def _whole(response: RawResponse, letter: Letter) -> RawAnswer:
    """All pieces, each told of as it comes. Raises _Unanswered for more than MAX_BODY."""
    pieces, size = [], 0
    async for piece in response.pieces:
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BODY:
            words = f"the answer has more than {MAX_BODY:,} bytes"
            fault = TransportFault(kind=FaultKind.MALFORMED, sent=True, detail=words)
            raise _Unanswered(Reply(http_status=response.status, fault=fault), words)
        if letter.listener and response.status == 200:
            letter.listener(RawAnswer(status=200, headers=response.headers, body=piece))
    return RawAnswer(status=response.status, headers=response.headers, body=b"".join(pieces))


class _Unanswered(Exception):
    """The client raised; `reply` says what that means."""

    def __init__(self, reply: Reply, words: str) -> None:
        super().__init__(words)
        self.reply = reply


@asynccontextmanager
async def _answering(seconds: float) -> AsyncIterator[None]:
    """The client's work inside, for so long at most. Raises _Unanswered from whatever tells of a failure."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except Exception as error:  # the client's transport is the user's choice: any class may come
        reply = _reply_for(error)
        if reply is None:
            raise
        raise _Unanswered(reply, str(error) or type(error).__name__) from error


def _reply_for(error: Exception) -> Reply | None:
    """What an exception says happened; None for one that is a mistake in the program."""
    names = [ancestor.__name__ for ancestor in type(error).__mro__]
    if "APIError" in names:
        api_error = _api_error(error)
        return Reply(http_status=api_error.http_status, error=api_error)
    if _NO_CREDENTIALS.intersection(names):
        refused = ApiError(http_status=401, status="UNAUTHENTICATED", message=str(error))
        return Reply(http_status=401, error=refused)
    for name in names:
        if name in _FAULTS:
            kind, sent = _FAULTS[name]
            fault = TransportFault(kind=kind, sent=sent, detail=str(error) or type(error).__name__)
            return Reply(fault=fault)
    return None


def _api_error(error: Any) -> ApiError:
    """The body the client had parsed already, put back; a page that is no JSON stands in `message`."""
    details = error.details
    is_json = isinstance(details, list) or (isinstance(details, dict) and "error" in details)
    body = orjson.dumps(details) if is_json else str(error.message or "").encode()
    headers = getattr(error.response, "headers", None) or {}
    status = error.code if isinstance(error.code, int) else 500
    return parse_error(status, headers, body=body)


def _listed(model: Any) -> ListedModel:
    return ListedModel(
        id=(model.name or "").rpartition("/")[2],
        methods=tuple(model.supported_actions or ()),
        input_tokens=model.input_token_limit,
        output_tokens=model.output_token_limit,
    )
