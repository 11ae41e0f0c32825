"""A load client that costs little: reads one job as JSON from stdin, prints what it saw as JSON.

{"port", "request": the raw HTTP request, "in_flight", "seconds" or "count"} →
{"done", "seconds", "bytes", "bad": answers other than 200, "first_bad", "ms": [p50, p99]}
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field

import httptools
import uvloop


@dataclass
class Tally:
    """What all connections saw together."""

    until: float
    left: int
    began: float = field(default_factory=time.perf_counter)
    times: list[float] = field(default_factory=list)
    bytes: int = 0
    bad: int = 0
    first_bad: str = ""

    def more(self) -> bool:
        """Whether another request shall be sent; takes it if so."""
        if self.left <= 0 or time.perf_counter() > self.until:
            return False
        self.left -= 1
        return True


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request, self._tally = request, tally
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        if not self._tally.more():
            self._transport.close()
            return
        self._parser = httptools.HttpResponseParser(self)
        self._failed: list[bytes] | None = None
        self._began = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() != 200:
            self._failed = []

    def on_body(self, body: bytes) -> None:
        self._tally.bytes += len(body)
        if self._failed is not None:
            self._failed.append(body)

    def on_message_complete(self) -> None:
        self._tally.times.append(time.perf_counter() - self._began)
        if self._failed is not None:
            self._tally.bad += 1
            self._tally.first_bad = self._tally.first_bad or b"".join(self._failed)[:500].decode(
                errors="replace"
            )
        asyncio.get_running_loop().call_soon(self._next)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


async def run(job: dict[str, object]) -> dict[str, object]:
    loop, request = asyncio.get_running_loop(), str(job["request"]).encode()
    seconds, count = float(job.get("seconds", 1e9)), int(job.get("count", 1 << 60))  # type: ignore[arg-type]
    tally = Tally(until=time.perf_counter() + seconds, left=count)
    clients = []
    for _ in range(int(job["in_flight"])):  # type: ignore[call-overload]
        _, client = await loop.create_connection(
            lambda: Client(request, tally), "127.0.0.1", int(job["port"])
        )  # type: ignore[call-overload]
        clients.append(client.ended)
    await asyncio.gather(*clients)
    taken, times = time.perf_counter() - tally.began, sorted(tally.times)
    at = (
        [times[min(len(times) - 1, int(len(times) * share))] * 1000 for share in (0.5, 0.99)] if times else []
    )
    return {
        "done": len(times),
        "seconds": taken,
        "bytes": tally.bytes,
        "bad": tally.bad,
        "first_bad": tally.first_bad,
        "ms": at,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.load(sys.stdin)))))
