"""A wire tap between the gateway and the emulator: every exchange as its very bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass(frozen=True)
class Exchange:
    method: str
    target: str
    key: str | None
    asked: bytes = field(repr=False)
    status: int
    answered: bytes = field(repr=False)


@dataclass
class Tap:
    """What passed, in order; `upstream` is where it goes."""

    upstream: str
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def last(self) -> Exchange:
        return self.exchanges[-1]

    def app(self) -> Any:
        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            async with aiohttp.ClientSession(auto_decompress=False) as app.state.session:
                yield

        methods = ["GET", "POST", "PUT", "DELETE"]
        return Starlette(routes=[Route("/{path:path}", self._pass, methods=methods)], lifespan=lifespan)

    async def _pass(self, request: Request) -> Response:
        asked, target = await request.body(), request.url.path
        target += f"?{request.url.query}" if request.url.query else ""
        headers = {k: v for k, v in request.headers.items() if k not in ("host", "content-length")}
        session: aiohttp.ClientSession = request.app.state.session
        async with session.request(
            request.method, self.upstream + target, data=asked, headers=headers
        ) as reply:
            answered = await reply.read()
        key = request.headers.get("x-goog-api-key")
        self.exchanges.append(Exchange(request.method, target, key, asked, reply.status, answered))
        kept = {
            k: v for k, v in reply.headers.items() if k.lower() not in ("content-length", "transfer-encoding")
        }
        return Response(answered, reply.status, headers=kept)
