"""What a purpose asks for: rules in order, fallbacks, the budget guard, retry budgets. All of it is data.

A policy is read from TOML (policy_toml); a profile is a policy that extends another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from image_router.core.types import Adaptation, ImageRequest, OnAmbiguous, Purpose, Quality, Size, Tier


class GuardChoice(StrEnum):
    """What the guard does with references or a locked identity, where a cheaper tier may break them."""

    REFUSE = "refuse"
    WAIT = "wait"
    DEGRADE = "degrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Conditions of a rule; every one given must hold, and none given always holds."""

    purposes: frozenset[Purpose] | None = None
    references: bool | None = None
    renders_text: bool | None = None
    locks_identity: bool | None = None

    def matches(self, request: ImageRequest) -> bool:
        return (
            (self.purposes is None or request.purpose in self.purposes)
            and self.references in (None, bool(request.references))
            and self.renders_text in (None, request.renders_text)
            and self.locks_identity in (None, request.locks_identity)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a policy: the tier for requests that are like this."""

    name: str
    when: When
    tier: Tier
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """From `at_percent` of any budget on, `tier` serves what it can serve cheaper, and nothing serves that is
    dearer than the first choice."""

    at_percent: int
    tier: Tier
    locked: GuardChoice


class WithoutBatch(StrEnum):
    """What becomes of a request for the batch lane whose first choice has no batch."""

    SUCCESSOR = "successor"
    """The next choice that has: the successor of a pinned model, else a fallback of its tier."""
    INTERACTIVE = "interactive"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget:
    """How often and how patiently to try again. Waits in seconds."""

    capacity_tries: int
    """Calls per model for overload and short rate limits, the first included."""
    content_repeats: int
    """Repeats after an answer without an image."""
    failovers: int
    """Changes to another model."""
    first_wait: float
    longest_wait: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The data that decides."""

    name: str
    version: str
    description: str
    rules: tuple[Rule, ...]
    fallbacks: Mapping[Tier, tuple[Tier, ...]]
    quality: Mapping[Tier, Quality]
    dearest_fallback_percent: int
    """A fallback may cost at most this share of the first choice."""
    guard: Guard
    retry: RetryBudget
    deadlines: Mapping[Size, float]
    """Seconds for a whole request."""
    on_ambiguous: OnAmbiguous
    adapt: frozenset[Adaptation] = frozenset()
    """Rewritings that may happen without the request's own permission; each is reported."""
    without_batch: WithoutBatch = WithoutBatch.SUCCESSOR
    mix: Mapping[Tier, int] = field(default_factory=dict)
    """Typical traffic of this profile in percent, for projections."""

    @property
    def label(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """What the purpose asks: tiers in order, the first by rule, the others as its fallbacks."""

    rule: str
    reason: str
    tiers: tuple[Tier, ...]


def prefer(request: ImageRequest, policy: Policy) -> Preference:
    """The first rule that matches; the last rule of a policy has no conditions, so one always does."""
    rule = next(rule for rule in policy.rules if rule.when.matches(request))
    return Preference(
        rule=rule.name, reason=rule.reason, tiers=(rule.tier, *policy.fallbacks.get(rule.tier, ()))
    )
