"""The same router for synchronous callers: every call runs on one private event loop thread.

Works inside a running event loop too, because the loop is never the caller's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from functools import update_wrapper
from types import TracebackType
from typing import Any, Self, TypeVar

from image_router import aio
from image_router.config import Settings
from image_router.core.decision import Decision
from image_router.core.errors import ImageRouterError
from image_router.core.rates import Quote
from image_router.core.results import GeneratedImage, ImageResult
from image_router.core.types import ImageRequest
from image_router.engine.chains import ChainResult
from image_router.engine.explaining import Explanation
from image_router.providers.base import Provider

T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])


def _like(twin: Callable[..., Any]) -> Callable[[Method], Method]:
    """A method with the words and parameters of its asynchronous twin, so that help() shows them."""

    def told(method: Method) -> Method:
        update_wrapper(method, twin)
        return method

    return told


class ImageRouter:
    """Each method is the asynchronous router's, waited for; arguments and errors are the same.

        with ImageRouter(offline=True) as router:
            result = router.generate("a red mug on a table", purpose="hero")
            result.image.data, result.cost

    Arguments are settings (see config.Settings) or `via`, a provider of your own, as aio.ImageRouter takes
    them. Raises ConfigError for broken settings or facts.
    """

    def __init__(
        self, settings: Settings | None = None, *, via: Provider | None = None, **overrides: Any
    ) -> None:
        self._router = aio.ImageRouter(settings, via=via, **overrides)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="image-router", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop what is under way, close connections and end the loop's thread."""
        if self._loop.is_closed():
            return
        self._wait(self._settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _settle(self) -> None:
        """A call that Ctrl-C interrupted may still be ending; its thread and task end first."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._router.aclose()
        await self._loop.shutdown_default_executor()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("this router is closed; make a new one")
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()  # after Ctrl-C the work must not go on unseen; what has ended does not notice

    @_like(aio.ImageRouter.generate)
    def generate(self, prompt: str | ImageRequest, **asked: Any) -> ImageResult:
        return self._wait(self._router.generate(prompt, **asked))

    @_like(aio.ImageRouter.generate_many)
    def generate_many(
        self, requests: Iterable[str | ImageRequest], **how: Any
    ) -> tuple[ImageResult | ImageRouterError, ...]:
        return self._wait(self._router.generate_many(requests, **how))

    @_like(aio.ImageRouter.edit)
    def edit(self, instruction: str, **asked: Any) -> ImageResult:
        return self._wait(self._router.edit(instruction, **asked))

    @_like(aio.ImageRouter.decide)
    def decide(self, prompt: str | ImageRequest, **asked: Any) -> Decision:
        return self._wait(self._router.decide(prompt, **asked))

    @_like(aio.ImageRouter.explain)
    def explain(self, prompt: str | ImageRequest, **asked: Any) -> Explanation:
        return self._wait(self._router.explain(prompt, **asked))

    @_like(aio.ImageRouter.quote)
    def quote(self, prompt: str | ImageRequest, **asked: Any) -> Quote:
        return self._wait(self._router.quote(prompt, **asked))

    @_like(aio.ImageRouter.chain)
    def chain(self, character_prompt: str, variants: Sequence[str], **asked: Any) -> ChainResult:
        return self._wait(self._router.chain(character_prompt, variants, **asked))

    @_like(aio.ImageRouter.quote_chain)
    def quote_chain(self, character_prompt: str, variants: Sequence[str], **asked: Any) -> Quote:
        return self._wait(self._router.quote_chain(character_prompt, variants, **asked))

    @_like(aio.ImageRouter.remember)
    def remember(self, image: GeneratedImage) -> None:
        self._router.remember(image)
