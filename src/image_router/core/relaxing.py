"""The nearest request that would work: what to change when no tier can serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations

from image_router.core.decision import Decision, Snapshot
from image_router.core.eligibility import ratio_distance
from image_router.core.errors import CostLimitExceeded, NoEligibleTier
from image_router.core.routing import NOTHING_KNOWN, World, decide
from image_router.core.types import AspectRatio, ImageRequest, Lane, Size

Change = tuple[str, Callable[[ImageRequest], ImageRequest]]
_MOST_CHANGES = 2


def decide_or_suggest(request: ImageRequest, world: World, snapshot: Snapshot = NOTHING_KNOWN) -> Decision:
    """decide(), whose NoEligibleTier also names the nearest request that would work."""
    try:
        return decide(request, world, snapshot)
    except NoEligibleTier as error:
        nearest = _nearest(request, world)
        if nearest is None:
            raise
        text = f"{error}\nthis would work: {nearest}"
        raise NoEligibleTier(text, dropped=error.dropped, nearest=nearest) from None


def _nearest(request: ImageRequest, world: World) -> str | None:
    changes = list(_changes(request, world))
    for count in range(1, _MOST_CHANGES + 1):
        for chosen in combinations(changes, count):
            changed = request
            for _, change in chosen:
                changed = change(changed)
            try:
                decision = decide(changed, world)
            except (NoEligibleTier, CostLimitExceeded):
                continue
            words = " and ".join(name for name, _ in chosen)
            return f"{words} (served by {decision.head.tier or decision.head.model.id})"
    return None


def _changes(request: ImageRequest, world: World) -> Iterator[Change]:
    """Small changes, the least painful first."""
    if request.lane is Lane.BATCH:
        yield "the interactive lane", lambda r: replace(r, lane=Lane.INTERACTIVE)
    for name in ("seed", "person_generation", "thinking", "quality_floor"):
        if getattr(request, name) is not None:
            yield f"no {name}", _without(name, None)
    for name in ("safety", "grounding"):
        if getattr(request, name):
            yield f"no {name}", _without(name, ())
    yield from _other_sizes(request)
    yield from _other_ratios(request)
    yield from _fewer_references(request, world)
    if request.tier or request.model:
        yield "without the pin", lambda r: replace(r, tier=None, model=None)


def _without(name: str, value: object) -> Callable[[ImageRequest], ImageRequest]:
    return lambda request: replace(request, **{name: value})  # type: ignore[arg-type]


def _other_sizes(request: ImageRequest) -> Iterator[Change]:
    order = list(Size)
    for size in sorted(Size, key=lambda s: abs(order.index(s) - order.index(request.size))):
        if size is not request.size:
            yield f"size {size}", lambda r, size=size: replace(r, size=size)  # type: ignore[misc]


def _other_ratios(request: ImageRequest) -> Iterator[Change]:
    asked = request.aspect
    if asked is None:
        return
    for ratio in sorted(AspectRatio, key=lambda other: ratio_distance(asked, other)):
        if ratio is not asked:
            yield f"aspect {ratio}", lambda r, ratio=ratio: replace(r, aspect=ratio)  # type: ignore[misc]


def _fewer_references(request: ImageRequest, world: World) -> Iterator[Change]:
    given = len(request.references)
    most = max((model.references.total for model in world.catalog.models.values()), default=0)
    if given > most:
        yield f"{most} references instead of {given}", lambda r: replace(r, references=r.references[:most])
