"""What a project may send, by model and usage tier; and what opens a circuit. Read from data/limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from image_router.core.breaker import TripRule
from image_router.core.pacing import Learning, Limit


class UsageTier(StrEnum):
    """How much a project has paid the provider so far decides how much it may send.

    Source: https://ai.google.dev/gemini-api/docs/billing, read 2026-10-08.
    """

    T1 = "1"
    T2 = "2"
    T3 = "3"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitBook:
    """All limits known, with their sources."""

    everywhere: Mapping[UsageTier, tuple[Limit, ...]]
    """For every model, published or not; some count over the whole project."""
    models: Mapping[str, Mapping[UsageTier, tuple[Limit, ...]]]
    """Model id → its own limits; they replace those of the same name that hold everywhere."""
    learning: Learning
    source: str
    checked: date
    notes: tuple[str, ...] = ()

    def limits(self, model: str, tier: UsageTier | None) -> tuple[Limit, ...]:
        """What bounds a call to a model, the shortest window first. Without a tier: its wishes to wait."""
        if tier is None:
            common = self.everywhere.get(UsageTier.T1, ())
            return tuple(replace(limit, amount=None, counted=False) for limit in common)
        own = self.models.get(model, {}).get(tier, ())
        names = {limit.name for limit in own}
        others = (limit for limit in self.everywhere[tier] if limit.name not in names)
        return tuple(sorted((*own, *others), key=lambda limit: limit.window.longest))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRules:
    """What traffic is steered by."""

    book: LimitBook
    trips: tuple[TripRule, ...]
    tiers: Mapping[str, UsageTier] = field(default_factory=dict)
    """Project → its usage tier."""
    tier: UsageTier | None = UsageTier.T1
    """Of every project that names none; None: not known, so nothing is held back."""

    def limits(self, model: str, project: str) -> tuple[Limit, ...]:
        """What bounds a call to a model through a project."""
        return self.book.limits(model, self.tiers.get(project, self.tier))
