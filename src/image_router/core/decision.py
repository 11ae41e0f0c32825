"""The answer of routing as a value: candidates in order, what was dropped and why, what it will cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from image_router.core.catalog import Model, TextModel
from image_router.core.money import Nanos
from image_router.core.pressure import NO_STRAIN, Strain
from image_router.core.rates import Quote
from image_router.core.types import (
    Adaptation,
    AspectRatio,
    ImageRequest,
    Size,
    ThinkingLevel,
    Tier,
)


class DropReason(StrEnum):
    """Why a tier or model is no candidate."""

    NO_LIVING_MODEL = "no_living_model"
    NO_PRICE = "no_price"
    SAME_MODEL = "same_model"
    PINNED_ELSEWHERE = "pinned_elsewhere"
    SIZE = "size"
    RATIO = "ratio"
    REFERENCES = "references"
    PROMPT_LENGTH = "prompt_length"
    LANGUAGE = "language"
    BATCH = "batch"
    SEED = "seed"
    SAFETY = "safety"
    PERSON_GENERATION = "person_generation"
    SYSTEM_INSTRUCTION = "system_instruction"
    GROUNDING = "grounding"
    THINKING = "thinking"
    CONVERSATION = "conversation"
    QUALITY = "quality"
    MAX_COST = "max_cost"
    DEARER_THAN_ALLOWED = "dearer_than_allowed"
    NOT_A_FALLBACK = "not_a_fallback"
    GUARD = "guard"
    BUDGET = "budget"
    CIRCUIT_OPEN = "circuit_open"
    KEY = "key"
    """The caller's router key does not allow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How the model is used: sent as they stand, part of what makes candidates distinct."""

    thinking: ThinkingLevel | None
    size: Size
    aspect: AspectRatio | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """A deliberate change the request or policy allowed."""

    kind: Adaptation
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to serve the request: a model, how it is used, and at what price."""

    tier: Tier | None
    """None for a pinned model that serves no tier on the day."""
    model: Model
    parameters: Parameters
    quote: Quote
    reason: str
    adapted: tuple[Adapted, ...] = ()
    prompt: str | None = None
    """What is sent instead of the request's prompt, once that was shortened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """A text model's call before dispatch, which shortens the prompt; or why there is none."""

    model: TextModel | None
    tokens: int
    """About, of the prompt as it was asked."""
    target: int
    quote: Quote | None = None
    """Of the text call alone."""
    saving: Nanos = 0
    """Less expected for the pictures, where the same could be made without it."""
    needed_by: tuple[str, ...] = ()
    """Models that cannot read the prompt as it was asked."""
    otherwise: tuple[Candidate, ...] = ()
    """Who serves, in order, when the prompt has to be sent as it was asked."""
    skipped: str = ""
    """Why it is not done."""
    prompt: str | None = None
    """Afterwards: the shortened prompt."""
    refused: str = ""
    """Afterwards: why the prompt was sent as it was asked all the same."""

    @property
    def ceiling(self) -> Nanos:
        """The most it can cost."""
        return self.quote.ceiling if self.quote and not self.skipped else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A tier or model that cannot or may not serve, and why."""

    tier: Tier | None
    model: str | None
    reason: DropReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardAction:
    """What the budget guard did: from the tier the rule chose to the one that serves."""

    pressure_percent: int
    chosen: Tier
    served: Tier
    detail: str
    at_percent: int = 0
    """From where on it acts."""
    scope: str | None = None
    """Whose budget is the fullest; None where the pressure was assumed."""
    set_by: str | None = None
    """The scope that says where it acts; None: the policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who serves a request, in order, by which rule and at what price."""

    request: ImageRequest
    rule: str
    """Name of the rule that fired; 'pinned tier' and 'pinned model' for pins."""
    reason: str
    candidates: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]
    as_of: date
    rate_card: date
    policy: str
    """Name and version of the policy, part of what explains a decision."""
    guard: GuardAction | None = None
    warnings: tuple[str, ...] = ()
    compression: Compression | None = None
    """None where it is not wanted."""

    @property
    def head(self) -> Candidate:
        """The first choice."""
        return self.candidates[0]

    @property
    def ceiling(self) -> Nanos:
        """The most the request can cost: its dearest candidate, all n images, and the text call before."""
        step = self.compression
        others = step.otherwise if step else ()
        dearest = max(candidate.quote.ceiling for candidate in (*self.candidates, *others))
        return dearest + (step.ceiling if step else 0)

    @property
    def quote(self) -> Quote:
        """The first choice's, with the lines of the text call that shortens the prompt."""
        quote, step = self.head.quote, self.compression
        if step is None or step.quote is None or step.skipped:
            return quote
        return replace(quote, lines=(*quote.lines, *step.quote.lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that deciding may know of the moment."""

    strain: Strain = NO_STRAIN
    """Of the budgets."""
    pressure: Mapping[str, int] = field(default_factory=dict)
    """Assumed: of what → percent of its cap that is settled or held."""
    open_circuits: frozenset[str] = frozenset()
    """Model ids that must not be called now."""

    @property
    def highest_pressure(self) -> int:
        return max((*self.pressure.values(), *self.strain.percents.values()), default=0)
