"""Progress of a paid command: elapsed time, pictures so far, price so far. Silent where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from image_router.core.errors import AssetError
from image_router.core.events import AttemptEnded, AttemptStarted, Event, ImageFailed, ImageMade
from image_router.core.money import Nanos, show_usd
from image_router.core.results import GeneratedImage


class Watch:
    """A sink that keeps every picture the moment it is made, and shows a line on stderr meanwhile."""

    def __init__(self, keep: Callable[[GeneratedImage, str], Path], *, images: int) -> None:
        self._keep = keep
        self._images = images
        self.quoted: Nanos = 0
        self.saved: dict[str, Path] = {}
        """Digest of the picture → its file."""
        self.cost: Nanos = 0
        self.at_risk: Nanos = 0
        self.in_flight = 0
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

    def __enter__(self) -> Self:
        self._progress.start()
        self._task = self._progress.add_task(self._line(), total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        match event:
            case AttemptStarted(model=model, number=number, wait=wait):
                self.in_flight += 1
                again = f", attempt {number}" if number > 1 else ""
                self._note = f"{model}{again}" + (f", waiting {wait:.1f} s" if wait else "")
            case AttemptEnded(attempt=attempt):
                self.in_flight -= 1
                self.cost += attempt.cost.total
                self.at_risk += attempt.at_risk
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
            self.saved[image.digest] = self._keep(image, key)
        except AssetError as error:
            self.trouble = self.trouble or error

    def _line(self) -> str:
        failed = f", {self.failures} failed" if self.failures else ""
        done = f"{len(self.saved)}/{self._images} images{failed}"
        return f"{done} · {show_usd(self.cost)} so far, {show_usd(self.quoted)} quoted · {self._note}"
