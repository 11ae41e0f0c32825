"""What a Book works on: running sums of scopes and holds, and the calls made on them.

Unlike the ledger's entries these change; storage keeps them so that the gate need not add up the past.
"""

from __future__ import annotations

from dataclasses import dataclass

from image_router.core.budget import Micros, Span, Window
from image_router.core.holds import AttemptKey, Hold, HoldState, SendState
from image_router.core.money import Nanos
from image_router.core.types import Lane, Purpose, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The wall clock, which picks windows, and the lease clock, which never jumps while `epoch` lasts."""

    wall: Micros
    lease: Micros
    epoch: str
    """One run of the lease clock, such as one boot of the machine."""


@dataclass(slots=True, kw_only=True)
class Balance:
    """What the gate looks at: the sums of one scope in one window."""

    scope: str
    window: Window
    span: Span
    settled: Nanos = 0
    held: Nanos = 0
    alerted: int = 0
    """The highest threshold announced."""


@dataclass(slots=True, kw_only=True)
class HoldRecord:
    """A hold with its running sums and the end of its chain of entries."""

    id: str
    request_id: str
    owner: str
    scope: str
    model: str
    tier: Tier | None
    purpose: Purpose
    lane: Lane
    amount: Nanos
    taken_at: Micros
    lease_until: Micros
    lease_epoch: str
    lease_length: Micros
    remainder: Nanos = 0
    settled: Nanos = 0
    state: HoldState = HoldState.OPEN
    entries: int = 0
    digest: str = ""

    def receipt(self) -> Hold:
        return Hold(
            id=self.id,
            request_id=self.request_id,
            owner=self.owner,
            scope=self.scope,
            amount=self.amount,
            taken_at=self.taken_at,
        )


@dataclass(slots=True, kw_only=True)
class Send:
    """One call that was, or is about to be, made; `counted` is what the ledger counts for it now."""

    hold_id: str
    key: AttemptKey
    at_risk: Nanos
    model: str
    tier: Tier | None
    state: SendState = SendState.SENT
    counted: Nanos = 0
    response_id: str | None = None
