"""Gateways of several workers each on one PostgreSQL, before one emulator: as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import NullPool, create_engine, text

import postgres_server
from harness.upstream import Upstream, upstream
from image_router.books import open_books
from image_router.config import Settings, load_settings
from image_router.core.router_keys import KeyRules
from image_router.storage.backends import _WRITERS_LOCK
from image_router.storage.router_keys import RouterKeys

WORKERS = 2
PATIENCE = 120.0
PROVIDER_KEY = "AIzaSy-together-0123456789"


@dataclass(frozen=True)
class Answered:
    """One reply; status 0: the connection broke before it was whole."""

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pictures(self) -> list[str]:
        return [one["b64_json"] for one in self.body.get("data", ())]


@dataclass(frozen=True)
class Gateway:
    """One `image-router serve` with its workers."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def workers(self) -> list[int]:
        """Process ids of the workers that are there now."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children if b"spawn_main" in _command_line(child)]

    async def post(self, secret: str, body: Mapping[str, Any], *, key: str | None = None) -> Answered:
        """Ask for an image on a connection of its own, so that any worker may get it.

        With a key it waits for another request under the same key.
        """
        headers = {"authorization": f"Bearer {secret}"}
        if key is not None:
            headers |= {"idempotency-key": key, "prefer": "wait=60"}
        return await self._ask("POST", "/v1/images/generations", headers=headers, json=dict(body))

    async def status(self, secret: str) -> int:
        """What a request that costs nothing is answered."""
        found = await self._ask("GET", "/v1/models", headers={"authorization": f"Bearer {secret}"})
        return found.status

    async def _ask(self, method: str, path: str, **more: Any) -> Answered:
        connector = aiohttp.TCPConnector(force_close=True)
        try:
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                session.request(method, self.url + path, **more) as reply,
            ):
                return Answered(reply.status, json.loads(await reply.read()))
        except aiohttp.ClientError:
            return Answered(0)


@dataclass(frozen=True)
class Together:
    """All of it, running."""

    gateways: tuple[Gateway, ...]
    emulator: Upstream
    address: str
    """The database, as SQLAlchemy and the ledger take it."""
    settings: Settings

    def end_leases(self, pid: int) -> None:
        """What the length of a lease brings about, at once, for one dead process and no other."""
        owner = f"{socket.gethostname()}:{pid}"
        engine = create_engine(_sync(self.address), poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})"))
            names = {"owner": owner, "works": f"{owner}:%"}
            held = "UPDATE holds SET lease_until = 0 WHERE owner = :owner AND state = 'open'"
            works = "UPDATE works SET lease_until = 0 WHERE owner LIKE :works AND state = 'running'"
            for command in (held, works):
                connection.execute(text(command), names)
        engine.dispose()


async def new_key(site: Together, scope: str) -> tuple[str, str]:
    """Id and secret of a router key that pays from this scope."""
    async with open_books(site.settings) as books:
        made = await RouterKeys(books.db).create(KeyRules(name="together", scope=scope), who="harness")
        return made.key.id, made.secret.text


@contextmanager
def together(*, durable: bool = False, latency: float = 0.05) -> Iterator[Together]:
    """Two gateways with two workers each; `durable`: PostgreSQL keeps its fsync."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options = () if durable else postgres_server.FAST
        address, _ = stack.enter_context(postgres_server.private(options=options))
        emulator = stack.enter_context(upstream("--latency", str(latency), "--as-of", "2026-11-22"))
        settings = {
            "IMAGE_ROUTER_HOME": str(folder / "home"),
            "IMAGE_ROUTER_DATABASE_URL": address,
            "GEMINI_API_KEY": PROVIDER_KEY,
            "GOOGLE_GEMINI_BASE_URL": emulator.url,
            "IMAGE_ROUTER_AS_OF": "2026-11-22",
        }
        known = load_settings(environ=settings, folder=folder)
        gateways = tuple(_started(name, folder, settings, stack) for name in ("one", "two"))
        for gateway in gateways:
            _wait_until_ready(gateway)
        yield Together(gateways, emulator, address, known)


def _started(name: str, folder: Path, settings: Mapping[str, str], stack: ExitStack) -> Gateway:
    port, log = free_port(), folder / f"{name}.log"
    program = "from image_router.cli.app import run; run()"
    command = [sys.executable, "-c", program, "serve", "--port", str(port), "--workers", str(WORKERS)]
    process = subprocess.Popen(
        command, env={**os.environ, **settings}, cwd=folder, stderr=stack.enter_context(log.open("wb"))
    )
    stack.callback(_stopped, process)
    return Gateway(f"http://127.0.0.1:{port}", process, log)


def _stopped(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_ready(gateway: Gateway) -> None:
    """Until each of its workers serves: they share a socket, so one of them could answer for both."""
    until = time.monotonic() + PATIENCE

    async def served() -> bool:
        found = await gateway._ask("GET", "/readyz")
        return found.status == 200

    while len(gateway.workers()) < WORKERS or not asyncio.run(served()):
        if gateway.process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the gateway does not serve:\n{gateway.log.read_text()}")
        time.sleep(0.05)


def wait_until_served(url: str, process: subprocess.Popen[bytes]) -> str:
    """The address, once a gateway answers under it."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=PATIENCE):
                return url
        except OSError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{url} does not serve: {error}") from None
        time.sleep(0.05)


def _command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _sync(address: str) -> str:
    return address.replace("postgresql://", "postgresql+psycopg://")
