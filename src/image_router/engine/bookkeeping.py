"""A request's account in the durable ledger: one hold, its sends and settlements, a heartbeat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from image_router.core.causes import Kind
from image_router.core.decision import Decision
from image_router.core.errors import StorageError
from image_router.core.events import Held, HoldClosed, Overrun, Sink
from image_router.core.holds import AttemptKey, Hold, HoldRequest, Sending, Settled, Settlement
from image_router.core.money import Nanos, show_usd
from image_router.core.pressure import Strain
from image_router.core.results import Attempt
from image_router.core.types import Size
from image_router.engine.accounts import Account, Addressee, Row
from image_router.storage.lazy import LazyDatabase
from image_router.storage.ledger import HEARTBEAT, Ledger

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """A request's account over a real hold."""

    ledger: Ledger
    hold: Hold
    announce: Sink
    request_id: str
    alone: bool = False
    """It is for one picture: whose settlement also closes it."""
    closed: bool = False
    overruns: list[Settled] = field(default_factory=list)
    failing: bool = False
    """The books did not take a settlement."""
    trouble: str | None = None
    """Why the hold could not be closed."""

    async def sent(self, *, index: int, number: int, candidate: Addressee, at_risk: Nanos) -> None:
        key = AttemptKey(number=number, index=index)
        sending = Sending(attempt=key, at_risk=at_risk, model=candidate.model.id, tier=candidate.tier)
        await self.ledger.sent(self.hold, sending)

    async def settled(
        self, attempt: Attempt, *, index: int, size: Size | None, row: Row | None = None
    ) -> None:
        last = self.alone and attempt.kind is Kind.IMAGE
        settle = self.ledger.settle_and_close if last else self.ledger.settle
        try:
            done = await settle(self.hold, settlement_of(attempt, index=index, size=size), row=row)
        except StorageError:
            self.failing = True
            raise
        self.closed = self.closed or last
        if done.overrun:
            self.overruns.append(done)
            self.announce(Overrun(request_id=self.request_id, attempt=attempt, amount=done.overrun))

    @property
    def hold_id(self) -> str:
        return self.hold.id

    async def close(self) -> None:
        """Give back what is left. Books that fail must not cost the picture: the lease ends by itself."""
        if self.closed:
            return
        try:
            await self.ledger.close(self.hold, patience=0.0 if self.failing else None)
        except StorageError as problem:
            self.trouble = (
                f"hold {self.hold.id} of {show_usd(self.hold.amount)} could not be closed, and ends with its "
                f"lease; what was sent and not settled counts as unknown until then and after: {problem}"
            )
            _log.error("%s", self.trouble)

    @property
    def warnings(self) -> tuple[str, ...]:
        overruns = (
            f"{show_usd(done.spent)} was charged, {show_usd(done.overrun)} more than was held: an overrun"
            for done in self.overruns
        )
        return (*overruns, *filter(None, (self.trouble,)))


def settlement_of(attempt: Attempt, *, index: int, size: Size | None, row: str = "") -> Settlement:
    """What the ledger is told of an attempt; `row` names its request where the hold is of several."""
    return Settlement(
        attempt=AttemptKey(number=attempt.number, index=index, request_id=row),
        billed=attempt.billed,
        cost=attempt.cost,
        at_risk=attempt.at_risk or None,
        response_id=attempt.response_id,
        outcome=attempt.cause,
        model=attempt.model,
        tier=attempt.tier,
        images=attempt.images,
        size=size,
        usage=attempt.usage,
    )


class LedgerAccounts:
    """Accounts over the durable ledger, opened when the first request needs money."""

    def __init__(self, database: LazyDatabase, *, owner: str, announce: Sink) -> None:
        self._database = database
        self._owner = owner
        self._announce = announce
        self._opening = asyncio.Lock()
        self._ledger: Ledger | None = None

    async def opened(self) -> Ledger:
        """The ledger itself, for who holds money for many requests at once. Raises StorageError."""
        if self._ledger is not None:
            return self._ledger
        async with self._opening:
            if self._ledger is None:
                self._ledger = Ledger(await self._database.opened(), on_alert=self._announce)
            return self._ledger

    async def aclose(self) -> None:
        if self._ledger is not None:
            await self._ledger.drain()
            self._ledger = None
        await self._database.aclose()

    async def strain(self, scope: str) -> Strain:
        ledger = await self.opened()
        await ledger.sweep()
        return await ledger.strain(scope)

    @asynccontextmanager
    async def holding(
        self, decision: Decision, *, request_id: str, deadline: float, wait: float
    ) -> AsyncIterator[Account]:
        ledger = await self.opened()
        asked = self._asked(decision, request_id, deadline)
        hold = await ledger.hold(asked, wait=wait)
        self._announce(Held(request_id=request_id, scope=asked.scope, amount=asked.amount))
        held = _Held(ledger, hold, self._announce, request_id, alone=decision.request.n == 1)
        beat = Beat(ledger, hold)
        try:
            yield held
        finally:
            await beat.end()
            self._announce(HoldClosed(request_id=request_id, scope=asked.scope, amount=asked.amount))
            await held.close()

    def _asked(self, decision: Decision, request_id: str, deadline: float) -> HoldRequest:
        request, head = decision.request, decision.head
        return HoldRequest(
            request_id=request_id,
            owner=self._owner,
            scope=request.scope,
            amount=decision.ceiling,
            per_image=decision.ceiling // request.n,
            model=head.model.id,
            tier=head.tier,
            purpose=request.purpose,
            lane=request.lane,
            deadline=deadline,
        )


class Beat:
    """Renews the lease of a hold until it ends; most holds are closed before the first beat."""

    def __init__(self, ledger: Ledger, hold: Hold) -> None:
        self._ledger, self._hold = ledger, hold
        self._task: asyncio.Task[None] | None = None
        self._first = asyncio.get_running_loop().call_later(HEARTBEAT, self._begin)

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._go_on())

    async def _go_on(self) -> None:
        while True:
            try:
                await self._ledger.heartbeat([self._hold])
            except StorageError as problem:
                _log.warning("the lease of hold %s could not be renewed: %s", self._hold.id, problem)
            await asyncio.sleep(HEARTBEAT)

    async def end(self) -> None:
        self._first.cancel()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
