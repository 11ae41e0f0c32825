"""One HTTP call to the emulated API: who calls, which model, what goes wrong, how the answer is dressed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from email.utils import format_datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gemini_emulator import errors
from gemini_emulator.errors import ApiError, Json
from gemini_emulator.fault_errors import MAKERS, Where
from gemini_emulator.fault_wires import Dripping, Dropped, Truncated, pause
from gemini_emulator.faults import TEXT_CALL, Fault, belongs, parse
from gemini_emulator.fields import read_json, read_message
from gemini_emulator.journal import elided
from gemini_emulator.state import State
from gemini_emulator.world import Model

JSON_TYPE = "application/json; charset=UTF-8"
_VERSIONS = frozenset({"v1", "v1beta", "v1alpha", "v1beta1"})
_MOST_BYTES = 104_857_600  # 100 MB inline since 2026-01-08, https://ai.google.dev/gemini-api/docs/changelog
_COMMON = (
    (b"vary", b"Origin"),
    (b"vary", b"X-Origin"),
    (b"vary", b"Referer"),
    (b"server", b"scaffolding on HTTPServer2"),
    (b"x-xss-protection", b"0"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-content-type-options", b"nosniff"),
    (b"alt-svc", b'h3=":443"; ma=2592000,h3-29=":443"; ma=2592000'),
)


class Answer(Response):
    """An answer with Google's headers. `pieces` go out one by one; no length is said, so it is chunked."""

    def __init__(
        self, pieces: Sequence[bytes], *, status: int, headers: Sequence[tuple[bytes, bytes]]
    ) -> None:
        super().__init__(b"".join(pieces), status_code=status)
        self.pieces = pieces
        self.raw_headers = list(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Call:
    """Built per request; `open` reads and checks it. `method` is the API's word, such as `predict`."""

    def __init__(self, request: Request, state: State, *, method: str, model_id: str = "") -> None:
        self.request = request
        self.state = state
        self.method = method
        self.model_id = model_id
        self.version: str = request.path_params.get("version", "v1beta")
        self.vertex = "publisher" in request.path_params
        self.streamed = method == "streamGenerateContent"
        self.sse = request.query_params.get("alt") == "sse"
        self.fault: Fault | None = None
        self.raw: Json = {}
        self.size = 0
        self._started = self._due = time.monotonic()
        self.key = _key_of(request)
        self._row = state.journal.note(
            method=request.method, path=request.url.path, key=self.owner, headers=request.headers
        )

    @property
    def owner(self) -> str:
        """Whose files and batches these are: a digest of the key."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:12] if self.key else ""

    @property
    def base_url(self) -> str:
        return str(self.request.base_url).rstrip("/")

    async def open(self) -> None:
        """Check the key, decide on a fault, read the JSON body. Raises ApiError."""
        if self.version not in _VERSIONS:
            raise errors.page_not_found(self.request.url.path)
        self._check_key()
        self.fault = self._claim()
        if self.fault is not None:
            self._row["fault"] = self.fault.name
            if self.fault.stage == "error":
                raise MAKERS[self.fault.name](self.where(self.fault.options))
        if self.request.method == "POST":
            raw = await self.request.body()
            self.size = len(raw)
            if self.size > _MOST_BYTES:
                raise errors.invalid(f"Request payload size exceeds the limit: {_MOST_BYTES} bytes.")
            self.raw = read_json(raw)
            self._row["body"] = elided(self.raw)

    def where(self, options: Mapping[str, str]) -> Where:
        """This call as an error fault sees it."""
        return Where(
            model=self.model_id,
            method=self.spoken_method,
            version=self.version,
            day=self.day,
            options=options,
        )

    @property
    def day(self) -> date:
        return self.state.clock.today()

    @property
    def spoken_method(self) -> str:
        return "generateContent" if self.streamed else self.method

    @property
    def occasion(self) -> str:
        """The method as faults know it: what goes wrong with a picture cannot go wrong with a text."""
        writes = self.spoken_method == "generateContent" and self.state.world.find_text(self.model_id)
        return TEXT_CALL if writes else self.method

    def message(self, name: str) -> Json:
        return read_message(self.raw, name, vertex=self.vertex)

    def model(self) -> Model:
        """The model called. Raises 404 when it is unknown, unborn, dead, closed or has not this method."""
        found, settings, day = self.state.world.find(self.model_id), self.state.settings, self.day
        if (
            found is None
            or not found.lives(day, vertex=self.vertex)
            or self.spoken_method not in found.methods
        ):
            raise self.no_such_model()
        closed = (
            settings.new_project
            and found.closed_to_new_users is not None
            and found.closed_to_new_users <= day
        )
        if closed or found.id in settings.unentitled:
            raise errors.closed_to_new_users(found.id)
        return found

    def no_such_model(self) -> ApiError:
        """The 404 of a model that is not there, in the words of the service."""
        if not self.vertex:
            return errors.model_not_found(
                self.model_id, self.spoken_method, version=self.version, day=self.day
            )
        at = self.request.path_params
        place = f"projects/{at['project']}/locations/{at['location']}/" if "project" in at else ""
        return errors.publisher_model_not_found(f"{place}publishers/google/models/{self.model_id}")

    def option(self, stage: str) -> Fault | None:
        """The claimed fault if it belongs to this stage."""
        return self.fault if self.fault is not None and self.fault.stage == stage else None

    def page_size(self, default: int) -> int:
        return max(self._whole("pageSize", default), 1)

    def page_start(self) -> int:
        """Where a page begins, for lists whose token is a plain position."""
        return self._whole("pageToken", 0)

    async def take(self, milliseconds: int) -> None:
        """Be as slow as recorded, to scale. Raises 504 when the caller's server timeout is shorter."""
        seconds = milliseconds / 1000 * self.state.settings.latency
        patience = self.request.headers.get("x-server-timeout")
        if patience is not None and seconds > float(patience):
            await pause(self.state, float(patience))
            raise ApiError(504, "Deadline expired before operation could complete.")
        self._due = self._started + seconds

    async def ripen(self) -> None:
        """Wait until the time taken is over."""
        await pause(self.state, self._due - time.monotonic())

    def answer(
        self, body: object, *, tier: bool = False, extra: Sequence[tuple[bytes, bytes]] = ()
    ) -> Answer:
        return self._answered([pretty(body)], 200, JSON_TYPE, tier=tier, extra=extra)

    def stream(self, events: Sequence[Json]) -> Answer:
        """Server-sent events with alt=sse, else one JSON array."""
        if not self.sse:
            return self._answered([pretty(list(events))], 200, JSON_TYPE, tier=True)
        pieces = [b"data: " + orjson.dumps(event) + b"\r\n\r\n" for event in events]
        pieces = self._failed_under_way(pieces)
        extra = ((b"content-disposition", b"attachment"),)
        return self._answered(pieces, 200, "text/event-stream", tier=True, extra=extra)

    def failure(self, error: ApiError) -> Answer:
        """An error answer: object, array (streams without alt=sse) or the front end's HTML page."""
        if error.form == "html":
            return self._answered([error.page()], error.code, "text/html; charset=UTF-8")
        arrayed = error.form == "array" or (self.streamed and not self.sse)
        body = [error.body()] if arrayed else error.body()
        # recorded: a failed stream is plain JSON under the stream's content type
        kind = "text/event-stream" if self.streamed and self.sse else JSON_TYPE
        # recorded: the tier stands on a 429, not on a 400 or 404
        return self._answered([pretty(body)], error.code, kind, tier=error.code == 429)

    async def finish(self, response: Response) -> Response:
        """The answer as it travels: whole, late, cut, dripping or not at all."""
        fault = self.option("wire")
        if fault is None or fault.name == "error_in_stream":
            return response
        if fault.name == "drop_after":
            return Dropped(self.state)
        if fault.name == "hang":
            return Dropped(self.state, after=fault.number("seconds", 3600))
        if fault.name == "truncated_body":
            return Truncated(self.state, response, part=fault.number("part", 0.5))
        if fault.name == "slow_drip":
            return Dripping(
                self.state, response, chunks=fault.count("chunks", 8), seconds=fault.number("seconds", 4)
            )
        await pause(self.state, fault.number("seconds", 5))
        return response

    def _whole(self, name: str, default: int) -> int:
        text = self.request.query_params.get(name) or str(default)
        if not text.isdecimal():
            raise errors.invalid(f"Invalid value at '{name}' (TYPE_INT32), \"{text}\"")
        return int(text)

    def _failed_under_way(self, pieces: list[bytes]) -> list[bytes]:
        fault = self.option("wire")
        if fault is None or fault.name != "error_in_stream":
            return pieces
        code = fault.count("code", 499)
        error = ApiError(code, "The operation was cancelled." if code == 499 else "The stream failed.")
        begun = b'data: {"candidates":[{"content":{"role":"model"},"index":0}]}\r\n\r\n'
        if fault.options.get("form") == "data":
            return [begun, b"data: " + orjson.dumps(error.body()) + b"\r\n\r\n"]
        return [begun, pretty(error.body())]

    def _answered(
        self,
        pieces: Sequence[bytes],
        status: int,
        kind: str,
        *,
        tier: bool = False,
        extra: Sequence[tuple[bytes, bytes]] = (),
    ) -> Answer:
        self._row["status"] = status
        elapsed = int((time.monotonic() - self._started) * 1000)
        headers = [(b"content-type", kind.encode()), *_COMMON]
        headers.append((b"date", format_datetime(self.state.clock.now(), usegmt=True).encode()))
        if not self.vertex:
            headers.append((b"server-timing", f"gfet4t7; dur={elapsed}".encode()))
            if tier:
                headers.append((b"x-gemini-service-tier", b"standard"))
        return Answer(pieces, status=status, headers=[*headers, *extra])

    def _check_key(self) -> None:
        if not self.key:
            raise errors.missing_token() if self.vertex else errors.missing_key()
        if self.key.startswith("bad") or self.key in self.state.settings.bad_keys:
            raise errors.bad_key()

    def _claim(self) -> Fault | None:
        wish = self.request.headers.get("x-emulator-fault")
        if wish is None:
            return self.state.faults.claim(self.model_id or None, self.occasion, key=self.key)
        try:
            fault = parse(wish)
        except ValueError as error:
            raise errors.invalid(f"x-emulator-fault: {error}") from error
        if not belongs(fault, self.occasion):
            raise errors.invalid(f"x-emulator-fault: {fault.name!r} cannot happen to a {self.occasion} call")
        return fault


Handler = Callable[[Call], Awaitable[Response]]


async def carry_out(call: Call, handler: Handler) -> Response:
    """Run a call from key check to the last byte."""
    try:
        await call.open()
        if call.fault is not None and call.fault.name == "drop_before":
            return Dropped(call.state)
        return await call.finish(await handler(call))
    except ApiError as error:
        return call.failure(error)


def pretty(body: object) -> bytes:
    """Two spaces and a last newline, as Google prints JSON."""
    return orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n"


def _key_of(request: Request) -> str:
    """The API key or the bearer token."""
    bearer = request.headers.get("authorization", "")
    token = bearer[7:] if bearer.lower().startswith("bearer ") else ""
    return request.headers.get("x-goog-api-key") or request.query_params.get("key") or token
