"""A gateway over real HTTP in front of the emulator, each test its own home."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from gemini_emulator import Emulator
from image_router.config import Limits
from image_router.gateway.api import gateway
from image_router.gateway.opening import Choices
from image_router.gateway.serving import Bind, config_of
from image_router.testing import emulated

DAY = "2026-11-22"


@dataclass(frozen=True)
class Site:
    """A running gateway and the emulator behind it."""

    url: str
    emulator: Emulator
    home: Path


class _Server(uvicorn.Server):
    """Says when it listens, or that it never will."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}"


def started(factory: Callable[[], Any], stack: ExitStack, limits: Limits | None = None) -> str:
    """Serve in a thread until the stack closes; answers the address."""
    server = _Server(config_of(factory, Bind(port=0, limits=limits or Limits())))

    def run() -> None:
        try:
            server.run()
        finally:
            server.ready.set()

    thread = threading.Thread(target=run, name="gateway", daemon=True)
    thread.start()
    server.ready.wait()
    if not server.started:
        raise RuntimeError("the gateway did not start")

    def stop() -> None:
        server.should_exit = True
        thread.join()

    stack.callback(stop)
    return server.url


def _site(home: Path, choices: Choices, stack: ExitStack, **more: Any) -> Site:
    emulator = stack.enter_context(emulated(as_of=DAY))
    offline = {"offline": True, "emulator_url": emulator.url}
    where = {"base_url": emulator.url} if "api_key" in more else offline
    settings = {"home": home, "as_of": DAY, **where, **more}
    url = started(partial(gateway, choices, **settings), stack, more.get("limits"))
    return Site(url=url, emulator=emulator, home=home)


@pytest.fixture
def site_of(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes a site with settings of the test's own, limits among them; with an `api_key` not offline."""
    with ExitStack() as stack:

        def make(*, keys: bool = False, **settings: Any) -> Site:
            return _site(tmp_path / "home", Choices(open=not keys), stack, **settings)

        yield make


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Open mode, in front of an emulator of its own, with the day pinned."""
    with ExitStack() as stack:
        yield _site(tmp_path / "home", Choices(open=True), stack)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Site]:
    """The same, where everybody shows a key."""
    with ExitStack() as stack:
        yield _site(tmp_path / "home", Choices(), stack)
