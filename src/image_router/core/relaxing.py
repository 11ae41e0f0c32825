"""The nearest request that would work: what to change when no tier can serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations

from image_router.core.decision import Decision, Snapshot
from image_router.core.eligibility import ratio_distance
from image_router.core.errors import BudgetExceeded, NoEligibleTier, RequestError
from image_router.core.routing import NOTHING_KNOWN, World, decide
from image_router.core.types import Adaptation, AspectRatio, ImageRequest, Lane, Size

Change = tuple[str, Callable[[ImageRequest], ImageRequest]]
_MOST_CHANGES = 2
_ALLOWANCES = {
    Adaptation.FOLD_SYSTEM_INSTRUCTION: "system_instruction",
    Adaptation.FLATTEN_HISTORY: "conversation",
}


def decide_or_suggest(request: ImageRequest, world: World, *, snapshot: Snapshot = NOTHING_KNOWN) -> Decision:
    """decide(), whose NoEligibleTier also names the nearest request that would work."""
    try:
        return decide(request, world, snapshot=snapshot)
    except NoEligibleTier as error:
        nearest = _nearest(request, world, snapshot)
        if nearest is None:
            raise
        text = f"{error}\nthis would work: {nearest}"
        raise NoEligibleTier(text, dropped=error.dropped, nearest=nearest) from None


def _nearest(request: ImageRequest, world: World, snapshot: Snapshot) -> str | None:
    changes = list(_changes(request, world))
    for count in range(1, _MOST_CHANGES + 1):
        for chosen in combinations(changes, count):
            changed = request
            for _, change in chosen:
                changed = change(changed)
            try:
                decision = decide(changed, world, snapshot=snapshot)
            except (RequestError, BudgetExceeded):
                continue
            words = " and ".join(name for name, _ in chosen)
            return f"{words} (served by {decision.head.tier or decision.head.model.id})"
    return None


def _changes(request: ImageRequest, world: World) -> Iterator[Change]:
    """Small changes, the least painful first."""
    if request.lane is Lane.BATCH:
        yield "the interactive lane", lambda r: replace(r, lane=Lane.INTERACTIVE)
    for name in ("seed", "person_generation", "thinking", "quality_floor", "language"):
        if getattr(request, name) is not None:
            yield f"no {name}", _without(name, None)
    for name in ("safety", "grounding"):
        if getattr(request, name):
            yield f"no {name}", _without(name, ())
    for kind, needed in _ALLOWANCES.items():
        if getattr(request, needed) is not None and kind not in request.allow:
            yield f"allow={kind}", lambda r, kind=kind: replace(r, allow=r.allow | {kind})  # type: ignore[misc]
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
    limits = [model.references for model in world.catalog.models.values()]
    counts = {limit.total for limit in limits}.union(*(limit.by_role.values() for limit in limits))
    for most in sorted((count for count in counts if 0 < count < given), reverse=True):
        yield (
            f"{most} references instead of {given}",
            lambda r, most=most: replace(r, references=r.references[:most]),  # type: ignore[misc]
        )
