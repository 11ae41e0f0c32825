"""decide(): what the moment allows of what the purpose asks, as candidates in order with reasons.

Pure: a request, a policy, the catalog and card of the day, and a snapshot go in; a Decision comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from image_router.core.adapting import adapted
from image_router.core.catalog import Catalog, Model, ModelState
from image_router.core.decision import Candidate, Decision, Dropped, DropReason, Snapshot
from image_router.core.eligibility import DoesNotFit, first_no, fit
from image_router.core.errors import (
    ConfigError,
    CostLimitExceeded,
    InvalidRequest,
    ModelRetired,
    NoEligibleTier,
)
from image_router.core.guard import guarded
from image_router.core.money import show_usd
from image_router.core.policy import Policy, prefer
from image_router.core.rates import RateCard, quote
from image_router.core.types import ImageRequest, RetiredPolicy, ThinkingLevel, Tier
from image_router.core.uses import cheapest_use_first, fates, same_use


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The facts of a day: what lives, what it costs, what the policy says."""

    catalog: Catalog
    card: RateCard
    policy: Policy
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    """One model that may serve, before anyone asked whether it can."""

    tier: Tier | None
    model: Model
    thinking: ThinkingLevel | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shortlist:
    """What the rule or the pin leaves to choose from."""

    rule: str
    reason: str
    options: tuple[_Option, ...]
    dropped: tuple[Dropped, ...]
    first: Tier | None
    """The tier that the rule or the pin names."""
    warnings: tuple[str, ...] = ()


NOTHING_KNOWN = Snapshot()
_NEVER_ASKED = frozenset({DropReason.PINNED_ELSEWHERE, DropReason.NOT_A_FALLBACK})


def decide(request: ImageRequest, world: World, *, snapshot: Snapshot = NOTHING_KNOWN) -> Decision:
    """Choose. Raises ModelRetired, CostLimitExceeded, BudgetExceeded (the guard) or NoEligibleTier."""
    shortlist = _shortlist(request, world)
    able, unable, twins = _able(request, world, shortlist.options, snapshot)
    affordable, too_dear = _within_limits(request, _ordered(able, shortlist))
    dropped = [*shortlist.dropped, *unable, *too_dear]
    if not affordable:
        raise _nothing_left(request, able, [*dropped, *fates(twins, dropped)])
    affordable, action, guard_drops = guarded(
        request, affordable, guard=world.policy.guard, snapshot=snapshot
    )
    candidates, surplus = _within_fallback_price(affordable, world.policy)
    dropped += [*guard_drops, *surplus]
    return Decision(
        request=request,
        rule=shortlist.rule,
        reason=shortlist.reason,
        candidates=candidates,
        dropped=(*dropped, *fates(twins, dropped)),
        as_of=world.day,
        rate_card=world.card.day,
        policy=world.policy.label,
        guard=action,
        warnings=(
            *shortlist.warnings,
            *_identity_at_risk(request, shortlist, candidates[0]),
        ),
    )


def _shortlist(request: ImageRequest, world: World) -> _Shortlist:
    if request.model is not None:
        return _pinned_model(request, request.model, world)
    if request.tier is not None:
        preferred: tuple[Tier, ...] = (request.tier,)
        rule, reason = "pinned tier", f"the request pins {request.tier}"
    else:
        preference = prefer(request, world.policy)
        preferred, rule, reason = preference.tiers, preference.rule, preference.reason
    options: list[_Option] = []
    dropped: list[Dropped] = []
    for place, tier in enumerate(preferred):
        entry = world.catalog.serving(tier, world.day)
        if entry is None:
            detail = f"no model of {tier} is known to live on {world.day}"
            dropped.append(Dropped(tier=tier, model=None, reason=DropReason.NO_LIVING_MODEL, detail=detail))
            continue
        why = reason if place == 0 else f"fallback {place} of {preferred[0]}"
        model = world.catalog.models[entry.model]
        options.append(_Option(tier=tier, model=model, thinking=entry.thinking, reason=why))
    dropped += _left_aside(request, preferred, world)
    return _Shortlist(
        rule=rule,
        reason=reason,
        options=tuple(_continuing(request, options)),
        dropped=tuple(dropped),
        first=preferred[0],
    )


def _continuing(request: ImageRequest, options: list[_Option]) -> Iterable[_Option]:
    """A conversation stays with the models that read its signatures; others get its last picture alone.
    A locked identity stays with its specialist."""
    talk = request.conversation
    if talk is None or request.locks_identity:
        return options
    readers = [one for one in options if one.model.conversation and one.model.family == talk.family]
    others = [one for one in options if one not in readers]
    why = f"continues the conversation with {talk.model}, whose signatures it reads"
    return [*(replace(one, reason=f"{why}; {one.reason}") for one in readers), *others]


