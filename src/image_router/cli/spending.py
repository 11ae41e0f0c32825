"""One way to spend: ask above the threshold, watch, keep what is finished, say what it cost."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from image_router.cli.failures import INTERRUPTED, OK, PARTIAL
from image_router.cli.options import settings_from
from image_router.cli.preview import can_preview, half_blocks
from image_router.cli.progress import Watch
from image_router.cli.shelf import PIPE
from image_router.config import Settings
from image_router.core.decision import Decision, DropReason
from image_router.core.errors import CostLimitExceeded
from image_router.core.hints import hints_of
from image_router.core.money import Nanos, show_usd, usd_text
from image_router.core.results import GeneratedImage, ImageResult
from image_router.engine.views import result_view
from image_router.wiring import start_logging

# Dropped after the first choice stood, or for reasons that say nothing about what a tier can do.
_ABLE = frozenset(
    {
        DropReason.SAME_MODEL,
        DropReason.PINNED_ELSEWHERE,
        DropReason.NOT_A_FALLBACK,
        DropReason.DEARER_THAN_ALLOWED,
        DropReason.BUDGET,
        DropReason.GUARD,
    }
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a command spends and shows, from its options."""

    yes: bool
    preview: bool
    as_json: bool
    piped: bool = False
    """The picture itself goes to stdout; words go to stderr."""

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Manner:
        piped = options["output"] == PIPE
        return cls(
            yes=options.pop("yes"),
            preview=options.pop("preview") and not piped,
            as_json=options.pop("as_json"),
            piped=piped,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a command is about to spend."""

    expected: Nanos
    ceiling: Nanos
    bound: str = "at most"
    """What the ceiling bounds, in words."""
    remark: str = ""
    """What else to think of before saying yes."""

    @property
    def most(self) -> Nanos:
        return max(self.expected, self.ceiling)

    @classmethod
    def of(cls, decision: Decision) -> Price:
        """With every fallback counted: the first choice may fail, and a dearer one serve."""
        return cls(expected=decision.quote.total, ceiling=decision.ceiling)

    def __str__(self) -> str:
        remark = f" ({self.remark})" if self.remark else ""
        return f"{show_usd(self.expected)} expected, {self.bound} {show_usd(self.ceiling)}{remark}"


def confirm(price: Price, *, above: Nanos, manner: Manner) -> None:
    """Ask before a spend that is, or can come, above the threshold.

    Raises CostLimitExceeded when nobody can answer or says no.
    """
    most = price.most
    if most <= above or manner.yes:
        return
    if manner.as_json or not sys.stdin.isatty():
        raise CostLimitExceeded(
            f"this would spend {price}, above the {show_usd(above)} that needs no question (confirm_above); "
            "add --yes to spend it, or ask for fewer or smaller images",
            limit=above,
            asked=most,
        )
    if not click.confirm(f"This spends {price}. Go on?", err=True):
        raise CostLimitExceeded(f"not confirmed: {price}; nothing was spent", limit=above, asked=most)


class _Unasked(Exception):
    """More than may be spent without a question, which is put when nothing is claimed or shown."""

    def __init__(self, price: Price) -> None:
        super().__init__(str(price))
        self.price = price


class Consent:
    """The router's `approve`: asks about what is really left to pay, not about what is free by now."""

    def __init__(self, watch: Watch, *, above: Nanos, manner: Manner, then: Callable[[], None]) -> None:
        self._watch, self._above, self._manner, self._then = watch, above, manner, then
        self._allowed = above

    def __call__(self, decision: Decision) -> None:
        price = Price.of(decision)
        self._watch.quoted = price.expected
        if price.most > self._allowed and not self._manner.yes:
            raise _Unasked(price)
        self._then()

    async def given(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do the work; where it stops for a question, ask and start it again. No key is claimed meanwhile."""
        while True:
            try:
                with self._watch:
                    return await work()
            except _Unasked as stopped:
                confirm(stopped.price, above=self._above, manner=self._manner)
                self._allowed = stopped.price.most


def run_watched(work: Coroutine[Any, Any, T], watch: Watch, *, manner: Manner) -> T:
    """Run a command's work. Ctrl-C ends it with exit 130, and says what is kept and what may be billed."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        _say_interrupted(watch, manner)
        raise click.exceptions.Exit(INTERRUPTED.status) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What became of a result on disk."""

    files: Mapping[int, Path]
    """By index of the image."""
    notes: Sequence[str] = ()


def logged_settings(options: dict[str, Any]) -> Settings:
    """The settings of a command's options, and the log on stderr where they ask for one."""
    settings = settings_from(options)
    if settings.log_level:
        start_logging(settings)
    return settings


def say_notes(notes: Sequence[str], manner: Manner) -> None:
    """On stderr; programs find them in the JSON."""
    for note in () if manner.as_json else notes:
        click.echo(f"note: {note}", err=True)


def show_result(result: ImageResult, shown: Shown, *, manner: Manner) -> int:
    """Print the files with model and cost, failures beside them, and the sum. Answers the exit status."""
    if manner.as_json:
        files = {index: str(path) for index, path in shown.files.items()}
        view = {**result_view(result, files=files), "notes": list(shown.notes)}
        click.echo(json.dumps(view, indent=2, ensure_ascii=False))
    else:
        for image, twin in _with_twins(result.images):
            _show_image(image, shown.files[image.index], manner)
            if twin is not None:
                click.echo(f"note: the same bytes as {shown.files[twin.index]}", err=True)
        for failure in result.failures:
            click.echo(f"image {failure.index + 1} failed ({failure.error.code}): {failure.error}", err=True)
        click.echo(f"why: {_why(result.decision)}", err=True)
        for warning in result.warnings:
            click.echo(f"note: {warning}", err=True)
        for hint in hints_of(result.decision):
            click.echo(f"hint: {hint.words} (--{hint.field})", err=True)
        if len(result.images) > 1 or result.failures or len(result.attempts) > 1:
            click.echo(_sum_line(result), err=manner.piped)
    return PARTIAL.status if result.failures else OK.status


def _with_twins(images: Sequence[GeneratedImage]) -> Iterator[tuple[GeneratedImage, GeneratedImage | None]]:
    """Each image, and the earlier one with the same bytes."""
    first: dict[str, GeneratedImage] = {}
    for image in images:
        twin = first.setdefault(image.digest, image)
        yield image, None if twin is image else twin


def _why(decision: Decision) -> str:
    """The rule that fired and, where its own tier does not serve, what kept it from serving."""
    passed_over = next((f"; not {d.tier}: {d.detail}" for d in decision.dropped if d.reason not in _ABLE), "")
    served_by_rule = decision.head.reason == decision.reason
    return f"{decision.rule}: {decision.reason}{'' if served_by_rule else passed_over}"


def _show_image(image: GeneratedImage, path: Path, manner: Manner) -> None:
    if manner.preview and can_preview():
        click.echo(half_blocks(image.data))
    tier = image.tier or "pinned model"
    price = "free, paid before" if image.cached else show_usd(image.cost.total)
    line = f"{path}  {image.pixels} · {tier} · {image.model} · {price}"
    click.echo(line, err=manner.piped)
    for warning in image.warnings:
        click.echo(f"note: {path.name}: {warning}", err=True)
    if image.text:
        click.echo(f"the model says: {image.text.strip()}", err=True)


def _sum_line(result: ImageResult) -> str:
    risk = f", at risk on top {show_usd(result.at_risk)}" if result.at_risk else ""
    calls = f"{len(result.attempts)} calls" if len(result.attempts) != 1 else "1 call"
    return (
        f"{len(result.images)} of {result.decision.request.n} images, {calls}, {show_usd(result.cost)}{risk}"
    )


def _say_interrupted(watch: Watch, manner: Manner) -> None:
    files = [str(path) for path in watch.saved.values()]
    if manner.as_json:
        view = {
            "interrupted": True,
            "files": files,
            "cost_usd": usd_text(watch.cost),
            "at_risk_usd": usd_text(watch.at_risk),
            "cut_off": watch.cut_off,
        }
        click.echo(json.dumps(view, indent=2))
        return
    click.echo(f"stopped: {len(files)} finished and kept, {show_usd(watch.cost)} spent", err=True)
    for file in files:
        click.echo(file, err=manner.piped)
    if watch.cut_off:
        calls = "1 call was" if watch.cut_off == 1 else f"{watch.cut_off} calls were"
        click.echo(
            f"{calls} cut off; the provider may bill up to {show_usd(watch.at_risk)} all the same", err=True
        )
