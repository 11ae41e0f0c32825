"""A body that passes through as its caller wrote it: one model, and a ceiling that bounds what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from image_router.core.catalog import Model
from image_router.core.decision import Candidate, Decision, Parameters
from image_router.core.rates import LineKind, Quote, QuoteLine, RateCard, TokenRates, max_output_tokens
from image_router.core.routing import World
from image_router.core.types import ImageRequest, Lane

RULE = "as written"
_BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a body asks of its model, as far as it decides what the call can cost."""

    model: Model
    words: int = 0
    """UTF-8 bytes of all texts of all turns."""
    pictures: int = 0
    """Input pictures of all turns."""
    opaque: bool = False
    """Other inputs, whose tokens only the provider can count: held as the most that the model reads."""
    size: str | None = None
    """As it was written; None: the model's default."""
    aspect: str | None = None
    thinking: str | None = None
    thinking_tokens: int = 0
    """A budget of thinking tokens, where one is given."""
    most_output: int | None = None
    """The limit of output tokens; None: the model's own."""
    searches: bool = False
    images: int = 1
    """Pictures of one call."""


def as_written(request: ImageRequest, written: Written, *, world: World) -> Decision:
    """The only decision there is: the model that the body names. What it cannot do, the provider says.

    Raises ConfigError where the rate card has no price for the model.
    """
    model = written.model
    tiers = world.catalog.tiers_served_by(model.id, world.day)
    reason = f"the request was written for {model.id} and passes through unchanged"
    parameters = parameters_of(written)
    candidate = Candidate(
        tier=tiers[0] if tiers else None,
        model=model,
        parameters=parameters,
        quote=quote_of(written, parameters, card=world.card, lane=request.lane),
        reason=reason,
    )
    return Decision(
        request=request,
        rule=RULE,
        reason=reason,
        candidates=(candidate,),
        dropped=(),
        as_of=world.day,
        rate_card=world.card.day,
        policy=world.policy.label,
    )


def parameters_of(written: Written) -> Parameters:
    """What the reply is measured and priced by. A size the model does not make counts as its largest."""
    model = written.model
    sizes = {size.value: size for size in model.sizes}
    default = model.default_size if written.size is None else model.sizes[-1]
    ratios = {ratio.value: ratio for ratio in model.pixels}
    levels = {level.value: level for level in model.thinking}
    return Parameters(
        thinking=levels.get((written.thinking or "").lower()),
        size=sizes.get((written.size or "").upper(), default),
        aspect=ratios.get(written.aspect or ""),
    )


def quote_of(written: Written, parameters: Parameters, *, card: RateCard, lane: Lane) -> Quote:
    """The price of the call. Raises ConfigError where the card has none for the model in this lane.

    The ceiling holds for one picture of a call priced by tokens: a model may draw more of them than it was
    asked for, up to its output limit; what that costs is settled all the same.
    """
    model, size = written.model, parameters.size
    rates = card.rates(model.id, lane)
    tokens = rates.tokens.get(lane)
    if tokens is None:
        each, count = rates.per_image[lane][size], written.images
        lines = [_line(LineKind.IMAGE_OUTPUT, each, count, count, unit="image")]
    else:
        lines = list(_token_lines(written, parameters, tokens))
    if written.searches:
        lines.append(_line(LineKind.GROUNDING, card.search, 1, max(1, model.search_ceiling), unit="search"))
    listed = written.images * rates.list_price[lane][size]
    return Quote(
        lines=tuple(one for one in lines if one.ceiling_units), images=1, list_price=listed, card=card.day
    )


def _token_lines(written: Written, parameters: Parameters, rates: TokenRates) -> Iterator[QuoteLine]:
    model, limits = written.model, written.model.references
    image = model.tokens_per_image[parameters.size]
    overhead, said = model.overhead(parameters.thinking), max(0, written.thinking_tokens)
    allowance = max(overhead.allowance, said, _asked_beyond(written, parameters) - image)
    words, pictures = min(written.words, model.prompt_tokens), written.pictures
    most_seen = max(0, model.prompt_tokens - words)
    seen = most_seen if written.opaque else min(pictures * limits.tokens_ceiling, most_seen)
    yield _line(LineKind.IMAGE_OUTPUT, rates.image_output, image, image)
    yield _line(LineKind.TEXT_INPUT, rates.input, -(-words // _BYTES_A_TOKEN), words)
    yield _line(LineKind.REFERENCE_INPUT, rates.input, min(pictures * limits.tokens, seen), seen)
    yield _line(LineKind.TEXT_OUTPUT, rates.text_output, min(overhead.expected, allowance), allowance)


def _asked_beyond(written: Written, parameters: Parameters) -> int:
    """The body's own limit of output tokens, where it is above the one that the router would send."""
    asked = min(written.most_output or 0, written.model.output_tokens)
    return asked if asked > (max_output_tokens(written.model, parameters) or 0) else 0


def _line(kind: LineKind, rate: int, units: int, most: int, *, unit: str = "token") -> QuoteLine:
    return QuoteLine(kind=kind, unit=unit, rate=rate, units=units, ceiling_units=most)