def _left_aside(request: ImageRequest, preferred: tuple[Tier, ...], world: World) -> Iterable[Dropped]:
    pinned = request.tier is not None
    why = DropReason.PINNED_ELSEWHERE if pinned else DropReason.NOT_A_FALLBACK
    detail = (
        f"the request pins {request.tier}" if pinned else f"the policy names no fallback from {preferred[0]}"
    )
    for tier in Tier:
        if tier not in preferred:
            entry = world.catalog.serving(tier, world.day)
            yield Dropped(tier=tier, model=entry.model if entry else None, reason=why, detail=detail)


def _pinned_model(request: ImageRequest, asked: str, world: World) -> _Shortlist:
    model = world.catalog.find(asked)
    if model is None:
        known = ", ".join(sorted(world.catalog.models))
        raise InvalidRequest(f"model {asked!r} is not in the catalog; it knows {known}")
    pinned = model
    model, warnings = living(pinned, world, retired=request.retired)
    tier, thinking = _use_of(pinned, model, world)
    aside = tuple(
        Dropped(
            tier=other, model=None, reason=DropReason.PINNED_ELSEWHERE, detail=f"the request pins {model.id}"
        )
        for other in Tier
        if other is not tier
    )
    reason = f"stands in for the pinned {asked}" if warnings else f"the request pins {asked}"
    option = _Option(tier=tier, model=model, thinking=thinking, reason=reason)
    return _Shortlist(
        rule="pinned model",
        reason=reason,
        options=(option,),
        dropped=aside,
        first=tier,
        warnings=warnings,
    )


def _use_of(pinned: Model, served: Model, world: World) -> tuple[Tier | None, ThinkingLevel | None]:
    """A stand-in is used as the lineage of the pinned model goes on; the pinned model itself as it is."""
    if served is not pinned and (line := world.catalog.goes_on(pinned.id, world.day)):
        tier, entry = line
        return tier, entry.thinking
    tiers = world.catalog.tiers_served_by(served.id, world.day)
    return (tiers[0] if tiers else None), None


def living(model: Model, world: World, *, retired: RetiredPolicy) -> tuple[Model, tuple[str, ...]]:
    """The pinned model, or its successor with a warning where a substitute is allowed.

    Raises ModelRetired, and InvalidRequest for a model that is not yet released.
    """
    state, day = world.catalog.state(model.id, world.day), world.day
    if state.serves:
        return model, ()
    successor = world.catalog.successor(model.id, day)
    if state is ModelState.UNRELEASED:
        other = f"; use {successor.id}" if successor else ""
        raise InvalidRequest(f"model {model.id} is released on {model.life.released}, after {day}{other}")
    if successor is None or retired is not RetiredPolicy.SUBSTITUTE:
        raise _retired(model, state, successor, day)
    return successor, (f"{model.id} is {state} on {day}: {successor.id} serves instead",)


def _retired(model: Model, state: ModelState, successor: Model | None, day: date) -> ModelRetired:
    life = model.life
    known = [f"shutdown {life.shutdown}, {life.confidence}"] if life.shutdown else []
    known += [life.note] if life.note else []
    when = f" ({'; '.join(known)})" if known else ""
    way_out = f"use {successor.id}" if successor else "no successor is known"
    if state is ModelState.UNCERTAIN:
        way_out += f', or set [model_states] "{model.id}" = "alive" if it answers for you'
    elif successor:
        way_out += " or set retired=substitute"
    return ModelRetired(
        f"model {model.id} is {state} on {day}{when}: {way_out}",
        model=model.id,
        successor=successor.id if successor else None,
        shutdown=model.life.shutdown,
    )


def _identity_at_risk(request: ImageRequest, shortlist: _Shortlist, head: Candidate) -> Iterator[str]:
    """A locked identity never leaves its first choice without a word."""
    first = shortlist.first
    if request.locks_identity and first is not None and head.tier is not first:
        living = (f"{option.model.id} ({first})" for option in shortlist.options if option.tier is first)
        other = next(living, f"a model of {first}, of which none lives")
        here = f"{head.model.id} ({head.tier})"
        yield f"the identity is locked, and {here} serves, not {other}: compare the looks"


def _able(
    request: ImageRequest, world: World, options: Iterable[_Option], snapshot: Snapshot
) -> tuple[list[Candidate], list[Dropped], dict[Tier, Candidate]]:
    """Who can, who cannot, and the tiers that count as another that can."""
    candidates: list[Candidate] = []
    dropped: list[Dropped] = []
    twins: dict[Tier, Candidate] = {}
    for option in options:
        try:
            candidate = _candidate(request, world, option, snapshot)
        except DoesNotFit as misfit:
            reason, detail = misfit.no
            dropped.append(Dropped(tier=option.tier, model=option.model.id, reason=reason, detail=detail))
            continue
        twin = next((c for c in candidates if same_use(c, candidate)), None)
        if twin is None:
            candidates.append(candidate)
        elif option.tier is not None:
            twins[option.tier] = twin
    return candidates, dropped, twins


