"""What one HTTP exchange took: its time, and the bytes both ways."""

from __future__ import annotations

import time
from typing import Final

from starlette.types import Message, Receive, Send

from image_router.core.events import HttpAnswered

NOT_BEGUN: Final = 499
"""The status of an exchange whose caller left before the answer began: nginx's word for it."""


class Meter:
    """Stands between the server and an application; what passes is counted, nothing is changed."""

    __slots__ = ("_began", "_in", "_out", "_receive", "_send", "_status")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._began = time.perf_counter()
        self._in = self._out = 0
        self._status = NOT_BEGUN

    async def receive(self) -> Message:
        message = await self._receive()
        self._in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self._status = message["status"]
        self._out += len(message.get("body", b""))

    def reading(self, method: str, route: str, *, visit_id: str) -> HttpAnswered:
        """Of the exchange so far. `route` is the template of the path."""
        return HttpAnswered(
            id=visit_id,
            route=route,
            method=method,
            status=self._status,
            elapsed=time.perf_counter() - self._began,
            bytes_in=self._in,
            bytes_out=self._out,
        )
