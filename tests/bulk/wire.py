"""A network between clients and a PostgreSQL server, which can be cut without anybody being told."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import make_url


@dataclass(slots=True, kw_only=True)
class Wire:
    """Made by `wired`."""

    socket: str
    url: str = ""
    """The database at the far end, through this."""
    whole: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, nothing gets through and no connection ends: what was sent arrives afterwards."""
    pumps: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self) -> None:
        self.whole.clear()

    def mend(self) -> None:
        self.whole.set()

    async def _join(self, reader: StreamReader, writer: StreamWriter) -> None:
        await self.whole.wait()
        far_reader, far_writer = await asyncio.open_unix_connection(self.socket)
        for source, target in ((reader, far_writer), (far_reader, writer)):
            pump = asyncio.create_task(self._pump(source, target))
            self.pumps.add(pump)
            pump.add_done_callback(self.pumps.discard)

    async def _pump(self, source: StreamReader, target: StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                while data := await source.read(65_536):
                    await self.whole.wait()
                    target.write(data)
                    await target.drain()
                await self.whole.wait()
        finally:
            target.close()


@asynccontextmanager
async def wired(database: str) -> AsyncIterator[Wire]:
    """A whole wire to a database whose URL names a socket's folder as its host."""
    url = make_url(database)
    wire = Wire(socket=f"{url.query['host']}/.s.PGSQL.5432")
    wire.mend()
    server = await asyncio.start_server(wire._join, "127.0.0.1", 0)
    near = url.set(host="127.0.0.1", port=server.sockets[0].getsockname()[1], query={})
    wire.url = near.render_as_string(hide_password=False)
    try:
        yield wire
    finally:
        server.close()
        pumps = list(wire.pumps)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