def _ordered(able: list[Candidate], shortlist: _Shortlist) -> list[Candidate]:
    """The rule's own tier first; after it, and where it cannot serve, the cheaper uses of one model first."""
    level = next((one.thinking for one in shortlist.options if one.tier is shortlist.first), None)
    served = 1 if able and able[0].tier is shortlist.first else 0
    return [*able[:served], *cheapest_use_first(able[served:], level)]


def _candidate(request: ImageRequest, world: World, option: _Option, snapshot: Snapshot) -> Candidate:
    model = option.model
    if model.id in snapshot.open_circuits:
        raise DoesNotFit(DropReason.CIRCUIT_OPEN, f"{model.id} failed too often just now")
    quality = world.policy.quality.get(option.tier) if option.tier else None
    if request.quality_floor and quality and quality.rank < request.quality_floor.rank:
        detail = f"{option.tier} is {quality} quality; the request asks for {request.quality_floor} at least"
        raise DoesNotFit(DropReason.QUALITY, detail)
    adapt = request.allow | world.policy.adapt
    parameters, changes = fit(request, model, thinking=option.thinking, adapt=adapt)
    sent = adapted(request, (change.kind for change in changes))
    if no := first_no(sent, model, parameters=parameters):
        raise DoesNotFit(*no)
    try:
        price = quote(sent, model, parameters=parameters, card=world.card)
    except (ConfigError, InvalidRequest) as problem:
        raise DoesNotFit(DropReason.NO_PRICE, str(problem)) from None
    return Candidate(
        tier=option.tier,
        model=model,
        parameters=parameters,
        quote=price,
        reason=option.reason,
        adapted=changes,
    )


def _within_limits(
    request: ImageRequest, candidates: list[Candidate]
) -> tuple[list[Candidate], list[Dropped]]:
    kept, dropped = [], []
    for candidate in candidates:
        if detail := _over_limit(request, candidate):
            dropped.append(_drop(candidate, DropReason.MAX_COST, detail))
        else:
            kept.append(candidate)
    return kept, dropped


def _over_limit(request: ImageRequest, candidate: Candidate) -> str | None:
    each, total = candidate.quote.per_image, candidate.quote.total
    if request.max_cost is not None and each > request.max_cost:
        return f"{show_usd(each)} an image is above the limit of {show_usd(request.max_cost)}"
    if request.max_total is not None and total > request.max_total:
        return f"{show_usd(total)} in total is above the limit of {show_usd(request.max_total)}"
    return None


def _within_fallback_price(
    candidates: list[Candidate], policy: Policy
) -> tuple[tuple[Candidate, ...], list[Dropped]]:
    """The first choice stands; what costs too many times as much is no fallback for it."""
    head, percent = candidates[0], policy.dearest_fallback_percent
    kept, dropped = [head], []
    for candidate in candidates[1:]:
        if candidate.quote.total * 100 <= head.quote.total * percent:
            kept.append(candidate)
            continue
        detail = (
            f"{show_usd(candidate.quote.per_image)} an image is more than {percent} % of the first choice's "
            f"{show_usd(head.quote.per_image)}"
        )
        dropped.append(_drop(candidate, DropReason.DEARER_THAN_ALLOWED, detail))
    return tuple(kept), dropped


def _drop(candidate: Candidate, reason: DropReason, detail: str) -> Dropped:
    return Dropped(tier=candidate.tier, model=candidate.model.id, reason=reason, detail=detail)


def _nothing_left(
    request: ImageRequest, able: list[Candidate], dropped: list[Dropped]
) -> CostLimitExceeded | NoEligibleTier:
    if able:
        cheapest = min(able, key=lambda candidate: candidate.quote.total)
        limit, asked = request.max_cost, cheapest.quote.per_image
        if limit is None or asked <= limit:
            limit, asked = request.max_total or 0, cheapest.quote.total
        return CostLimitExceeded(
            f"the cheapest model that can do this, {cheapest.model.id}, costs {show_usd(asked)}; the limit "
            f"is {show_usd(limit)}: raise it, or ask for a smaller size or fewer images",
            limit=limit,
            asked=asked,
        )
    reasons = "\n".join(f"  {line}" for line in _reasons(dropped))
    return NoEligibleTier(f"no tier can serve this request:\n{reasons}", dropped=dropped)


def _reasons(dropped: list[Dropped]) -> Iterator[str]:
    """A line for each model that cannot; after them one for the tiers that were never asked."""
    aside = [drop for drop in dropped if drop.reason in _NEVER_ASKED]
    for drop in dropped:
        if drop not in aside:
            yield f"{drop.tier or drop.model}: {drop.detail}"
    for detail in dict.fromkeys(drop.detail for drop in aside):
        tiers = ", ".join(str(drop.tier) for drop in aside if drop.detail == detail)
        yield f"not asked, since {detail}: {tiers}"
