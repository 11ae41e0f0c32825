"""Connections under limits: what uvicorn leaves to a proxy in front, for those who have none.

uvicorn waits for ever for the headers of a request, for the rest of a body that was answered early, and for
a client to take its reply; httptools collects headers of any size.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from image_router.config import Limits
from image_router.gateway import refusals
from image_router.gateway.app import surface_of
from image_router.gateway.surfaces import Refusal, answered

LINGER: Final = 5.0
"""Seconds a client may go on sending what nobody reads any more: closing at once would lose it the answer."""


class GuardedConfig(uvicorn.Config):
    """uvicorn's configuration with our limits."""

    def __init__(self, app: Any, *, limits: Limits, **options: Any) -> None:
        super().__init__(app, http=GuardedProtocol, **options)
        self.limits = limits


class GuardedProtocol(HttpToolsProtocol):
    """One connection: its headers bounded and timed, its silence ended."""

    config: GuardedConfig

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.url = b""  # uvicorn sets it with the first request
        self._limits = self.config.limits
        self._in_head, self._in_body = True, False
        self._head = 0
        self._deaf = False
        self._refusal: Refusal | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self._answer(refusals.busy(self._limits.connections))
            self.transport.close()
        else:
            self._close_after(self._limits.head_time)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_reading_timer()
        self._stop_writing_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        # Where a head begins behind a body, what came with it may belong to either.
        counts = self._in_head or self._idle
        super().data_received(data)
        if self._deaf or self.transport.is_closing():
            return
        if self._in_head:
            self._head += len(data) if counts else 0
            if self._head > self._limits.head:
                self._refuse(self._too_long(self._head))
            elif self._reading is None:
                self._close_after(self._limits.head_time)
        elif self._idle and self.timeout_keep_alive_task is None:
            # Bytes that begin no request, such as empty lines, have stopped uvicorn's own clock.
            self._close_after(self.timeout_keep_alive)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._in_body, self._head = True, False, 0

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body, self._head = False, True, 0
        self._stop_reading_timer()
        self._refusal = self._unfit()
        if self._refusal is not None:
            raise self._refusal  # httptools stops there, and uvicorn calls send_400_response
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        if self._idle:
            self._close_after(self.timeout_keep_alive)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing():
            self._close_after(LINGER)

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or refusals.malformed(f"this is no HTTP request: {msg}"))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing(self._unsent())

    def resume_writing(self) -> None:
        self._stop_writing_timer()
        super().resume_writing()

    @property
    def _idle(self) -> bool:
        done = self.cycle is None or self.cycle.response_complete
        return done and not self._in_head and not self._in_body

    def _unfit(self) -> Refusal | None:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self._limits.head:
            return self._too_long(size)
        if len(self.headers) > self._limits.headers:
            words = (
                f"the request has {len(self.headers):,} headers; at most {self._limits.headers:,} are taken"
            )
            return refusals.head_too_large(words)
        if b"%00" in self.url:
            return refusals.malformed("the address has a NUL character in it; leave it out")
        return None

    def _too_long(self, size: int) -> Refusal:
        words = f"address and headers have {size:,} bytes; at most {self._limits.head:,} are taken"
        return refusals.head_too_large(words)

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in the server's own words and hang up; where another answer is under way, just hang up."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()
            return
        self._answer(refusal)
        if self.transport.can_write_eof():  # TLS has no half-closed connections
            self.transport.write_eof()
        self._deaf = True
        self._close_after(LINGER)

    def _answer(self, refusal: Refusal) -> None:
        path = self.url.partition(b"?")[0].decode("latin-1")
        response = answered(surface_of(path), refusal.problem)
        headers = [*self.server_state.default_headers, *response.raw_headers]
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        status = STATUS_LINE[response.status_code]
        self.transport.write(status + head + b"connection: close\r\n\r\n" + bytes(response.body))

    def _close_after(self, seconds: float) -> None:
        self._stop_reading_timer()
        self._reading = self.loop.call_later(seconds, self.transport.close)

    def _stop_reading_timer(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _unsent(self) -> int:
        return self.transport.get_write_buffer_size()

    def _watch_writing(self, before: int) -> None:
        self._stop_writing_timer()
        self._writing = self.loop.call_later(self._limits.write_silence, self._look, before)

    def _look(self, before: int) -> None:
        left = self._unsent()
        if left >= before:
            self.transport.abort()
        else:
            self._watch_writing(left)

    def _stop_writing_timer(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
