"""What a call costs: quote() before, price() after, list prices for tables and projections.

Two figures exist for every image. Charged money is tokens × rate (1120 × $120/M = $0.1344); the published
per-image figure is the list price, rounded by Google, up to 0.8 % off. Quotes, holds and costs are charged
money; matrices, blends and projections use list prices and say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from image_router.core.catalog import Model
from image_router.core.errors import ConfigError, InvalidRequest
from image_router.core.money import Nanos
from image_router.core.prompting import history_images, prompt_bytes
from image_router.core.types import ImageRequest, Lane, Size, Usage

if TYPE_CHECKING:
    from image_router.core.decision import Parameters

_BYTES_A_TOKEN = 4
_ROOM_FOR_WORDS = 8_192


class LineKind(StrEnum):
    IMAGE_OUTPUT = "image output"
    TEXT_INPUT = "text input"
    REFERENCE_INPUT = "reference input"
    INPUT = "input"
    """Prompt and references together, as a reply's usage counts them."""
    TEXT_OUTPUT = "text and thinking output"
    GROUNDING = "grounding searches"
    COMPRESSION_INPUT = "prompt compression input"
    COMPRESSION_OUTPUT = "prompt compression output"


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
        """Expected for one image: exact for one request, whose images cost the same; for a chain's combined
        quote the mean of its unlike images, rounded down to a nano-dollar."""
        return self.total // self.images


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """units × rate, as charged."""

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
    list_reference: Mapping[Lane, Nanos] = field(default_factory=dict)
    """Published price of one reference input, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRates:
    """Nano-dollars per token of a text model, interactive."""

    input: Nanos
    output: Nanos
    """Words and thinking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCard:
    """All prices known on a day. Never edited: a change of price is the next card."""

    day: date
    models: Mapping[str, ModelRates]
    texts: Mapping[str, TextRates] = field(default_factory=dict)
    """Text model id → its prices."""
    search: Nanos
    """One grounding search beyond the free ones."""
    source: str
    checked: date

    def has_price(self, model_id: str, lane: Lane) -> bool:
        """Whether the model is sold in this lane."""
        rates = self.models.get(model_id)
        return rates is not None and (lane in rates.tokens or lane in rates.per_image)

    def rates(self, model_id: str, lane: Lane) -> ModelRates:
        """The model's prices. Raises ConfigError when it is not sold in this lane."""
        if not self.has_price(model_id, lane):
            raise ConfigError(f"the rate card of {self.day} has no {lane} price for {model_id}; add one")
        return self.models[model_id]


def card_on(day: date, cards: Sequence[RateCard]) -> RateCard:
    """The newest card that is not after the day; `cards` are in order of their days.

    Raises InvalidRequest for a day before the first card.
    """
    card = next((card for card in reversed(cards) if card.day <= day), None)
    if card is None:
        first = f"{cards[0].day}; ask for that day or a later one" if cards else "nowhere"
        raise InvalidRequest(f"no prices are known for {day}: the first rate card is of {first}")
    return card


def max_output_tokens(model: Model, parameters: Parameters) -> int | None:
    """The limit to send with a call: the picture, and room for text and thinking. None: priced per image.

    Below 8192 tokens of room, thinking can use up the reply and leave no picture, which is billed all the
    same. A reply can therefore cost more than its quote's ceiling, by at most max(8192, allowance) tokens:
    at the text rate less the allowance already held, or at the image rate if the model draws extra pictures.
    """
    if not model.tokens_per_image:
        return None
    allowance = model.overhead(parameters.thinking).allowance
    wanted = _at(model.tokens_per_image, parameters.size, model) + max(_ROOM_FOR_WORDS, allowance)
    return min(wanted, model.output_tokens)


