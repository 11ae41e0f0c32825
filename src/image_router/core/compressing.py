"""Whether a long prompt is shortened before it is sent, where that is wanted (core/briefly). Pure.

It is done where the first choice cannot read the prompt otherwise, or where less input for all n images saves
more than the text call costs. Every skip has its reason, with the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from image_router.core.brevity import LEAST, Compress
from image_router.core.decision import Compression, Decision, Dropped, DropReason, Snapshot
from image_router.core.eligibility import foreign_script
from image_router.core.errors import BudgetExceeded, NoEligibleTier, RequestError
from image_router.core.guard import guard_acts
from image_router.core.money import Nanos, show_usd
from image_router.core.prompting import prompt_bytes
from image_router.core.rates import Quote
from image_router.core.routing import World, decide
from image_router.core.text_calls import BYTES_A_TOKEN, BYTES_ACCEPTED, announced, quote_of, tokens_of
from image_router.core.types import ImageRequest
from image_router.core.verbatim import kept_words

_CUT_OFF_AT: Final = 80
"""Percent of a model's limit that a target may take: with the quarter more it is the whole limit."""


def planned(
    request: ImageRequest,
    world: World,
    *,
    snapshot: Snapshot,
    wish: Compress,
    plain: Decision | RequestError,
) -> Decision | Compression:
    """The decision with the step, or the step that is skipped; `plain` is what deciding says without it."""
    model = world.catalog.text_model(world.day)
    narrow = _narrowest(plain, world)
    target = wish.to or (model.target if model else LEAST)
    if narrow is not None:
        beside = _tokens_beside(request)
        target = max(LEAST, min(target, narrow * _CUT_OFF_AT // 100 - beside))
    step = Compression(model=model, tokens=tokens_of(request.prompt), target=target)
    if why := _pointless(request, world, step):
        return replace(step, skipped=why)
    try:
        short = decide(_stand_in(request, target), world, snapshot=snapshot)
    except (RequestError, BudgetExceeded) as error:
        return replace(step, skipped=f"a prompt of {target:,} tokens could not be served either: {error}")
    return _weighed(request, world, snapshot=snapshot, step=step, short=short, plain=plain)


def _weighed(
    request: ImageRequest,
    world: World,
    *,
    snapshot: Snapshot,
    step: Compression,
    short: Decision,
    plain: Decision | RequestError,
) -> Decision | Compression:
    asked = plain.candidates if isinstance(plain, Decision) else ()
    too_long = {drop.model for drop in _too_long(plain)}
    needed = tuple(one.model.id for one in short.candidates if one.model.id in too_long or not asked)
    price = quote_of(request.prompt, step, card=world.card)
    less = asked[0].quote.total - short.head.quote.total if asked else 0
    essential = short.head.model.id in needed
    saving = 0 if essential else less
    step = replace(step, quote=price, saving=saving, needed_by=needed, otherwise=asked)
    why = _not_worth(request, step, short, price=price, essential=essential)
    if not why and asked and less < price.total and guard_acts(world.policy.guard, snapshot):
        why = f"the budget guard acts, and with {show_usd(price.total)} for it the request becomes dearer"
    if why:
        return replace(step, skipped=why, otherwise=())
    by = step.model.id if step.model else ""
    detail = f"the prompt is shortened from about {step.tokens:,} to {step.target:,} tokens by {by} first"
    return replace(
        short,
        request=request,
        candidates=tuple(replace(one, adapted=announced(one, detail)) for one in short.candidates),
        compression=step,
    )


def _pointless(request: ImageRequest, world: World, step: Compression) -> str:
    """Why nothing is to be shortened, before any price is looked at."""
    if step.model is None:
        return f"no text model of the catalog lives on {world.day}"
    if step.model.id not in world.card.texts:
        return f"the rate card of {world.card.day} has no price for {step.model.id}"
    if step.tokens <= step.target:
        return f"the prompt has about {step.tokens:,} tokens, the target is {step.target:,}"
    language = request.language or "en"
    if not language.lower().startswith("en") or (script := foreign_script(request.prompt)):
        spoken = language if request.language else script
        return f"what must stay word for word is known for English alone, and the prompt is {spoken}"
    fixed = tokens_of(" ".join(kept_words(request.prompt)))
    if fixed > step.target:
        return f"about {fixed:,} tokens of it must stay word for word, and the target is {step.target:,}"
    if tokens_of(request.prompt) > step.model.prompt_tokens:
        return f"{step.model.id} reads {step.model.prompt_tokens:,} tokens itself"
    return ""


def _not_worth(
    request: ImageRequest, step: Compression, short: Decision, *, price: Quote, essential: bool
) -> str:
    if not essential and step.saving <= price.total:
        images = "1 image" if request.n == 1 else f"{request.n} images"
        return (
            f"it cannot pay: about {show_usd(price.total)} for it, {show_usd(max(0, step.saving))} less "
            f"input for {images} on {short.head.model.id}"
        )
    total = short.head.quote.total + price.total
    limits: tuple[tuple[str, Nanos | None, Nanos], ...] = (
        ("max_total", request.max_total, total),
        ("max_cost", request.max_cost, -(-total // request.n)),
    )
    for name, limit, amount in limits:
        if limit is not None and amount > limit:
            return (
                f"with {show_usd(price.total)} for it, {show_usd(amount)} is above {name} {show_usd(limit)}"
            )
    return ""


def _narrowest(plain: Decision | RequestError, world: World) -> int | None:
    """The smallest limit that the prompt as it was asked breaks."""
    limits = (world.catalog.models[drop.model].prompt_tokens for drop in _too_long(plain) if drop.model)
    return min(limits, default=None)


def _too_long(plain: Decision | RequestError) -> Iterator[Dropped]:
    dropped = plain.dropped if isinstance(plain, Decision | NoEligibleTier) else ()
    return (drop for drop in dropped if drop.reason is DropReason.PROMPT_LENGTH)


def _stand_in(request: ImageRequest, target: int) -> ImageRequest:
    """The request with the longest prompt that would be accepted: the first words of this one."""
    prompt = request.prompt.strip().encode()[: target * BYTES_ACCEPTED].decode(errors="ignore")
    return replace(request, prompt=prompt)


def _tokens_beside(request: ImageRequest) -> int:
    """About, of all words that are sent beside the prompt."""
    return -(-(prompt_bytes(request) - len(request.prompt.encode())) // BYTES_A_TOKEN)
