"""character_chain(): a reference first, then every variant conditioned on it. A generator of steps.

Each item has a key by which a run folder knows what is finished; the flow never asks for it again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, replace

from image_router.core.errors import ChainError, ImageRouterError
from image_router.core.money import Nanos
from image_router.core.rates import LineKind, Quote, QuoteLine
from image_router.core.results import GeneratedImage
from image_router.core.types import ImageRequest, Purpose, Reference, ReferenceRole, Size

REFERENCE_KEY = "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainItem:
    key: str
    request: ImageRequest


Made = GeneratedImage | ImageRouterError
Step = tuple[ChainItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainImages:
    """Lineage: every variant came from the reference; a failed variant is its error."""

    reference: GeneratedImage
    variants: tuple[Made, ...]


def variant_key(place: int) -> str:
    """Name of the variant at this place, counted from one."""
    return f"variant-{place:03d}"


def reference_item(base: ImageRequest) -> ChainItem:
    """Stage one: one economical picture of the character. At 1K, whatever the variants' size: models read
    references at about one megapixel."""
    request = replace(base, purpose=Purpose.ECONOMY, size=Size.K1, identity_locked=False)
    return ChainItem(key=REFERENCE_KEY, request=request)


def variant_item(base: ImageRequest, place: int, *, prompt: str, reference: Reference) -> ChainItem:
    """Stage two: one variant, conditioned on the reference and on whatever the caller gave."""
    references = (reference, *base.references)
    request = replace(base, prompt=prompt, purpose=Purpose.CHARACTER_LOCK, references=references)
    return ChainItem(key=variant_key(place), request=request)


def as_reference(image: GeneratedImage, *, role: ReferenceRole) -> Reference:
    """A made picture as a reference, in its true format."""
    return Reference(
        data=image.data,
        media_type=image.media_type,
        digest=image.digest,
        width=image.pixels.width,
        height=image.pixels.height,
        role=role,
        name=image.label,
    )


def character_chain(
    base: ImageRequest, variants: tuple[str, ...]
) -> Generator[Step, Mapping[str, Made], ChainImages]:
    """Yield the reference, then all variants at once; failed variants are reported, not hidden.

    Raises ChainError when the reference itself fails.
    """
    made = yield (reference_item(base),)
    reference = made[REFERENCE_KEY]
    if isinstance(reference, ImageRouterError):
        raise ChainError(f"the reference was not made, so no variant can be: {reference}") from reference
    shown = as_reference(reference, role=ReferenceRole.CHARACTER)
    items = tuple(
        variant_item(base, place, prompt=prompt, reference=shown) for place, prompt in enumerate(variants, 1)
    )
    done = yield items
    return ChainImages(reference=reference, variants=tuple(done[item.key] for item in items))


def combined(quotes: Iterable[Quote]) -> Quote:
    """One quote for many requests: equal lines are added up, so the sum stays readable."""
    quotes = tuple(quotes)
    lines: dict[tuple[LineKind, str, Nanos], QuoteLine] = {}
    for line in (line for quote in quotes for line in quote.lines):
        place = (line.kind, line.unit, line.rate)
        units = lines[place].units if place in lines else 0
        ceiling = lines[place].ceiling_units if place in lines else 0
        lines[place] = replace(line, units=units + line.units, ceiling_units=ceiling + line.ceiling_units)
    return Quote(
        lines=tuple(lines.values()),
        images=sum(quote.images for quote in quotes),
        list_price=sum(quote.list_price for quote in quotes),
        card=quotes[0].card,
    )
