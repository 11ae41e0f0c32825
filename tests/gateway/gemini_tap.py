"""A wire tap between the gateway and the emulator, where every exchange is seen as its very bytes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.conftest import DAY, Site, started
from image_router.books import open_books
from image_router.core.router_keys import KeyRules
from image_router.gateway.api import gateway
from image_router.gateway.opening import Choices
from image_router.storage.router_keys import RouterKeys
from image_router.testing import emulated


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


def tapped(
    home: Path, stack: ExitStack, *, day: str = DAY, keyed: bool = False, **more: Any
) -> tuple[Site, Tap]:
    """A gateway whose every exchange with the emulator is recorded."""
    emulator = stack.enter_context(emulated(as_of=day))
    tap = Tap(emulator.url)
    upstream = started(tap.app, stack)
    settings = {"home": home, "offline": True, "emulator_url": upstream, "as_of": day, **more}
    url = started(partial(gateway, Choices(open=not keyed), **settings), stack)
    return Site(url=url, emulator=emulator, home=home), tap


async def posted(url: str, body: Any, **headers: str) -> tuple[int, bytes, Any]:
    """Status, body and headers of a POST; other than bytes are sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    async with aiohttp.ClientSession() as session, session.post(url, data=data, headers=headers) as reply:
        return reply.status, await reply.read(), reply.headers


async def spent(site: Site) -> int:
    """All that the ledger has, in nano-dollars."""
    async with open_books(home=site.home, offline=True) as books:
        return sum(line.spent for line in await books.statement([]))


def picture(body: bytes) -> str:
    """The base64 of an answer's only picture."""
    parts = json.loads(body)["candidates"][0]["content"]["parts"]
    (data,) = [part["inlineData"]["data"] for part in parts if "inlineData" in part]
    return data


async def key_of(site: Site, **rules: Any) -> str:
    async with open_books(home=site.home, offline=True) as books:
        made = await RouterKeys(books.db).create(
            KeyRules(**{"name": "ci", "scope": "acme", **rules}), who="ann"
        )
        return made.secret.text
