"""What a call costs: quote() before, price() after, list prices for tables and projections.

Two figures exist for every image. Charged money is tokens × rate (1120 × $120/M = $0.1344); the published
per-image figure is the list price, rounded by Google, up to 0.8 % off. Quotes, holds and costs are charged
money; matrices, blends and projections use list prices and say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from image_router.core.money import Nanos
from image_router.core.types import Lane, Size


class LineKind(StrEnum):
    IMAGE_OUTPUT = "image output"
    TEXT_INPUT = "text input"
    REFERENCE_INPUT = "reference input"
    INPUT = "input"
    """Prompt and references together, as a reply's usage counts them."""
    TEXT_OUTPUT = "text and thinking output"
    GROUNDING = "grounding searches"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteLine:
    """units × rate, twice: what is expected, and the most it can be."""

    kind: LineKind
    unit: str
    """token, image or search."""
    rate: Nanos
    units: int
    ceiling_units: int

    @property
    def amount(self) -> Nanos:
        return self.units * self.rate

    @property
    def ceiling(self) -> Nanos:
        return self.ceiling_units * self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The price of a whole request on one model before it is made."""

    lines: tuple[QuoteLine, ...]
    images: int
    list_price: Nanos
    """Published figure for all images with their references; for tables, never charged."""
    card: date

    @property
    def total(self) -> Nanos:
        """Expected."""
        return sum(line.amount for line in self.lines)

    @property
    def ceiling(self) -> Nanos:
        """Upper bound: what a hold must cover."""
        return sum(line.ceiling for line in self.lines)

    @property
    def per_image(self) -> Nanos:
        """Expected for one image; every line is a whole multiple of the number of images."""
        return self.total // self.images


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    kind: LineKind
    unit: str
    rate: Nanos
    units: int

    @property
    def amount(self) -> Nanos:
        return self.units * self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a call was charged, from its usage."""

    lines: tuple[CostLine, ...] = ()
    card: date | None = None

    @property
    def total(self) -> Nanos:
        return sum(line.amount for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRates:
    """Nano-dollars per token of one lane."""

    input: Nanos
    text_output: Nanos
    image_output: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRates:
    """One model's prices on one card. A model is priced by tokens or per image, never both.

    A lane without an entry is not sold.
    """

    tokens: Mapping[Lane, TokenRates] = field(default_factory=dict)
    per_image: Mapping[Lane, Mapping[Size, Nanos]] = field(default_factory=dict)
    list_price: Mapping[Lane, Mapping[Size, Nanos]] = field(default_factory=dict)
    list_reference: Nanos = 0
    """Published price of one reference input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCard:
    """All prices known on a day. Never edited: a change of price is the next card."""

    day: date
    models: Mapping[str, ModelRates]
    search: Nanos
    """One grounding search beyond the free ones."""
    source: str
    checked: date
