"""One model behind several tiers: equal uses count once, and of different ones the cheapest goes first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from image_router.core.decision import Candidate, Dropped, DropReason
from image_router.core.types import ThinkingLevel, Tier


def same_use(one: Candidate, other: Candidate) -> bool:
    """Two tiers on one model, used the same way."""
    return one.model.id == other.model.id and _level(one) is _level(other)


def cheapest_use_first(candidates: Sequence[Candidate], least: ThinkingLevel | None) -> list[Candidate]:
    """Where fallbacks share a model, the cheaper use takes the earlier of their places, unless it thinks less
    than `least`, the level of the tier that the rule names. None: as much as can be, so nothing moves.
    """
    ordered = list(candidates)
    if least is None:
        return ordered
    for model in dict.fromkeys(candidate.model.id for candidate in candidates):
        places = [
            place
            for place, candidate in enumerate(ordered)
            if candidate.model.id == model and _thinks(candidate, least)
        ]
        found = [ordered[place] for place in places]
        for place, candidate in zip(places, sorted(found, key=_price), strict=True):
            earlier = candidates.index(candidate) > place
            ordered[place] = replace(candidate, reason=_moved(candidate)) if earlier else candidate
    return ordered


def fates(twins: Mapping[Tier, Candidate], dropped: Iterable[Dropped]) -> list[Dropped]:
    """Each tier that counts as another: dropped as such, or for the other's own reason where it fell away."""
    later = {drop.tier: drop for drop in dropped}
    return [_fate(tier, twin, later.get(twin.tier)) for tier, twin in twins.items()]


def _fate(tier: Tier, twin: Candidate, fate: Dropped | None) -> Dropped:
    name = twin.tier or twin.model.id
    if fate is None:
        detail = f"{twin.model.id} with the same parameters is already there as {name}"
        return Dropped(tier=tier, model=twin.model.id, reason=DropReason.SAME_MODEL, detail=detail)
    detail = f"{fate.detail} (the same as {name})"
    return Dropped(tier=tier, model=twin.model.id, reason=fate.reason, detail=detail)


def _level(candidate: Candidate) -> ThinkingLevel | None:
    return candidate.parameters.thinking or candidate.model.default_thinking


def _thinks(candidate: Candidate, least: ThinkingLevel) -> bool:
    level, levels = _level(candidate), list(ThinkingLevel)
    return level is not None and levels.index(level) >= levels.index(least)


def _price(candidate: Candidate) -> int:
    return candidate.quote.total


def _moved(candidate: Candidate) -> str:
    return f"{candidate.reason}, before dearer uses of {candidate.model.id}"
