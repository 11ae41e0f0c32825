"""Progress of a paid command: elapsed time, pictures so far, price so far. Silent where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from image_router.core.decision import Decision
from image_router.core.errors import AssetError
from image_router.core.events import AttemptEnded, AttemptStarted, Decided, Event, ImageFailed, ImageMade
from image_router.core.money import Nanos, show_usd
from image_router.core.results import GeneratedImage


class Watch:
    """A sink that keeps every picture the moment it is made, and shows a line on stderr meanwhile."""

    def __init__(self, keep: Callable[[GeneratedImage, str], Path], *, images: int) -> None:
        self._keep = keep
        self._images = images
        self.quoted: Nanos = 0
        self.saved: dict[tuple[str, int], Path] = {}
        """Chain item and index of the picture → its file."""
        self.cost: Nanos = 0
        self._unknown: Nanos = 0
        self._ceilings: dict[str, Callable[[str], Nanos]] = {}
        """Request → the most that one call of it to a model may cost."""
        self._in_flight: dict[tuple[str, int, int], Nanos] = {}
        self.failures = 0
        self._note = "asking"
        self._progress = Progress(
            SpinnerColumn(),
            TimeElapsedColumn(table_column=Column(min_width=7, no_wrap=True)),
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task: TaskID | None = None
        self.trouble: AssetError | None = None
        """The first picture that could not be written; a sink must not raise."""

    @property
    def cut_off(self) -> int:
        """Calls begun and not ended."""
        return len(self._in_flight)

    @property
    def at_risk(self) -> Nanos:
        """The most that calls of unknown outcome may cost, those not ended among them."""
        return self._unknown + sum(self._in_flight.values())

    def __enter__(self) -> Self:
        self._progress.start()
        if self._task is None:
            self._task = self._progress.add_task(self._line(), total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        match event:
            case Decided(request_id=request, decision=decision):
                self._ceilings[request] = partial(_most_of_a_call, decision)
                return
            case AttemptStarted(request_id=request, index=index, model=model, number=number, wait=wait):
                self._in_flight[request, index, number] = self._ceilings[request](model)
                again = f", attempt {number}" if number > 1 else ""
                self._note = f"{model}{again}" + (f", waiting {wait:.1f} s" if wait else "")
            case AttemptEnded(request_id=request, index=index, attempt=attempt):
                self._in_flight.pop((request, index, attempt.number), None)
                self.cost += attempt.cost.total
                self._unknown += attempt.at_risk
            case ImageMade(image=image, key=key):
                self._store(image, key)
            case ImageFailed(failure=failure):
                self.failures += 1
                self._note = str(failure.error)
            case _:
                return
        if self._task is not None:
            self._progress.update(self._task, description=self._line())

    def _store(self, image: GeneratedImage, key: str) -> None:
        try:
            self.saved[key, image.index] = self._keep(image, key)
        except AssetError as error:
            self.trouble = self.trouble or error

    def _line(self) -> str:
        failed = f", {self.failures} failed" if self.failures else ""
        done = f"{len(self.saved)}/{self._images} images{failed}"
        return f"{done} · {show_usd(self.cost)} so far, {show_usd(self.quoted)} quoted · {self._note}"


def _most_of_a_call(decision: Decision, model: str) -> Nanos:
    """The ceiling of one image by that model, whichever candidate it is called as."""
    quotes = [candidate.quote for candidate in decision.candidates]
    named = [candidate.quote for candidate in decision.candidates if candidate.model.id == model]
    return max(-(-quote.ceiling // quote.images) for quote in named or quotes)
