"""The budget guard: near the end of a budget no request becomes dearer, and none is degraded silently."""

from __future__ import annotations

from dataclasses import dataclass, replace

from image_router.core.budget import SECOND, Micros, Shortfall
from image_router.core.decision import Candidate, Decision, Dropped, DropReason, GuardAction, Snapshot
from image_router.core.errors import BudgetExceeded, GuardRefused
from image_router.core.money import show_usd
from image_router.core.policy import Guard, GuardChoice
from image_router.core.pressure import Standing, Strain
from image_router.core.types import ImageRequest

Guarded = tuple[list[Candidate], GuardAction | None, list[Dropped]]


@dataclass(frozen=True, slots=True)
class _Press:
    """How full the fullest budget is, and from where on the guard acts."""

    percent: int
    at_percent: int
    strain: Strain

    @classmethod
    def of(cls, guard: Guard, snapshot: Snapshot) -> _Press:
        line = snapshot.strain.line
        return cls(
            snapshot.highest_pressure, line.percent if line else guard.at_percent, strain=snapshot.strain
        )

    @property
    def fullest(self) -> Standing | None:
        """None where a higher pressure is assumed than any budget has."""
        one = self.strain.fullest
        return one if one and one.percent == self.percent else None

    @property
    def set_by(self) -> str | None:
        return self.strain.line.scope if self.strain.line else None

    def __str__(self) -> str:
        one = self.fullest
        return (
            f"{f'the {one.window} budget of {one.scope!r}' if one else 'the budget'} is {self.percent} % used"
        )

    def at_length(self) -> str:
        one = self.fullest
        sums = (
            f", {show_usd(one.settled)} of {show_usd(one.cap)} spent and {show_usd(one.held)} held"
            if one
            else ""
        )
        by = f" as {self.set_by!r} wants" if self.set_by else ""
        return f"{self}{sums} (the guard acts from {self.at_percent} %{by})"


def guard_acts(guard: Guard, snapshot: Snapshot) -> bool:
    """Whether a budget is so full that the guard acts."""
    line = snapshot.strain.line
    return snapshot.highest_pressure >= (line.percent if line else guard.at_percent)


def guarded(
    request: ImageRequest, candidates: list[Candidate], *, guard: Guard, snapshot: Snapshot
) -> Guarded:
    """Put the cheaper of the first choice and the guard's tier first, and drop what is dearer than the
    first choice. A pin is the caller's word and stays; the cap itself still binds it.

    Raises GuardRefused where references or a locked identity meet a policy that refuses or waits.
    """
    press = _Press.of(guard, snapshot)
    if press.percent < press.at_percent or request.tier or request.model:
        return candidates, None, []
    chosen = candidates[0]
    rival = next((c for c in candidates if c.tier is guard.tier), chosen)
    served = rival if rival.quote.total < chosen.quote.total else chosen
    if served is not chosen and (request.references or request.locks_identity):
        _allow_degrading(guard, press, chosen)
    kept = [served, *(c for c in candidates if c is not served and c.quote.total <= chosen.quote.total)]
    dropped = [_dearer(c, chosen, press) for c in candidates if c not in kept]
    return kept, _action(press, chosen, served), dropped


def _allow_degrading(guard: Guard, press: _Press, chosen: Candidate) -> None:
    if guard.locked is GuardChoice.DEGRADE:
        return
    one = press.fullest
    raise GuardRefused(
        f"{press.at_length()}, and a request with references or a locked identity is not moved from "
        f"{chosen.tier} to a cheaper tier: raise the cap, wait for the next window, or set "
        f"guard.locked = 'degrade' in the policy",
        shortfall=_shortfall(one, chosen, at=press.strain.at) if one else None,
        at_percent=press.at_percent,
        strain=press.strain if one else None,
        waits=guard.locked is GuardChoice.WAIT,
    )


