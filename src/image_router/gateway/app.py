"""The gateway: HTTP in front of one router. It is handed a built router and builds nothing.

Paths without variables are found in one step; the others go through Starlette's router.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from image_router.books import Books
from image_router.config import Limits, Settings
from image_router.core.errors import ImageRouterError
from image_router.core.ids import new_id
from image_router.core.key_permits import allow_admin
from image_router.core.tracing import TraceContext, traced
from image_router.engine.fetching import holding
from image_router.engine.router import ImageRouter
from image_router.gateway import refusals
from image_router.gateway.callers import Caller, Doorkeeper
from image_router.gateway.expecting import Expecting, full
from image_router.gateway.intake import Intake, Room, of
from image_router.gateway.journaling import JournalSink
from image_router.gateway.links import Links
from image_router.gateway.live import Live
from image_router.gateway.metering import Meter
from image_router.gateway.preferences import preferred
from image_router.gateway.sessions import Sessions
from image_router.gateway.surfaces import (
    GOOGLE,
    JSON,
    OPENAI,
    ROUTER,
    Problem,
    Refusal,
    Surface,
    answered,
    problem_of,
)
from image_router.storage.chains import Chains
from image_router.storage.jobs import Jobs
from image_router.storage.journal import Journal
from image_router.storage.key_ring import KeyRing
from image_router.storage.webhooks import Outbox
from image_router.telemetry.prometheus import PrometheusSink

log = logging.getLogger("image_router.gateway")

REQUEST_ID: Final = "x-request-id"
INERT: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""What is no page of ours may be a stranger's file: no browser runs it under this address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All the gateway works with."""

    router: ImageRouter
    books: Books
    doorkeeper: Doorkeeper
    links: Links
    sessions: Sessions
    ring: KeyRing
    metrics: PrometheusSink
    jobs: Jobs
    chains: Chains
    outbox: Outbox
    journal: Journal
    noted: JournalSink
    """What this process has to write into the journal."""
    live: Live
    settings: Settings
    private_hooks: bool = False
    """Webhooks may go to private addresses, and over http."""
    limits: Limits = field(default_factory=Limits)
    url: str | None = None
    """Address under which clients reach this server; None: as the request's Host says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One HTTP request on its way: what every endpoint is given."""

    request: Request
    caller: Caller
    id: str
    parts: Parts
    stopping: bool = False

    @property
    def router(self) -> ImageRouter:
        """The router, working for the caller, as patient as it is."""
        caller = Expecting(self.caller, of(self.request))
        router = self.parts.router.on_behalf_of(caller)
        return router.waiting(for_key=preferred(self.request).wait)

    def terms(self, scope: str | None) -> dict[str, Any]:
        """What the caller's key says of every request: who pays, and what becomes of retired models.

        Raises KeyForbids for a scope that is not the key's.
        """
        key = self.caller.key
        return {"scope": self.caller.paying(scope), **({"retired": key.rules.retired} if key else {})}

    def address(self, path: str) -> str:
        """The whole URL of a path here."""
        return (self.parts.url or str(self.request.base_url).rstrip("/")) + path


