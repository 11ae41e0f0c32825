"""The budget guard: near the end of a budget no request becomes dearer, and none is degraded silently."""

from __future__ import annotations

from image_router.core.decision import Candidate, Dropped, DropReason, GuardAction, Snapshot
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
