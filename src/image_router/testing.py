"""For our users' tests and ours: a scripted provider, a clock that stands still, the emulator as a fixture.

script = Script().fail(overloaded(), times=2).then_paint()
provider = ScriptedProvider(script)
"""

from __future__ import annotations

import io
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from image_router.core.catalog import Model
from image_router.core.reply import ApiError, FaultKind, Reply, ReplyImage, ReplyText, TransportFault
from image_router.core.text_calls import TextCall
from image_router.core.types import Dialect, Usage
from image_router.providers.base import Call, Entitlement, ListedModel

if TYPE_CHECKING:
    from gemini_emulator import Emulator


@dataclass(slots=True)
class FrozenClock:
    """A monotonic clock that moves only when someone sleeps or says so. Seconds."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Pass as the sleep of dispatch: time moves, nobody waits."""
        self.slept.append(seconds)
        self.now += seconds


def overloaded() -> Reply:
    """503: the model is overloaded."""
    return failed(503, "UNAVAILABLE", message="The model is overloaded. Please try again later.")


def failed(http_status: int, status: str, *, message: str, **details: Any) -> Reply:
    """An error body."""
    error = ApiError(http_status=http_status, status=status, message=message, **details)
    return Reply(http_status=http_status, error=error)


def refused(reason: str = "IMAGE_SAFETY", message: str = "Unable to show the generated image.") -> Reply:
    """HTTP 200 without a picture, for the content's sake."""
    return Reply(
        http_status=200,
        has_candidates=True,
        finish_reason=reason,
        finish_message=message,
        usage=Usage(prompt_tokens=9, total_tokens=9),
    )


def words_only(text: str) -> Reply:
    """HTTP 200 with words where a picture was asked for."""
    usage = Usage(prompt_tokens=9, candidates_tokens=12, total_tokens=21)
    return Reply(
        http_status=200,
        has_candidates=True,
        parts=(ReplyText(text=text),),
        finish_reason="STOP",
        usage=usage,
    )


def lost(kind: FaultKind = FaultKind.DROPPED, *, sent: bool = True) -> Reply:
    """A transport fault; sent=True leaves open whether it was billed."""
    return Reply(fault=TransportFault(kind=kind, sent=sent, detail="the connection closed"))


def painted(call: Call, *, overhead: int = 100) -> Reply:
    """What the model would answer: one real picture of its true size, with the usage of its size."""
    tokens = call.model.tokens_per_image.get(call.parameters.size, 0)
    priced_by_image = call.model.dialect is Dialect.PREDICT
    usage = (
        Usage(images=1)
        if priced_by_image
        else Usage(
            prompt_tokens=10,
            candidates_tokens=tokens + overhead,
            image_tokens=tokens,
            total_tokens=10 + tokens + overhead,
        )
    )
    return Reply(
        http_status=200,
        has_candidates=True,
        parts=(ReplyImage(data=_png(call), declared_type="image/png"),),
        finish_reason="STOP",
        usage=usage,
        response_id=f"response-{zlib.crc32(call.request.prompt.encode()):08x}",
    )


def _png(call: Call) -> bytes:
    pixels = call.model.pixels_for(call.parameters.aspect, call.parameters.size)
    return _blank(pixels.width, pixels.height) if pixels else _blank(1024, 1024)


@lru_cache(maxsize=64)
def _blank(width: int, height: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("1", (width, height), 1).save(file, "PNG")
    return file.getvalue()


class Script:
    """Replies in order; when they run out, every call is painted."""

    def __init__(self) -> None:
        self._replies: deque[Reply | None] = deque()

    def fail(self, reply: Reply, *, times: int = 1) -> Self:
        self._replies.extend([reply] * times)
        return self

    def then_paint(self, *, times: int = 1) -> Self:
        self._replies.extend([None] * times)
        return self

    def next_for(self, call: Call) -> Reply:
        scripted = self._replies.popleft() if self._replies else None
        return painted(call) if scripted is None else scripted


class ScriptedProvider:
    """A provider that plays a script and remembers its calls. Never contacts anything.

    `words` are the replies to text calls, in order; after them the first half of the prompt comes back.
    """

    name = "scripted"
    real = False

    def __init__(
        self,
        script: Script | None = None,
        *,
        listed: tuple[ListedModel, ...] = (),
        words: Iterable[Reply] = (),
    ) -> None:
        self._script = script or Script()
        self._listed = listed
        self._words = deque(words)
        self.calls: list[Call] = []
        self.texts: list[TextCall] = []
        self.closed = False

    async def generate(self, call: Call, *, timeout: float) -> Reply:
        self.calls.append(call)
        return self._script.next_for(call)

    async def write(self, call: TextCall, *, timeout: float) -> Reply:
        self.texts.append(call)
        if self._words:
            return self._words.popleft()
        return words_only(call.prompt[: len(call.prompt) // 2])

    async def models(self) -> tuple[ListedModel, ...]:
        return self._listed

    async def probe(self, model: Model) -> Entitlement:
        known = {listed.id for listed in self._listed}
        return Entitlement.ENTITLED if model.id in known else Entitlement.NOT_FOUND

    async def aclose(self) -> None:
        self.closed = True


@contextmanager
def emulated(**settings: Any) -> Iterator[Emulator]:
    """The emulator over real HTTP, without waiting: `with emulated(as_of="2026-04-09") as emulator`."""
    from gemini_emulator import serve

    with serve(**{"latency": 0.0, **settings}) as emulator:
        yield emulator
