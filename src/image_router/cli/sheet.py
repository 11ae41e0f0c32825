"""What a contact sheet shows, as values; sheet_html and sheet_png draw them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from image_router.core.money import Nanos, show_usd
from image_router.core.rates import Cost, LineKind, Quote
from image_router.core.results import GeneratedImage
from image_router.core.types import Tier

BILL_COLUMNS: dict[LineKind, str] = {
    LineKind.IMAGE_OUTPUT: "Image output",
    LineKind.INPUT: "Prompt and references",
    LineKind.TEXT_OUTPUT: "Text and thinking",
    LineKind.GROUNDING: "Searches",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One picture with all that explains it."""

    image: GeneratedImage
    file: str
    """Relative to the sheet."""
    prompt: str
    purpose: str
    reason: str
    quote: Quote
    ceiling: Nanos
    """With every fallback counted."""
    text: str | None = None
    """The words that were to be drawn."""

    @property
    def tier(self) -> Tier:
        """Demo pictures are routed by tier; a pinned model without one has no place on a sheet."""
        if self.image.tier is None:
            raise ValueError(f"{self.file} was made by no tier")
        return self.image.tier

    @property
    def label(self) -> str:
        """The purpose in plain words."""
        return self.purpose.replace("_", " ")

    @property
    def cost(self) -> Cost:
        return self.image.cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Single pictures, then a chain: its reference first, its variants after."""

    title: str
    day: date
    rate_card: date
    singles: Sequence[Card]
    chain: Sequence[Card]
    provider_total: Nanos
    """What the provider's own bill says."""

    @property
    def cards(self) -> tuple[Card, ...]:
        return (*self.singles, *self.chain)

    @property
    def total(self) -> Nanos:
        return sum(card.cost.total for card in self.cards)

    @property
    def quoted(self) -> Nanos:
        return sum(card.quote.total for card in self.cards)

    @property
    def agrees(self) -> bool:
        """Whether our bill is the provider's, to the nano-dollar."""
        return self.total == self.provider_total

    @property
    def figures(self) -> tuple[tuple[str, str], ...]:
        """The headline: label and value."""
        return (
            ("Pictures", str(len(self.cards))),
            ("Tiers", str(len({card.tier for card in self.cards}))),
            ("Quoted", show_usd(self.quoted, decimals=4)),
            ("At most", show_usd(sum(card.ceiling for card in self.cards), decimals=4)),
            ("Charged", show_usd(self.total, decimals=4)),
            ("Provider’s bill", "equal" if self.agrees else show_usd(self.provider_total)),
        )

    @property
    def verdict(self) -> str:
        """Our bill against the provider's, in words."""
        if self.agrees:
            return "The provider’s own bill says the same, to the nano-dollar."
        return f"The provider’s own bill says {show_usd(self.provider_total)}: it differs."

    @property
    def columns(self) -> tuple[LineKind, ...]:
        """The kinds of cost that occur."""
        return tuple(kind for kind in BILL_COLUMNS if amount_of(kind, self.cards))


def amount_of(kind: LineKind, cards: Iterable[Card]) -> Nanos:
    """The sum of one kind of line over some cards."""
    return sum(line.amount for card in cards for line in card.cost.lines if line.kind is kind)
