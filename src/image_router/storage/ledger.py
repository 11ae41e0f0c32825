"""The ledger: money is held before a call, noted when sent, settled after, and never counted twice.

What each step means is core/book; here the steps of all callers are stored together. Every method may be
repeated when its confirmation was lost: the ledger does so itself for as long as its patience lasts, because
what was spent must be written down. Questions about the past are in storage/statements and storage/verify.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, TypeVar, cast

from image_router.core import gate
from image_router.core.book import Book
from image_router.core.budget import BudgetAlert
from image_router.core.errors import (
    BudgetExceeded,
    StorageError,
    StorageProblem,
)
from image_router.core.holds import (
    LEASE,
    Adjustment,
    Entry,
    Hold,
    HoldRequest,
    Sending,
    Settled,
    Settlement,
)
from image_router.core.ids import new_id
from image_router.core.money import Nanos
from image_router.core.pressure import Strain
from image_router.core.reconcile import Call
from image_router.core.statement import By, Line, Period, Unknown
from image_router.storage import statements
from image_router.storage.budgets import Budgets, strain
from image_router.storage.database import Database, Together, Transaction
from image_router.storage.glances import Glances
from image_router.storage.steps import Step, closing, expire_some, id_of, renewing, settling, take_together
from image_router.storage.verify import Report, verify

HEARTBEAT: Final = LEASE / 3
"""Seconds between heartbeats that leave room for two to be lost."""
SWEEP: Final = 10.0
"""Seconds between looks for holds whose owners died."""
PATIENCE: Final = 30.0
"""Seconds a step is repeated while the database is locked or gone."""
_POLL = (0.02, 0.25)

T = TypeVar("T")


class Ledger:
    """Holds, sends, settlements. One for each process; safe for many tasks of one event loop."""

    def __init__(
        self,
        db: Database,
        *,
        on_alert: Callable[[BudgetAlert], None] | None = None,
        patience: float = PATIENCE,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.db = db
        self._on_alert = on_alert
        self._patience = patience
        self._dice = dice
        self._together: Together[Step, Any] = Together(take_together)
        self._strains: Glances[Strain] = Glances(lambda scope: db.read(lambda tx: strain(tx, scope)))
        self._lines: dict[str, deque[asyncio.Event]] = {}
        """Who waits for which scope, in order of arrival."""
        self._returning: set[asyncio.Task[Any]] = set()
        self._swept_at: float | None = None

    async def hold(self, asked: HoldRequest, *, wait: float = 0.0) -> Hold:
        """Set money aside in every scope and window at once.

        `wait` is how many seconds to wait for others to settle or for a window to end; it is not used up on
        what cannot come. Raises BudgetExceeded when it does not fit, and then nothing is held.
        """
        until = time.monotonic() + wait
        try:
            return await self._hold(asked)
        except BudgetExceeded as refusal:
            if not wait > 0 or _in_vain(refusal, wait):
                raise
            line = self._lines.setdefault(refusal.scope or "", deque())
        return await self._in_line(asked, line, until)

    async def sent(
        self, hold: Hold | str, call: Sending, *, row: Callable[[Transaction], None] | None = None
    ) -> None:
        """Note, on disk, that a call is about to be made and what it may cost.

        What the hold no longer covers (after an attempt that was paid or lost) is held in the same step.
        Raises BudgetExceeded when that does not fit and HoldExpired when the hold was given up: do not send.
        """
        hold_id = id_of(hold)
        step = Step(act=lambda book: book.sent(hold_id, call), hold_id=hold_id, key=call.attempt, row=row)
        await self._do(step)

    async def settle(
        self, hold: Hold | str, done: Settlement, *, row: Callable[[Transaction], None] | None = None
    ) -> Settled:
        """Record what an attempt cost. Never refused for lack of money: an excess is an overrun."""
        settled = cast(Settled, await self._surely(settling(hold, done, row=row)))
        self._wake()
        return settled

    async def settle_and_close(
        self, hold: Hold | str, done: Settlement, *, row: Callable[[Transaction], None] | None = None
    ) -> Settled:
        """The last settlement of a hold, in one step with closing it."""
        hold_id = id_of(hold)

        def act(book: Book) -> Settled:
            settled = book.settle(hold_id, done)
            book.close(hold_id)
            return settled

        settled = cast(Settled, await self._surely(Step(act=act, hold_id=hold_id, key=done.attempt, row=row)))
        self._wake()
        return settled

    async def allow_image(self, scope: str, most: Nanos) -> None:
        """Raises BudgetExceeded where an image may cost more than a cap per request allows; for images of a
        hold that was taken for cheaper ones."""
        gate.allow_image(await Budgets(self.db).path(scope), most)

    async def grow(self, hold: Hold | str, amount: Nanos) -> Hold:
        """Add to a hold, in the windows in which it was taken. Raises BudgetExceeded, HoldExpired."""
        hold_id = id_of(hold)
        return cast(
            Hold,
            await self._do(
                Step(act=lambda book: book.grow(hold_id, amount), hold_id=hold_id, repeatable=False)
            ),
        )

    async def close(self, hold: Hold | str, *, patience: float | None = None) -> Nanos:
        """End a hold; how much was given back. A call that was sent and not settled counts as unknown.

        `patience` is how many seconds to repeat it while the database is locked or gone; None: as always.
        """
        released = cast(Nanos, await self._surely(closing(hold), patience=patience))
        self._wake()
        return released

    async def heartbeat(self, holds: Collection[Hold | str]) -> tuple[str, ...]:
        """Renew the leases; ids of holds that are no longer open, on which nothing more may be sent."""
        ids = [id_of(hold) for hold in holds]
        alive = await asyncio.gather(*(self._do(renewing(hold_id)) for hold_id in ids))
        return tuple(hold_id for hold_id, lives in zip(ids, alive, strict=True) if not lives)

    async def expire(self) -> tuple[str, ...]:
        """Give up every hold whose owner has been silent for its whole lease; their ids.

        What was not sent is given back; what was sent counts as spent until somebody says better.
        """
        expired: list[str] = []
        while found := await self.db.write(expire_some):
            expired += found
        if expired:
            self._wake()
        return tuple(expired)

    async def sweep(self) -> None:
        """`expire`, unless this process did so in the last seconds: for whoever looks at what is held."""
        now = time.monotonic()
        if self._swept_at is None or now - self._swept_at >= SWEEP:
            self._swept_at = now
            await self.expire()

    async def adjust(self, hold: Hold | str, told: Adjustment) -> Settled:
        """Correct what is counted for an attempt: how the unknown is resolved."""
        hold_id = id_of(hold)
        step = Step(act=lambda book: book.adjust(hold_id, told), hold_id=hold_id, key=told.attempt)
        settled = cast(Settled, await self._surely(step))
        self._wake()
        return settled

    async def pressure(self, scope: str) -> dict[str, int]:
        """Percent of each cap that is spent or held now: {'acme/studio-a day': 87, …}."""
        return dict((await self.strain(scope)).percents)

    async def strain(self, scope: str) -> Strain:
        """How every cap stands that a hold of this scope must fit, and where the guard acts."""
        return await self._strains.at(scope)

    async def unknowns(self, scope: str | None = None) -> list[Unknown]:
        """Calls of unknown outcome, oldest first; `adjust` resolves each."""
        return await self.db.read(lambda tx: statements.unknowns(tx, scope=scope))

    async def statement(
        self, by: Sequence[By], period: Period | None = None, *, zone: str = "UTC"
    ) -> tuple[Line, ...]:
        """What was spent, one line for each combination of the columns."""
        asked = period or Period()
        return await self.db.read(lambda tx: statements.statement(tx, by, period=asked, zone=zone))

    async def calls(self, period: Period | None = None) -> list[Call]:
        """Every call sent in the period, oldest first, with what is counted for it now."""
        return await self.db.read(lambda tx: statements.calls(tx, period))

    async def recent(
        self, *, limit: int = 50, before: int | None = None, scope: str | None = None
    ) -> list[Entry]:
        """The newest entries, newest first; `before` continues a page."""
        return await self.db.read(lambda tx: statements.recent(tx, limit=limit, before=before, scope=scope))

    async def entries_of(self, request_id: str) -> list[Entry]:
        """All that the ledger says about one request, oldest first."""
        return await self.db.read(lambda tx: statements.entries_of(tx, request_id))

    async def entries_of_hold(self, hold_id: str) -> list[Entry]:
        """All that the ledger says about one hold, oldest first."""
        return await self.db.read(lambda tx: statements.entries_of_hold(tx, hold_id))

    async def verify(self) -> Report:
        """Add everything up again. Raises StorageError (corrupt) for a torn file."""
        return await self.db.read(verify)

    async def drain(self) -> None:
        """Wait for steps whose callers were cancelled; before the database is closed."""
        while self._returning:
            await asyncio.wait(self._returning)

    async def _hold(self, asked: HoldRequest) -> Hold:
        hold_id = new_id("hold_", digits=20)
        # A hold alone moves no money: the note of the first call, which is durable, brings it along.
        step = Step(
            act=lambda book: book.hold(asked, hold_id), hold_id=hold_id, scope=asked.scope, durable=False
        )
        taking = asyncio.ensure_future(self._do(step))
        try:
            return cast(Hold, await asyncio.shield(taking))
        except asyncio.CancelledError:
            self._give_back(taking)
            raise

    def _give_back(self, taking: asyncio.Future[Any]) -> None:
        """The caller is gone and the hold still on its way: nobody would close it before its lease ends."""

        async def close() -> None:
            try:
                await self.close(await taking)
            except BudgetExceeded:
                return

        self._keep(asyncio.ensure_future(close()))

    def _keep(self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)
        return task

    async def _surely(self, step: Step, *, patience: float | None = None) -> Any:
        """Also when the caller is cancelled: what was spent is written down."""
        return await asyncio.shield(self._keep(asyncio.ensure_future(self._do(step, patience=patience))))

    async def _do(self, step: Step, *, patience: float | None = None) -> Any:
        until = time.monotonic() + (self._patience if patience is None else patience)
        while True:
            try:
                stored = await self.db.write_together(self._together, step, durable=step.durable)
            except StorageError as error:
                passing = error.problem in (StorageProblem.LOCKED, StorageProblem.GONE)
                repeatable = step.repeatable or not error.in_doubt
                if not (passing and repeatable) or time.monotonic() > until:
                    raise
                await asyncio.sleep(self._pause())
                continue
            for alert in stored.alerts if self._on_alert else ():
                cast(Callable[[BudgetAlert], None], self._on_alert)(alert)
            return stored.value

    def _pause(self) -> float:
        """Seconds until the next look; spread, so that many processes do not look at once."""
        least, most = _POLL
        return least + (most - least) * self._dice()

    async def _in_line(self, asked: HoldRequest, line: deque[asyncio.Event], until: float) -> Hold:
        """Try again whenever something may have changed, the first in line alone, and once at the end."""
        turn = asyncio.Event()
        line.append(turn)
        try:
            while True:
                left = until - time.monotonic()
                if left > 0:
                    await _set_within(turn, min(left, self._pause()) if line[0] is turn else left)
                if line[0] is not turn and time.monotonic() < until:
                    continue
                await self.sweep()
                try:
                    return await self._hold(asked)
                except BudgetExceeded as refusal:
                    left = until - time.monotonic()
                    if left <= 0 or _in_vain(refusal, left):
                        raise
        finally:
            line.remove(turn)
            self._wake()

    def _wake(self) -> None:
        """Something was given back, or the first in a line has left it."""
        self._lines = {scope: line for scope, line in self._lines.items() if line}
        for line in self._lines.values():
            line[0].set()


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set or the time is over; the event is clear again."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
    finally:
        event.clear()


def _in_vain(refusal: BudgetExceeded, seconds: float) -> bool:
    return refusal.shortfall is None or refusal.shortfall.in_vain(seconds)
