"""A running emulator: uvicorn in a background thread for tests, in the foreground for a terminal."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Unpack

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from gemini_emulator.app import build_app
from gemini_emulator.bill import Bill
from gemini_emulator.errors import Json
from gemini_emulator.faults import Faults
from gemini_emulator.settings import Options, Settings
from gemini_emulator.state import State

_STOP_S = 10.0
_LAST_PORT = 65535


class _Server(uvicorn.Server):
    """uvicorn, saying when it listens and letting go of slow answers when it stops."""

    ready: threading.Event | None = None
    loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        if self.ready is not None:
            self.ready.set()

    def end_calls(self, state: State) -> None:
        if self.loop is not None:
            self.loop.call_soon_threadsafe(state.stopping.set)

    def reset(self, state: State) -> None:
        """Empty the state on the loop that owns its jobs."""
        if self.loop is None:
            raise RuntimeError("the emulator is not running; start it first")
        asyncio.run_coroutine_threadsafe(state.reset(), self.loop).result(_STOP_S)


class Emulator:
    """A bound emulator. `start` and `stop` run it in a thread; `run` blocks until interrupted.

    The socket is bound at construction, so `url` is known before the first request and connections made
    before `start` wait. Port 0 takes any free port.
    """

    def __init__(self, settings: Settings, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._state = State(settings)
        self._socket = _listen(host, port)
        self._server = _Server(_config(self._state))
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    @property
    def settings(self) -> Settings:
        return self._state.settings

    @property
    def faults(self) -> Faults:
        """The rules of what goes wrong; change them at any time."""
        return self._state.faults

    def bill(self) -> Bill:
        """What the provider would have charged so far, in nano-dollars."""
        return self._state.account.bill()

    def requests(self) -> list[Json]:
        """The last requests received, oldest first, pictures elided."""
        return self._state.journal.rows()

    def reset(self) -> None:
        """Forget bill, limits counted, faults, jobs, files and requests; the clock runs on."""
        self._server.reset(self._state)

    def advance(self, seconds: float) -> None:
        """Push the emulator's clock ahead: batch jobs come due, files expire."""
        self._state.clock.advance(seconds)

    def today(self) -> date:
        """The day the emulator wears now."""
        return self._state.clock.today()

    def run(self) -> None:
        """Serve in this thread until interrupted."""
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Serve in a background thread; returns when the server answers."""
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, args=(ready,), name="gemini-emulator", daemon=True
        )
        self._thread.start()
        ready.wait()
        if not self._server.started:
            raise RuntimeError(f"the emulator at {self.url} did not start; see its log")

    def stop(self) -> None:
        """End every call under way and free the port."""
        if self._thread is not None:
            self._server.end_calls(self._state)
            self._server.should_exit = True
            self._thread.join(_STOP_S)
            if self._thread.is_alive():
                raise RuntimeError(f"the emulator at {self.url} did not stop within {_STOP_S:.0f} s")
            self._thread = None
        self._socket.close()

    def _serve(self, ready: threading.Event) -> None:
        self._server.ready = ready
        try:
            with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
                runner.run(self._server.serve(sockets=[self._socket]))
        finally:
            ready.set()


@contextmanager
def serve(
    *, as_of: date | str | None = None, host: str = "127.0.0.1", port: int = 0, **options: Unpack[Options]
) -> Iterator[Emulator]:
    """An emulator for the length of a `with` block. `options`: the other fields of Settings."""
    day = date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    emulator = Emulator(Settings(as_of=day, **options), host=host, port=port)
    emulator.start()
    try:
        yield emulator
    finally:
        emulator.stop()


def _listen(host: str, port: int) -> socket.socket:
    # getaddrinfo keeps only the low 16 bits: 99999 would listen on another port
    if not 0 <= port <= _LAST_PORT:
        raise ValueError(f"port {port} does not exist; give 1 to {_LAST_PORT}, or 0 for any free one")
    # asyncio sets TCP_NODELAY only where the protocol is named; without it every answer waits 40 ms
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _config(state: State) -> uvicorn.Config:
    return uvicorn.Config(
        build_app(state),
        http=_tracking(state),
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=240,
    )


def _tracking(state: State) -> type[asyncio.Protocol]:
    """The HTTP protocol, noting its connections so that a fault can drop one."""

    class TrackingProtocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # chosen by uvicorn at import
        def connection_made(self, transport: asyncio.Transport) -> None:
            self._peer = tuple(transport.get_extra_info("peername")[:2])
            state.transports[self._peer] = transport
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            state.transports.pop(self._peer, None)
            super().connection_lost(exc)

    return TrackingProtocol
