"""Rows for the batch lane whose first choice has no batch: served otherwise as the policy says, or refused
with what could be done. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from image_router.core.decision import Decision, Dropped, DropReason
from image_router.core.errors import LaneUnavailable, NoEligibleTier
from image_router.core.money import show_usd
from image_router.core.policy import WithoutBatch
from image_router.core.routing import World
from image_router.core.types import ImageRequest, Lane

Decide = Callable[[ImageRequest], Decision]
"""Raises RequestError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A request as it will be made."""

    decision: Decision
    note: str = ""
    """What is other than asked, in words."""

    @property
    def request(self) -> ImageRequest:
        return self.decision.request


def served(request: ImageRequest, world: World, *, decide: Decide) -> Served:
    """The decision about a request for any lane. Raises RequestError; LaneUnavailable names the ways out."""
    try:
        decision, refusal = decide(request), None
    except NoEligibleTier as no:
        if not _lacks_batch(no.dropped):
            raise
        decision, refusal = None, no
    if decision is not None and not _lacks_batch(decision.dropped):
        return Served(decision=decision)
    now = decide(replace(request, lane=Lane.INTERACTIVE))
    if now.head.model.batch:
        if decision is None and refusal is not None:
            raise refusal
        return Served(decision=decision or now)
    return _without(now, decision or _other(request, now, world, decide), world.policy.without_batch)


def _lacks_batch(dropped: Iterable[Dropped]) -> bool:
    return any(drop.reason is DropReason.BATCH for drop in dropped)


def _without(now: Decision, other: Decision | None, choice: WithoutBatch) -> Served:
    lacking = f"{now.head.model.id} has no batch"
    if choice is WithoutBatch.INTERACTIVE:
        return Served(decision=now, note=f"{lacking}: made on the interactive lane")
    if choice is WithoutBatch.SUCCESSOR and other is not None:
        return Served(decision=other, note=f"{lacking}: made by {other.head.model.id} instead")
    raise LaneUnavailable(f"{lacking}; {' or '.join(_offers(now, other))}")


def _offers(now: Decision, other: Decision | None) -> Iterator[str]:
    yield (
        f"ask for the interactive lane at {show_usd(now.quote.total)} "
        f'(without_batch = "{WithoutBatch.INTERACTIVE}" in the policy)'
    )
    if other is not None:
        yield (
            f"for {other.head.model.id}, which has, at {show_usd(other.quote.total)} "
            f'(without_batch = "{WithoutBatch.SUCCESSOR}")'
        )


def _other(request: ImageRequest, now: Decision, world: World, decide: Decide) -> Decision | None:
    """What stands in for a pin: the model's successor, else the fallbacks of its tier."""
    for instead in _instead(request, now, world):
        try:
            return decide(instead)
        except NoEligibleTier:
            continue
    return None


def _instead(request: ImageRequest, now: Decision, world: World) -> Iterator[ImageRequest]:
    successor = world.catalog.successor(now.head.model.id, world.day)
    if successor is not None:
        yield replace(request, tier=None, model=successor.id)
    if now.head.tier is not None:
        for tier in world.policy.fallbacks.get(now.head.tier, ()):
            yield replace(request, tier=tier, model=None)