Endpoint: TypeAlias = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One operation: what the tables of the API modules are made of."""

    method: str
    path: str
    """With {variables} as Starlette writes them."""
    endpoint: Endpoint
    surface: Surface
    public: bool = False
    """Answered without a key, also while the server stops: health and help."""
    vital: bool = False
    """Answered however busy the process is."""
    admin: bool = False
    asked: Callable[[Request], bool] | None = None
    """Whether a request means this entry, where several share method and path; None: whatever is left."""


@dataclass(slots=True)
class Duty:
    """What the process is doing: requests under way, and whether it is about to stop."""

    under_way: int = 0
    stopping: bool = False


Rooms: TypeAlias = tuple[Room, Room]
"""For bodies, and for replies."""


class Served:
    """The operations of one path as an ASGI application: callers told apart, errors in a surface's words."""

    def __init__(self, entries: Sequence[Entry], *, parts: Parts, duty: Duty, rooms: Rooms) -> None:
        self._entries: dict[str, list[Entry]] = {}
        for entry in sorted(entries, key=lambda entry: entry.asked is None):
            self._entries.setdefault(entry.method, []).append(entry)
        self._parts, self._duty, self._rooms = parts, duty, rooms
        self._surface, self._route = entries[0].surface, entries[0].path
        if "GET" in self._entries:
            self._entries.setdefault("HEAD", self._entries["GET"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        meter = Meter(receive, send)
        request = Request(scope, meter.receive)
        bodies, replies = self._rooms
        intake = Intake(room=bodies, replies=replies, limits=self._parts.limits)
        intake.put(scope)
        visit_id = new_id("gw_")
        self._duty.under_way += 1
        with traced(_trace(request)), holding(intake.hold):
            try:
                response = await self._answer(request, visit_id)
                response.headers[REQUEST_ID] = visit_id
                if response.media_type != JSON:
                    response.headers.setdefault("content-security-policy", INERT)
                await response(scope, meter.receive, meter.send)
            finally:
                self._duty.under_way -= 1
                intake.release()
                reading = meter.reading(request.method, self._route, visit_id=visit_id)
                self._parts.router.announce(reading)

    async def _answer(self, request: Request, visit_id: str) -> Response:
        surface = self._surface
        try:
            entry = self._entry(request)
            surface = entry.surface
            caller = await self._caller(request, entry)
            visit = Visit(
                request=request,
                caller=caller,
                id=visit_id,
                parts=self._parts,
                stopping=self._duty.stopping,
            )
            return await entry.endpoint(visit)
        except Refusal as refusal:
            return answered(surface, refusal.problem)
        except ImageRouterError as error:
            return answered(surface, problem_of(error))
        except Exception:  # a bug of ours: the client gets a clean 500 with an id, the log gets the trace
            log.exception("request %s failed", visit_id)
            return answered(surface, _bug(visit_id))

    def _entry(self, request: Request) -> Entry:
        for entry in self._entries.get(request.method, ()):
            if entry.asked is None or entry.asked(request):
                return entry
        raise refusals.wrong_method(
            request.method, request.url.path, allowed=", ".join(sorted(self._entries))
        )

    async def _caller(self, request: Request, entry: Entry) -> Caller:
        if self._duty.under_way > self._parts.limits.in_flight and not entry.vital:
            raise refusals.busy(self._parts.limits.in_flight)
        if entry.public:
            return Caller(scope="")
        if self._duty.stopping:
            raise refusals.stopping(self._parts.limits.drain)
        caller = await self._parts.doorkeeper.known(request)
        if entry.admin and caller.key is not None:
            allow_admin(caller.key)
        return caller


def _trace(request: Request) -> TraceContext | None:
    parent = request.headers.get("traceparent")
    return TraceContext.parse(parent, request.headers.get("tracestate")) if parent else None


def _bug(visit_id: str) -> Problem:
    return Problem(
        status=500,
        kind="server_error",
        google="INTERNAL",
        code="internal_error",
        message=f"the gateway failed at this request; its log says why under {visit_id}",
    )


Beside: TypeAlias = Callable[[Parts, Duty], AbstractAsyncContextManager[None]]
"""What a process does beside its requests, for as long as it serves."""


class Gateway:
    """The ASGI application over its operations; the parts are opened in the server's own loop."""

    def __init__(
        self,
        opening: Callable[[], AbstractAsyncContextManager[Parts]],
        entries: Sequence[Entry],
        *,
        beside: Sequence[Beside] = (),
    ) -> None:
        self._opening, self._entries, self._beside = opening, entries, beside
        self._fast: dict[str, Served] = {}
        self._slow = Router()
        self.duty = Duty()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._fast.get(scope["path"], self._slow)(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                parts = await stack.enter_async_context(self._opening())
            except ImageRouterError as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            self._open(parts)
            for work in self._beside:
                await stack.enter_async_context(work(parts, self.duty))
            drain_on_signal(self.duty, parts.limits.drain)
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    def _open(self, parts: Parts) -> None:
        by_path: dict[str, list[Entry]] = {}
        for entry in self._entries:
            by_path.setdefault(entry.path, []).append(entry)
        limits = parts.limits
        rooms = (
            Room(limits.bodies, patience=limits.body_wait),
            Room(limits.replies, patience=limits.reply_wait, full=full),
        )
        served = {
            path: Served(group, parts=parts, duty=self.duty, rooms=rooms) for path, group in by_path.items()
        }
        self._fast = {path: app for path, app in served.items() if "{" not in path}
        slow = [Route(path, app) for path, app in served.items() if "{" in path]
        self._slow = Router(slow, default=_nowhere, redirect_slashes=False)


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    path = scope["path"]
    refusal = refusals.unknown_path(scope["method"], path)
    await answered(surface_of(path), refusal.problem)(scope, receive, send)


_GOOGLES: Final = ("/v1beta/", "/upload/", "/download/", "/v1/models/", "/v1/files", "/v1/batches")


_OURS: Final = ("/router/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/llms.txt")


def surface_of(path: str) -> Surface:
    """Whose words to use where no operation is found."""
    if path.startswith(_OURS):
        return ROUTER
    return GOOGLE if path.startswith(_GOOGLES) else OPENAI


def drain_on_signal(duty: Duty, patience: float) -> None:
    """At the first SIGTERM or SIGINT refuse what is new and let what is under way end; then stop.

    The server's own handler stops listening at once, so that new callers would meet a closed port. A second
    signal goes straight to it.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()

    def wrap(number: signal.Signals) -> None:
        stop: Any = signal.getsignal(number)

        def drain(sent: int, frame: FrameType | None) -> None:
            if duty.stopping or not callable(stop):
                stop(sent, frame)
                return
            duty.stopping = True
            loop.call_soon_threadsafe(_when_idle, duty, lambda: stop(sent, frame), loop.time() + patience)

        signal.signal(number, drain)

    for number in (signal.SIGTERM, signal.SIGINT):
        wrap(number)


def _when_idle(duty: Duty, stop: Callable[[], None], latest: float) -> None:
    loop = asyncio.get_running_loop()
    if duty.under_way == 0 or loop.time() >= latest:
        stop()
    else:
        loop.call_later(0.05, _when_idle, duty, stop, latest)
