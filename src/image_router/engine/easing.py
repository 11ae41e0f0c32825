"""Waits for the pressure of budgets to fall, where the policy wants that of what the guard must not move."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from image_router.core.decision import Decision
from image_router.core.errors import GuardRefused, InvalidRequest

POLL: Final = 0.5
"""Seconds between looks: what is held is given back by other processes, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long one request may wait, on whose clock."""

    seconds: float
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]

    def __post_init__(self) -> None:
        if not 0 <= self.seconds < inf:
            raise InvalidRequest(f"wait_for_budget is {self.seconds}; give seconds from 0 on")


async def eased(decide: Callable[[], Awaitable[Decision]], patience: Patience) -> tuple[Decision, float]:
    """Decide, again while the guard makes it wait; the decision, and how many seconds it waited.

    Raises GuardRefused with the numbers of the last look when the time is over, and at once where so much is
    spent, until its window ends, that nothing others give back would help.
    """
    since, waited = patience.clock(), 0.0
    while True:
        try:
            return await decide(), waited
        except GuardRefused as refusal:
            left = patience.seconds - waited
            if not refusal.waits:
                raise
            if left <= 0 or _in_vain(refusal, left):
                raise _told(refusal, waited) from refusal
        await patience.sleep(min(POLL, left))
        waited = patience.clock() - since


def _in_vain(refusal: GuardRefused, seconds: float) -> bool:
    strain = refusal.strain
    return strain is None or strain.lasts(refusal.at_percent, seconds=seconds)


def _told(refusal: GuardRefused, waited: float) -> GuardRefused:
    return GuardRefused(
        f"{refusal}; waited {waited:.1f} s for what others hold",
        shortfall=refusal.shortfall,
        at_percent=refusal.at_percent,
        strain=refusal.strain,
        waits=True,
    )