def quote(
    request: ImageRequest,
    model: Model,
    *,
    parameters: Parameters,
    card: RateCard,
    lane: Lane | None = None,
) -> Quote:
    """The price of all n images on one model, before they are made.

    Words are expected to take one token for four UTF-8 bytes, and at most one for each byte. Every picture
    of an earlier turn counts as a reference again. A model priced per image has no other line.
    Raises ConfigError when the card has no price for the model in the lane (see RateCard.has_price),
    InvalidRequest for a size the model does not make.
    """
    lane = lane or request.lane
    rates = card.rates(model.id, lane)
    per_token = rates.tokens.get(lane)
    if per_token is None:
        amounts = [(LineKind.IMAGE_OUTPUT, "image", _at(rates.per_image[lane], parameters.size, model), 1, 1)]
    else:
        amounts = _amounts(request, model, parameters, per_token)
    if request.grounding:
        amounts.append((LineKind.GROUNDING, "search", card.search, 1, max(1, model.search_ceiling)))
    n = request.n
    return Quote(
        lines=tuple(
            QuoteLine(kind=kind, unit=unit, rate=rate, units=units * n, ceiling_units=most * n)
            for kind, unit, rate, units, most in amounts
            if most
        ),
        images=n,
        list_price=n * _listed(request, model, parameters.size, rates, lane),
        card=card.day,
    )


_Amount: TypeAlias = tuple[LineKind, str, Nanos, int, int]
"""Kind, unit, rate, units expected for one image, units at most."""


def _amounts(request: ImageRequest, model: Model, parameters: Parameters, rates: TokenRates) -> list[_Amount]:
    image = _at(model.tokens_per_image, parameters.size, model)
    words = prompt_bytes(request)
    pictures, limits = _pictures(request), model.references
    overhead = model.overhead(parameters.thinking)
    return [
        (LineKind.IMAGE_OUTPUT, "token", rates.image_output, image, image),
        (LineKind.TEXT_INPUT, "token", rates.input, -(-words // _BYTES_A_TOKEN), words),
        (
            LineKind.REFERENCE_INPUT,
            "token",
            rates.input,
            pictures * limits.tokens,
            pictures * limits.tokens_ceiling,
        ),
        (LineKind.TEXT_OUTPUT, "token", rates.text_output, overhead.expected, overhead.allowance),
    ]


def _listed(request: ImageRequest, model: Model, size: Size, rates: ModelRates, lane: Lane) -> Nanos:
    """Published price of one image with its references; where none is published for a reference, its
    tokens × rate."""
    reference = rates.list_reference.get(lane)
    if reference is None:
        reference = model.references.tokens * rates.tokens[lane].input if lane in rates.tokens else 0
    return _at(rates.list_price[lane], size, model) + _pictures(request) * reference


def _pictures(request: ImageRequest) -> int:
    return len(request.references) + history_images(request)


def _at(by_size: Mapping[Size, int], size: Size, model: Model) -> int:
    if size not in by_size:
        raise InvalidRequest(f"{model.id} has no {size}; ask for {', '.join(by_size)}")
    return by_size[size]


def price(usage: Usage, model: Model, *, size: Size, card: RateCard, lane: Lane) -> Cost:
    """What one call was charged, from its usage.

    IMAGE tokens at the image rate, all other output and thinking at the text rate, the prompt with its
    pictures at the input rate; Imagen by the picture. Every search is charged: the 5,000 free ones a month
    are shared with everyone else in the provider's project, so they are not deducted.
    Raises ConfigError when the card has no price for the model in the lane.
    """
    rates = card.rates(model.id, lane)
    per_token = rates.tokens.get(lane)
    if per_token is None:
        amounts = [(LineKind.IMAGE_OUTPUT, "image", _at(rates.per_image[lane], size, model), usage.images)]
    else:
        amounts = [
            (LineKind.IMAGE_OUTPUT, "token", per_token.image_output, usage.image_tokens),
            (LineKind.INPUT, "token", per_token.input, usage.prompt_tokens),
            (LineKind.TEXT_OUTPUT, "token", per_token.text_output, usage.text_output_tokens),
        ]
    amounts.append((LineKind.GROUNDING, "search", card.search, usage.searches))
    lines = (
        CostLine(kind=kind, unit=unit, rate=rate, units=units) for kind, unit, rate, units in amounts if units
    )
    return Cost(lines=tuple(lines), card=card.day)
