"""image-router with a monitor on its event loop: `python bench/gateway_watched.py serve …`.

GET /bench/stalls answers the sorted lateness, in ms, of a task that wants to run every 2 ms, and forgets it.
Without arguments it is the idle control: a loop that does nothing else and prints the same at SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from image_router.gateway.app import Gateway

EVERY = 0.002
"""Seconds."""


class Monitor:
    """How late a loop is."""

    def __init__(self) -> None:
        self._late: list[float] = []

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            self._late.append((loop.time() - due) * 1000)

    def taken(self) -> bytes:
        late, self._late = sorted(self._late), []
        return json.dumps([round(one, 3) for one in late]).encode()


def watched(call: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """The gateway's own way in, with the monitor beside it."""
    monitor, tasks = Monitor(), []

    async def entered(self: Gateway, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            tasks.append(asyncio.create_task(monitor.watch()))
        if scope.get("path") != "/bench/stalls":
            await call(self, scope, receive, send)
            return
        body = monitor.taken()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return entered


async def _idle() -> None:
    monitor, stop = Monitor(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    task = asyncio.create_task(monitor.watch())
    print(0, flush=True)
    await stop.wait()
    task.cancel()
    print(monitor.taken().decode(), flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        asyncio.run(_idle())
    else:
        from image_router.cli.app import run

        Gateway.__call__ = watched(Gateway.__call__)  # type: ignore[method-assign]
        run()