def _shortfall(one: Standing, chosen: Candidate, *, at: Micros) -> Shortfall:
    end = one.span.end
    return Shortfall(
        scope=one.scope,
        window=one.window,
        cap=one.cap,
        spent=one.settled,
        held=one.held,
        asked=chosen.quote.ceiling,
        window_end=one.window_end,
        resets_in=None if end is None else max(0, end - at) / SECOND,
    )


def _action(press: _Press, chosen: Candidate, served: Candidate) -> GuardAction | None:
    if served is chosen or chosen.tier is None or served.tier is None:
        return None
    by = f" (the guard acts from {press.at_percent} % as {press.set_by!r} wants)" if press.set_by else ""
    return GuardAction(
        pressure_percent=press.percent,
        chosen=chosen.tier,
        served=served.tier,
        detail=(
            f"{press}{by}: {served.tier} at {show_usd(served.quote.per_image)} "
            f"instead of {chosen.tier} at {show_usd(chosen.quote.per_image)}"
        ),
        at_percent=press.at_percent,
        scope=press.fullest.scope if press.fullest else None,
        set_by=press.set_by,
    )


def _dearer(candidate: Candidate, chosen: Candidate, press: _Press) -> Dropped:
    return Dropped(
        tier=candidate.tier,
        model=candidate.model.id,
        reason=DropReason.GUARD,
        detail=(
            f"{press} and {show_usd(candidate.quote.per_image)} an image is dearer "
            f"than the first choice's {show_usd(chosen.quote.per_image)}"
        ),
    )


def affordable(decision: Decision, refusal: BudgetExceeded, *, waits: bool) -> Decision:
    """The decision without the fallbacks that the budget cannot hold now.

    When not even the first choice fits, it alone is left for a caller who waits; otherwise raises
    BudgetExceeded naming how many images of it would fit, and the cheapest candidate that would.
    """
    shortfall = refusal.shortfall
    if shortfall is None:
        raise refusal
    per_image = shortfall.window == "request"
    free = shortfall.cap - shortfall.spent - shortfall.held
    step = decision.compression

    def most(candidate: Candidate) -> int:
        whole = candidate.quote.ceiling + (step.ceiling if step else 0)
        return whole // candidate.quote.images if per_image else whole

    fitting = tuple(candidate for candidate in decision.candidates if most(candidate) <= free)
    if decision.head not in fitting and waits:
        fitting = (decision.head,)
    if decision.head not in fitting:
        raise _of_head(decision, shortfall, min(fitting, key=most, default=None)) from refusal
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
    if step:
        step = replace(step, otherwise=tuple(one for one in step.otherwise if most(one) <= free))
    return replace(decision, candidates=fitting, dropped=(*decision.dropped, *dropped), compression=step)


def _of_head(decision: Decision, shortfall: Shortfall, cheapest: Candidate | None) -> BudgetExceeded:
    """The refusal of the first choice: what it may cost and why, and what would fit instead."""
    head, per_image = decision.head, shortfall.window == "request"
    images, each = head.quote.images, -(-head.quote.ceiling // head.quote.images)
    times = f"{images} × {show_usd(each)}, " if images > 1 and not per_image else ""
    asked = each if per_image else head.quote.ceiling
    told = replace(shortfall, asked=asked, basis=f"{times}the most that {_name(head)} may cost")
    fewer = max(0, shortfall.cap - shortfall.spent - shortfall.held) // each
    words = [str(told.error())]
    if 0 < fewer < images and not per_image:
        words.append(f"{fewer} of the {images} images would fit: n={fewer}.")
    if cheapest is not None:
        most = show_usd(-(-cheapest.quote.ceiling // cheapest.quote.images) * (1 if per_image else images))
        pin = f"; ask for it with tier={cheapest.tier}" if cheapest.tier else ""
        words.append(f"{_name(cheapest)} would still fit: at most {most}{' an image' * per_image}{pin}.")
    elif len(words) == 1:
        words.append("No candidate of this request would fit.")
    return BudgetExceeded(" ".join(words), shortfall=told)


def _name(candidate: Candidate) -> str:
    return candidate.tier or candidate.model.id
