"""The synchronous router: the same answers, from any thread and inside a running loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from desk import png
from image_router import aio
from image_router.blocking import ImageRouter
from image_router.config import Settings
from image_router.core.errors import InvalidRequest, NoEligibleTier
from image_router.core.reply import Reply
from image_router.core.results import ImageResult
from image_router.providers.base import Call
from image_router.testing import ScriptedProvider


def blocking(home: Path, provider: ScriptedProvider | None = None) -> ImageRouter:
    return ImageRouter(Settings(home=home), via=provider or ScriptedProvider())


def test_it_is_the_same_api() -> None:
    """Every public method of the asynchronous router that one would call is here."""
    rest = {
        "aclose",
        "provider",
        "day",
        "world",
        "request",
        "edit_request",
        "accounts",
        "door",
        "shelf",
        "announce",
        "on_behalf_of",
        "waiting",
        "relay",
        "check_day",
        "dated",
        "decided",
        "under",
        "profile",
        "profiles",
    }
    names = {name for name, _ in inspect.getmembers(aio.ImageRouter) if not name.startswith("_")}
    assert names - rest <= {name for name, _ in inspect.getmembers(ImageRouter)}


def test_every_method(tmp_path: Path) -> None:
    """Each method waits for its asynchronous twin and gives its answer."""
    with blocking(tmp_path) as router:
        result = router.generate("a fox", purpose="hero")
        assert result.image.tier == "imagen_4_standard"
        assert router.decide("a fox", purpose="hero").head.tier == "imagen_4_standard"
        assert router.explain("a fox").payload
        assert router.quote("a fox", n=2).images == 2
        assert isinstance(router.generate_many(["a", "b"])[1], ImageResult)
        assert router.edit("at night", image=png()).images
        router.remember(result.image)
        assert router.edit("at night", previous=result.image).images
        assert router.quote_chain("Mira", ["a"]).images == 2
        assert len(router.chain("Mira", ["a", "b"], folder=tmp_path / "run").images) == 2


def test_every_method_says_what_it_does() -> None:
    """help() shows each method with the words and parameters of its asynchronous twin."""
    methods = [name for name, _ in inspect.getmembers(ImageRouter, inspect.isfunction) if name[0] != "_"]
    assert "generate" in methods
    for name in methods:
        assert inspect.getdoc(getattr(ImageRouter, name)), name
    twin = aio.ImageRouter.generate
    assert ImageRouter.generate.__doc__ == twin.__doc__
    assert list(inspect.signature(ImageRouter.generate).parameters) == list(
        inspect.signature(twin).parameters
    )


def test_errors_pass(tmp_path: Path) -> None:
    """Errors are those of the asynchronous router."""
    with blocking(tmp_path) as router:
        with pytest.raises(InvalidRequest, match="the prompt is empty"):
            router.generate("")
        with pytest.raises(NoEligibleTier):
            router.quote("a fox", tier="nano_banana", size="4K")


async def test_inside_a_running_loop(tmp_path: Path) -> None:
    """It works inside a running event loop, since its own loop is another one."""
    assert asyncio.get_running_loop().is_running()
    with blocking(tmp_path) as router:
        assert router.generate("a fox").images


def test_from_many_threads(tmp_path: Path) -> None:
    """Threads may share one router."""
    provider = ScriptedProvider()
    with blocking(tmp_path, provider) as router, ThreadPoolExecutor(4) as pool:
        results = list(pool.map(router.generate, [f"fox {i}" for i in range(8)]))
    assert len({result.request_id for result in results}) == len(provider.calls) == 8


def test_closing(tmp_path: Path) -> None:
    """Closing ends the thread and the provider, may be repeated, and later calls are refused plainly."""
    provider = ScriptedProvider()
    router = blocking(tmp_path, provider)
    router.generate("a fox")
    threads = {thread.name for thread in threading.enumerate()}
    router.close()
    router.close()
    assert provider.closed
    assert "image-router" in threads
    assert "image-router" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(RuntimeError, match="this router is closed; make a new one"):
        router.generate("a fox")


def test_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while waiting cancels the call; nothing of it is left when the router is closed."""
    cancelled = threading.Event()
    sent = threading.Event()

    class Hanging(ScriptedProvider):
        async def generate(self, call: Call, *, timeout: float) -> Reply:
            sent.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            raise AssertionError

    result = Future.result

    def interrupted(future: Future[Any], timeout: float | None = None) -> Any:
        if threading.current_thread() is not threading.main_thread():
            return result(future, timeout)
        assert sent.wait(10)
        raise KeyboardInterrupt

    with blocking(tmp_path, Hanging()) as router:
        monkeypatch.setattr(Future, "result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            router.generate("a fox")
        monkeypatch.undo()
    assert cancelled.is_set()
