"""The budget guard: near the end of a budget no request becomes dearer, and none is degraded silently."""

from __future__ import annotations

from dataclasses import replace

from image_router.core.decision import Candidate, Decision, Dropped, DropReason, GuardAction, Snapshot
from image_router.core.errors import BudgetExceeded
from image_router.core.money import show_usd
from image_router.core.policy import Guard, GuardChoice
from image_router.core.types import ImageRequest

Guarded = tuple[list[Candidate], GuardAction | None, list[Dropped]]


def guarded(
    request: ImageRequest, candidates: list[Candidate], *, guard: Guard, snapshot: Snapshot
) -> Guarded:
    """Put the cheaper of the first choice and the guard's tier first, and drop what is dearer than the
    first choice. A pin is the caller's word and stays; the cap itself still binds it.

    Raises BudgetExceeded where references or a locked identity meet a policy that refuses or waits.
    """
    pressure = snapshot.highest_pressure
    if pressure < guard.at_percent or request.tier or request.model:
        return candidates, None, []
    chosen = candidates[0]
    rival = next((c for c in candidates if c.tier is guard.tier), chosen)
    served = rival if rival.quote.total < chosen.quote.total else chosen
    if served is not chosen and (request.references or request.locks_identity):
        _allow_degrading(guard, pressure, chosen)
    kept = [served, *(c for c in candidates if c is not served and c.quote.total <= chosen.quote.total)]
    dropped = [_dearer(c, chosen, pressure) for c in candidates if c not in kept]
    return kept, _action(pressure, chosen, served), dropped


def _allow_degrading(guard: Guard, pressure: int, chosen: Candidate) -> None:
    if guard.locked is GuardChoice.DEGRADE:
        return
    raise BudgetExceeded(
        f"the budget is {pressure} % used (the guard acts from {guard.at_percent} %), and a request with "
        f"references or a locked identity is not moved from {chosen.tier} to a cheaper tier: raise the cap, "
        f"wait for the next window, or set guard.locked = 'degrade' in the policy"
    )


def _action(pressure: int, chosen: Candidate, served: Candidate) -> GuardAction | None:
    if served is chosen or chosen.tier is None or served.tier is None:
        return None
    return GuardAction(
        pressure_percent=pressure,
        chosen=chosen.tier,
        served=served.tier,
        detail=(
            f"the budget is {pressure} % used: {served.tier} at {show_usd(served.quote.per_image)} "
            f"instead of {chosen.tier} at {show_usd(chosen.quote.per_image)}"
        ),
    )


def _dearer(candidate: Candidate, chosen: Candidate, pressure: int) -> Dropped:
    return Dropped(
        tier=candidate.tier,
        model=candidate.model.id,
        reason=DropReason.GUARD,
        detail=(
            f"the budget is {pressure} % used and {show_usd(candidate.quote.per_image)} an image is dearer "
            f"than the first choice's {show_usd(chosen.quote.per_image)}"
        ),
    )


def affordable(decision: Decision, refusal: BudgetExceeded, *, waits: bool) -> Decision:
    """The decision without the fallbacks that the budget cannot hold now.

    When not even the first choice fits, it alone is left for a caller who waits; otherwise raises
    BudgetExceeded naming the cheapest candidate that would fit.
    """
    shortfall = refusal.shortfall
    if shortfall is None:
        raise refusal
    per_image = shortfall.window == "request"
    free = shortfall.cap - shortfall.spent - shortfall.held

    def most(candidate: Candidate) -> int:
        return candidate.quote.ceiling // candidate.quote.images if per_image else candidate.quote.ceiling

    fitting = tuple(candidate for candidate in decision.candidates if most(candidate) <= free)
    if decision.head not in fitting and waits:
        fitting = (decision.head,)
    if decision.head not in fitting:
        raise _named(refusal, min(fitting, key=most, default=None)) from refusal
    dropped = tuple(
        Dropped(
            tier=candidate.tier,
            model=candidate.model.id,
            reason=DropReason.BUDGET,
            detail=f"may cost {show_usd(most(candidate))}; the budget has {show_usd(free)} left",
        )
        for candidate in decision.candidates
        if candidate not in fitting
    )
    return replace(decision, candidates=fitting, dropped=(*decision.dropped, *dropped))


def _named(refusal: BudgetExceeded, cheapest: Candidate | None) -> BudgetExceeded:
    if cheapest is None:
        words = f"{refusal} No candidate of this request would fit."
    else:
        words = (
            f"{refusal} {cheapest.tier or cheapest.model.id} would still fit: at most "
            f"{show_usd(cheapest.quote.ceiling)}."
        )
    return BudgetExceeded(words, shortfall=refusal.shortfall)
