"""One hold for many requests: every row of a chunk spends from it, and the ledger knows each by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from image_router.core.decision import Decision
from image_router.core.events import Held, HoldClosed, Overrun, Sink
from image_router.core.holds import AttemptKey, Hold, HoldRequest, Sending, Settled
from image_router.core.money import Nanos, show_usd
from image_router.core.pressure import Strain
from image_router.core.results import Attempt
from image_router.core.types import Size
from image_router.engine.accounts import Account, Addressee, Row
from image_router.engine.bookkeeping import Beat, settlement_of
from image_router.storage.ledger import Ledger

Noted = Callable[[str, str, str], Row]
"""(key, request id, hold id) → what is written together with the note that a call is about to be made."""


@asynccontextmanager
async def chunk_held(
    ledger: Ledger, asked: HoldRequest, *, announce: Sink, noted: Noted
) -> AsyncIterator[ChunkAccounts]:
    """Hold the money of a chunk while its requests are made. Raises BudgetExceeded when it does not fit."""
    hold = await ledger.hold(asked)
    announce(Held(request_id=asked.request_id, scope=asked.scope, amount=asked.amount))
    beat = Beat(ledger, hold)
    try:
        yield ChunkAccounts(
            ledger=ledger, hold=hold, per_image=asked.per_image, announce=announce, noted=noted
        )
    finally:
        await beat.end()
        announce(HoldClosed(request_id=asked.request_id, scope=asked.scope, amount=asked.amount))
        await ledger.close(hold)


@dataclass(slots=True, kw_only=True)
class ChunkAccounts:
    """Accounts over one open hold: nothing more is held for a request of it, but for what its call lacks, in
    the step that notes the call."""

    ledger: Ledger
    hold: Hold
    per_image: Nanos
    """What the caps per request were asked for: the dearest image that was foreseen."""
    announce: Sink
    noted: Noted
    settled: Nanos = 0

    async def strain(self, scope: str) -> Strain:
        """As the others stand: the chunk's own hold is no reason for it to save."""
        await self.ledger.sweep()
        strain = await self.ledger.strain(scope)
        mine = max(0, self.hold.amount - self.settled)
        standings = (replace(one, held=max(0, one.held - mine)) for one in strain.standings)
        return replace(strain, standings=tuple(standings))

    @asynccontextmanager
    async def holding(
        self, decision: Decision, *, request_id: str, deadline: float, wait: float
    ) -> AsyncIterator[Account]:
        """Raises BudgetExceeded for an image dearer than foreseen, where a cap per request forbids it."""
        most = decision.ceiling // decision.request.n
        if most > self.per_image:
            await self.ledger.allow_image(self.hold.scope, most)
        key = decision.request.key or ""
        yield _Share(of=self, request_id=request_id, noted=self.noted(key, request_id, self.hold.id))

    async def aclose(self) -> None:
        """Whoever held the money closes the books."""


@dataclass(slots=True, kw_only=True)
class _Share:
    """One request's part of the hold."""

    of: ChunkAccounts
    request_id: str
    noted: Row
    overruns: list[Settled] = field(default_factory=list)

    async def sent(self, *, index: int, number: int, candidate: Addressee, at_risk: Nanos) -> None:
        key = AttemptKey(number=number, index=index, request_id=self.request_id)
        call = Sending(attempt=key, at_risk=at_risk, model=candidate.model.id, tier=candidate.tier)
        await self.of.ledger.sent(self.of.hold, call, row=self.noted)

    async def settled(
        self, attempt: Attempt, *, index: int, size: Size | None, row: Row | None = None
    ) -> None:
        told = settlement_of(attempt, index=index, size=size, row=self.request_id)
        done = await self.of.ledger.settle(self.of.hold, told, row=row)
        self.of.settled += done.spent
        if done.overrun:
            self.overruns.append(done)
            self.of.announce(Overrun(request_id=self.request_id, attempt=attempt, amount=done.overrun))

    @property
    def hold_id(self) -> str:
        return self.of.hold.id

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(
            f"{show_usd(done.spent)} was charged, {show_usd(done.overrun)} more than was held for the chunk"
            for done in self.overruns
        )
