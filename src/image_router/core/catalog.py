"""What each model can do and when it lives; which model serves a tier on a day.

Text is parsed in catalog_toml; here are the values and the questions asked of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from image_router.core.errors import InvalidRequest
from image_router.core.types import (
    AspectRatio,
    Dialect,
    Grounding,
    PersonGeneration,
    Pixels,
    ReferenceRole,
    Size,
    ThinkingLevel,
    Tier,
)


class Grade(StrEnum):
    """How well a model renders text, lowest first."""

    FAIR = "fair"
    GOOD = "good"
    EXCELLENT = "excellent"
    BEST = "best"

    @property
    def rank(self) -> int:
        return list(Grade).index(self)


class Confidence(StrEnum):
    """How sure a shutdown date is."""

    CONFIRMED = "confirmed"
    ANNOUNCED = "announced"
    CONFLICTING = "conflicting"


class ModelState(StrEnum):
    """The life of a model id on a day."""

    UNRELEASED = "unreleased"
    ALIVE = "alive"
    DEPRECATED = "deprecated"
    """Alive, with a shutdown date announced."""
    UNCERTAIN = "uncertain"
    """Past a date whose sources conflict: used only when configuration or a probe says it lives."""
    RETIRED = "retired"

    @property
    def serves(self) -> bool:
        return self in (ModelState.ALIVE, ModelState.DEPRECATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """From when to when a model id is served, and how sure that is."""

    released: date
    deprecated: date | None = None
    """Day the shutdown was announced."""
    shutdown: date | None = None
    confidence: Confidence = Confidence.CONFIRMED
    uncertain_from: date | None = None
    """First day on which sources conflict, when earlier than the shutdown."""
    replacement: str | None = None
    note: str = ""

    def state(self, day: date) -> ModelState:
        """The state on a day, by these dates alone."""
        if day < self.released:
            return ModelState.UNRELEASED
        if self.shutdown and day >= self.shutdown:
            sure = self.confidence is not Confidence.CONFLICTING
            return ModelState.RETIRED if sure else ModelState.UNCERTAIN
        if self.uncertain_from and day >= self.uncertain_from:
            return ModelState.UNCERTAIN
        if self.deprecated and day >= self.deprecated:
            return ModelState.DEPRECATED
        return ModelState.ALIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceLimits:
    """How many reference images a model takes; a kind without an entry is bounded by `total` alone."""

    total: int
    by_role: Mapping[ReferenceRole, int] = field(default_factory=dict)
    tokens: int = 0
    """Input tokens of one reference, as expected in a quote."""
    tokens_ceiling: int = 0
    """The most one reference has been seen or documented to take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """Output tokens beyond the image's own, in one call: text, hidden and thinking tokens.

    `expected` is typical, `allowance` at least twice the largest seen in recordings.
    """

    expected: int
    allowance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeTolerance:
    """When a picture counts as the size asked for. Percent of the model's own row."""

    ratio_percent: int = 5
    area_percent: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model id and what it can do. Sources and the day they were checked stand beside the facts."""

    id: str
    name: str
    dialect: Dialect
    aliases: tuple[str, ...] = ()
    pixels: Mapping[AspectRatio, Mapping[Size, Pixels]]
    sizes: tuple[Size, ...]
    default_size: Size
    sends_size: bool
    """Whether the API takes an imageSize for this model."""
    default_pixels: Pixels | None
    """Shape when no ratio is asked and no reference given; None: the model chooses."""
    default_media_type: str
    tokens_per_image: Mapping[Size, int] = field(default_factory=dict)
    """Output tokens of one picture; empty for a model priced per image."""
    references: ReferenceLimits
    prompt_tokens: int
    """Input token limit."""
    output_tokens: int
    languages: tuple[str, ...] | None = None
    """BCP 47 prompt languages; None: no limit stated."""
    thinking: tuple[ThinkingLevel, ...] = ()
    """Levels that may be sent; empty: no level control."""
    default_thinking: ThinkingLevel | None = None
    overheads: Mapping[str, Overhead] = field(default_factory=dict)
    """By thinking level, or 'default' for a model without level control."""
    grounding: tuple[Grounding, ...] = ()
    search_ceiling: int = 0
    """The most searches one grounded call is quoted for."""
    batch: bool
    system_instruction: bool
    seed: bool
    safety_settings: bool
    person_generation: tuple[PersonGeneration, ...] = ()
    conversation: bool
    """Whether it continues an earlier conversation."""
    drafts: bool = False
    """Whether it hands out what it draws while it thinks, when asked; nothing is charged for that."""
    family: str
    """Models of one family can read each other's thought signatures."""
    text_rendering: Grade
    context: str
    """Contextual understanding, as the seed's matrix names it."""
    watermark: str
    claimed_size: Size | None = None
    """Largest size the seed's article claims, where it differs from the truth."""
    tolerance: SizeTolerance = SizeTolerance()
    life: Life
    source: str
    checked: date
    notes: tuple[str, ...] = ()

    def overhead(self, level: ThinkingLevel | None) -> Overhead:
        """The overhead of a call at this thinking level (None: the model's default)."""
        if not self.overheads:
            return Overhead(expected=0, allowance=0)
        return self.overheads[level or self.default_thinking or "default"]

    def pixels_for(self, aspect: AspectRatio | None, size: Size) -> Pixels | None:
        """The documented shape, or None when it is the model's own choice.

        Without a ratio: at the default size the default shape; at another size the same row of the table,
        if the default shape is one of its rows.
        """
        if aspect is not None:
            return self.pixels.get(aspect, {}).get(size)
        if size is self.default_size:
            return self.default_pixels
        rows = (row for row in self.pixels.values() if row.get(self.default_size) == self.default_pixels)
        return next(rows, {}).get(size)

    def state(self, day: date) -> ModelState:
        """The life of the model on a day, by its own dates alone."""
        return self.life.state(day)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel:
    """A model that answers in words: it shortens prompts before pictures are made of them."""

    id: str
    name: str
    prompt_tokens: int
    """Input token limit."""
    output_tokens: int
    thinking: str | None = None
    """The level that is sent; None: none is."""
    overhead: Overhead = Overhead(expected=0, allowance=0)
    """Output tokens beyond the answer's words."""
    target: int
    """Tokens a prompt is shortened to where nobody says how far."""
    life: Life
    source: str
    checked: date
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageEntry:
    """One model's time in a tier: from inclusive, until exclusive."""

    model: str
    since: date
    until: date | None
    confidence: Confidence
    thinking: ThinkingLevel | None = None
    """The tier's use of the model."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All models and lineages, and what the operator knows better about some of them."""

    models: Mapping[str, Model]
    lineages: Mapping[Tier, tuple[LineageEntry, ...]]
    texts: Mapping[str, TextModel] = field(default_factory=dict)
    """Text models, the preferred ones first."""
    overrides: Mapping[str, ModelState] = field(default_factory=dict)
    """Model id → ALIVE or RETIRED: settles an uncertain state, from configuration or a probe."""

    def find(self, name: str) -> Model | None:
        """The model with this id or alias; Google's `models/` prefix is allowed."""
        name = name.removeprefix("models/")
        if name in self.models:
            return self.models[name]
        return next((model for model in self.models.values() if name in model.aliases), None)

    def resolve(self, name: str) -> Model:
        """As `find`; raises InvalidRequest, naming the ids there are, for an unknown name."""
        model = self.find(name)
        if model is None:
            raise InvalidRequest(f"no model {name!r} in the catalog; it knows {', '.join(self.models)}")
        return model

    def state(self, model_id: str, day: date) -> ModelState:
        """The life of a model on a day. An override to RETIRED ends any life that has begun; an override to
        ALIVE settles an uncertain one, never one that has surely ended."""
        return self._settled(self.resolve(model_id), day)

    def text_model(self, day: date) -> TextModel | None:
        """Who shortens prompts on a day: the first text model that lives."""
        return next((model for model in self.texts.values() if self._settled(model, day).serves), None)

    def _settled(self, model: Model | TextModel, day: date) -> ModelState:
        natural, override = model.life.state(day), self.overrides.get(model.id)
        if override is ModelState.RETIRED and natural is not ModelState.UNRELEASED:
            return ModelState.RETIRED
        if override is ModelState.ALIVE and natural is ModelState.UNCERTAIN:
            return ModelState.ALIVE
        return natural

    def serving(self, tier: Tier, day: date) -> LineageEntry | None:
        """Who serves a tier on a day: the first entry of its lineage whose life covers the day.

        An entry whose end is conflicting goes on past it while an override says that the model lives.
        """
        return next((entry for entry in self.lineages.get(tier, ()) if self._covers(entry, day)), None)

    def _covers(self, entry: LineageEntry, day: date) -> bool:
        if day < entry.since or not self.state(entry.model, day).serves:
            return False
        prolonged = (
            entry.confidence is Confidence.CONFLICTING and self.overrides.get(entry.model) is ModelState.ALIVE
        )
        return entry.until is None or day < entry.until or prolonged

    def tiers_served_by(self, model_id: str, day: date) -> tuple[Tier, ...]:
        """The tiers a model serves on a day."""
        entries = ((tier, self.serving(tier, day)) for tier in Tier)
        return tuple(tier for tier, entry in entries if entry and entry.model == model_id)

    def successor(self, model_id: str, day: date) -> Model | None:
        """The model to use instead: the one that serves a tier this model has served, else along the
        replacements the first that serves on the day; None when there is neither."""
        if heir_of_tier := self.goes_on(model_id, day):
            return self.models[heir_of_tier[1].model]
        seen, model = {model_id}, self.models[model_id]
        while (heir := model.life.replacement) and heir not in seen:
            seen.add(heir)
            model = self.models[heir]
            if self.state(heir, day).serves:
                return model
        return None

    def goes_on(self, model_id: str, day: date) -> tuple[Tier, LineageEntry] | None:
        """The first tier that a model has served and another serves on the day, with that one's entry."""
        for tier in Tier:
            entry = self.serving(tier, day)
            served = any(one.model == model_id for one in self.lineages.get(tier, ()))
            if entry and served and entry.model != model_id:
                return tier, entry
        return None

    def oldest_check(self) -> date:
        """The day on which the least recently checked model was checked."""
        return min(model.checked for model in self.models.values())
