"""Runs a character chain: steps from core, images from the router, memory in a run folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from image_router.core.chain import (
    ChainImages,
    ChainItem,
    Made,
    Step,
    character_chain,
    combined,
    reference_item,
    variant_item,
    variant_key,
)
from image_router.core.decision import Decision
from image_router.core.errors import (
    AssetError,
    ContentRefused,
    CostLimitExceeded,
    ImageRouterError,
    InvalidRequest,
    ProviderError,
)
from image_router.core.events import Event, ImageMade, Sink
from image_router.core.money import Nanos, show_usd
from image_router.core.rates import Quote
from image_router.core.results import Attempt, GeneratedImage, ImageResult
from image_router.core.types import ImageRequest, Purpose, Reference, ReferenceRole
from image_router.storage.run_folder import RunFolder


class Maker(Protocol):
    """What a chain needs of the router."""

    async def decide(self, prompt: ImageRequest, *, profile: str | None) -> Decision: ...

    async def generate(
        self, prompt: ImageRequest, *, profile: str | None, on_event: Sink | None
    ) -> ImageResult: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFailure:
    """A variant that did not come; the others are not held up by it."""

    key: str
    prompt: str
    error: ImageRouterError


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainResult:
    """Reference and variants in order, failures among them. Amounts in nano-dollars."""

    reference: GeneratedImage
    variants: tuple[GeneratedImage | ChainFailure, ...]
    quote: Quote
    attempts: tuple[Attempt, ...]
    """Of this run; pictures found in the run folder have none."""
    paid_before: Nanos
    """What the pictures found in the run folder had cost."""
    manifest: Path | None
    warnings: tuple[str, ...] = ()
    """What routing had to say, such as a locked identity away from its specialist, each thing once; and
    pictures that were made and paid, but could not be kept in the run folder."""

    @property
    def images(self) -> tuple[GeneratedImage, ...]:
        """The variants that came."""
        return tuple(variant for variant in self.variants if isinstance(variant, GeneratedImage))

    @property
    def failures(self) -> tuple[ChainFailure, ...]:
        return tuple(variant for variant in self.variants if isinstance(variant, ChainFailure))

    @property
    def cost(self) -> Nanos:
        """Of this run, failed attempts included."""
        return sum(attempt.cost.total for attempt in self.attempts)

    @property
    def at_risk(self) -> Nanos:
        return sum(attempt.at_risk for attempt in self.attempts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainPlan:
    """What to run: one character, its variants, and how."""

    base: ImageRequest
    variants: tuple[str, ...]
    profile: str | None = None
    concurrency: int = 4

    def __post_init__(self) -> None:
        if not self.variants or not all(_says_something(prompt) for prompt in self.variants):
            raise InvalidRequest("a chain needs at least one variant, and no variant's prompt may be empty")
        if self.base.n != 1:
            raise InvalidRequest(f"n is {self.base.n}; a chain makes one picture of each variant")
        if self.base.purpose not in (Purpose.ECONOMY, Purpose.CHARACTER_LOCK):
            raise InvalidRequest(
                f"purpose {self.base.purpose} has no place in a chain: its reference is made as economy, its "
                f"variants as character_lock; leave the purpose out, or pin a tier"
            )
        if self.concurrency < 1:
            raise InvalidRequest(f"concurrency is {self.concurrency}; make at least 1 variant at a time")


def _told(item: ChainItem, result: ImageResult) -> Iterator[str]:
    """What routing said, and a locked identity that another model than the decided one made."""
    yield from result.decision.warnings
    head, image = result.decision.head, result.image
    if item.request.locks_identity and image.model != head.model.id:
        yield (
            f"{item.key}: the identity is locked, and {image.model} ({image.tier}) made it after "
            f"{head.model.id} ({head.tier}) failed: compare the looks"
        )


def _keyed(item: ChainItem, kept: RunFolder | None) -> ImageRequest:
    """A chain's key names the whole chain; each of its pictures has a key of its own, as each has in a run
    folder: a process may be killed after paying and before the folder has the picture."""
    if item.request.key:
        return replace(item.request, key=f"{item.request.key}/{item.key}")
    return replace(item.request, key=kept.key_of(item)) if kept else item.request


def _says_something(prompt: object) -> bool:
    return isinstance(prompt, str) and bool(prompt.strip())


async def quote_chain(maker: Maker, plan: ChainPlan) -> Quote:
    """The whole chain up front: the reference, and each variant with one reference input.

    Raises CostLimitExceeded when it is above the request's max_total.
    """
    base = replace(plan.base, max_total=None)
    stand_in = Reference(
        data=b"", media_type="image/png", digest="0" * 64, width=0, height=0, role=ReferenceRole.CHARACTER
    )
    items = [reference_item(base)]
    items += [
        variant_item(base, place, prompt=prompt, reference=stand_in)
        for place, prompt in enumerate(plan.variants, 1)
    ]
    decisions = [await maker.decide(item.request, profile=plan.profile) for item in items]
    quote = combined(decision.quote for decision in decisions)
    limit = plan.base.max_total
    if limit is not None and quote.total > limit:
        raise CostLimitExceeded(
            f"the chain of {quote.images} images costs {show_usd(quote.total)}; the limit is "
            f"{show_usd(limit)}: raise it, or ask for fewer variants",
            limit=limit,
            asked=quote.total,
        )
    return quote


async def run_chain(
    maker: Maker, plan: ChainPlan, *, folder: Path | None = None, on_event: Sink | None = None
) -> ChainResult:
    """Make the reference, then all variants side by side; what the folder already holds is free.

    Raises ChainError when the reference fails or the folder holds another chain.
    """
    quote = await quote_chain(maker, plan)
    with RunFolder(folder) if folder else nullcontext() as kept:
        before = kept.paid if kept else 0
        run = _Run(maker, plan, kept=kept, on_event=on_event)
        done = await run.all()
    return ChainResult(
        reference=done.reference,
        variants=run.told(done),
        quote=quote,
        attempts=tuple(run.attempts),
        paid_before=before,
        manifest=kept.manifest if kept else None,
        warnings=tuple(run.warnings),
    )


class _Run:
    """One chain on its way."""

    def __init__(
        self, maker: Maker, plan: ChainPlan, *, kept: RunFolder | None, on_event: Sink | None
    ) -> None:
        self._maker, self._plan, self._kept, self._on_event = maker, plan, kept, on_event
        self._gate = asyncio.Semaphore(plan.concurrency)
        self.attempts: list[Attempt] = []
        self.warnings: list[str] = []

    async def all(self) -> ChainImages:
        flow = character_chain(replace(self._plan.base, max_total=None), self._plan.variants)
        step = next(flow)
        while True:
            try:
                step = flow.send(await self._answers(step))
            except StopIteration as end:
                images: ChainImages = end.value
                return images

    async def _answers(self, step: Step) -> Mapping[str, Made]:
        """What the folder holds is looked up first, so that another chain's folder costs nothing."""
        found = await asyncio.to_thread(self._kept.finished, step) if self._kept else {}
        missing = [item for item in step if item.key not in found]
        made = await asyncio.gather(*(self._make(item) for item in missing))
        return {**found, **dict(zip((item.key for item in missing), made, strict=True))}

    async def _make(self, item: ChainItem) -> Made:
        async with self._gate:
            try:
                result = await self._maker.generate(
                    _keyed(item, self._kept), profile=self._plan.profile, on_event=self._named(item.key)
                )
            except ImageRouterError as error:
                self.attempts += error.attempts if isinstance(error, ProviderError) else ()
                if isinstance(error, ContentRefused):
                    self._refused(item)
                return error
            self.attempts += result.attempts
            self.warnings += (word for word in _told(item, result) if word not in self.warnings)
            image = replace(result.image, warnings=(*result.warnings, *result.image.warnings))
            return self._stored(item, image)

    def _stored(self, item: ChainItem, image: GeneratedImage) -> GeneratedImage:
        """Kept on the spot, without a pause in which a cancellation could lose it."""
        if self._kept is None:
            return image
        try:
            self._kept.keep(item, image)
        except AssetError as trouble:
            self.warnings.append(str(trouble))
            return replace(image, warnings=(*image.warnings, str(trouble)))
        return image

    def _refused(self, item: ChainItem) -> None:
        try:
            if self._kept is not None:
                self._kept.refused(item)
        except AssetError as trouble:
            self.warnings.append(str(trouble))

    def _named(self, key: str) -> Sink | None:
        """The caller's sink, told which item a picture belongs to."""
        sink = self._on_event
        if sink is None:
            return None

        def named(event: Event) -> None:
            sink(replace(event, key=key) if isinstance(event, ImageMade) else event)

        return named

    def told(self, done: ChainImages) -> tuple[GeneratedImage | ChainFailure, ...]:
        """The variants, each failure with its prompt."""
        return tuple(
            variant
            if isinstance(variant, GeneratedImage)
            else ChainFailure(key=variant_key(place), prompt=prompt, error=variant)
            for place, (variant, prompt) in enumerate(zip(done.variants, self._plan.variants, strict=True), 1)
        )
