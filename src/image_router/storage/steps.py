"""Steps on the Book inside one transaction: loaded for all of them, taken one by one, stored together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import or_, select

from image_router.core.book import Book
from image_router.core.budget import BudgetAlert
from image_router.core.errors import ImageRouterError
from image_router.core.holds import AttemptKey, Hold, HoldState, Settlement
from image_router.storage import schema
from image_router.storage.book_rows import StoredBook
from image_router.storage.database import Transaction
from image_router.storage.webhooks_notices import tell_alerts

_AT_A_TIME: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do to the Book, and what it must have loaded for it."""

    act: Callable[[Book], Any]
    hold_id: str | None = None
    key: AttemptKey | None = None
    scope: str | None = None
    repeatable: bool = True
    """Whether doing it twice is doing it once."""
    durable: bool = True
    """Whether it must outlive a power cut by itself."""
    row: Callable[[Transaction], None] | None = None
    """What is written in the same transaction when the step is not refused."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a step returned, and the thresholds that all steps stored with it passed."""

    value: Any
    alerts: tuple[BudgetAlert, ...]


def take_steps(tx: Transaction, steps: Sequence[Step]) -> tuple[list[Any], list[BudgetAlert]]:
    """Run steps inside a transaction of the caller's: results or errors in their order, and alerts.

    This is how a settlement shares its transaction with the asset and the finished work it pays for.
    """
    stored = StoredBook(tx.connection, tx.now)
    stored.load(
        {step.hold_id for step in steps if step.hold_id},
        {(step.hold_id, step.key) for step in steps if step.hold_id and step.key},
        scopes={step.scope for step in steps if step.scope},
    )
    results: list[Any] = []
    for step in steps:
        try:
            results.append(step.act(stored.book))
        except ImageRouterError as refusal:
            results.append(refusal)
        else:
            if step.row is not None:
                step.row(tx)
    stored.store()
    tell_alerts(tx, stored.book.alerts)
    return results, stored.book.alerts


def settling(hold: Hold | str, done: Settlement, *, row: Callable[[Transaction], None] | None = None) -> Step:
    """The step of Ledger.settle, for take_steps."""
    hold_id = id_of(hold)
    return Step(act=lambda book: book.settle(hold_id, done), hold_id=hold_id, key=done.attempt, row=row)


def closing(hold: Hold | str) -> Step:
    """The step of Ledger.close, for take_steps."""
    hold_id = id_of(hold)
    return Step(act=lambda book: book.close(hold_id), hold_id=hold_id)


def take_together(tx: Transaction, steps: Sequence[Step]) -> list[Stored | Exception]:
    results, alerts = take_steps(tx, steps)
    stored: list[Stored | Exception] = []
    for result in results:
        refused = isinstance(result, Exception)
        stored.append(result if refused else Stored(result, tuple(alerts)))
        alerts = alerts if refused else []
    return stored


def expire_some(tx: Transaction) -> list[str]:
    holds, now = schema.holds.c, tx.now
    silent = (
        select(holds.id)
        .where(
            holds.state == HoldState.OPEN,
            or_(holds.lease_until < now.lease, holds.lease_epoch != now.epoch),
        )
        .limit(_AT_A_TIME)
    )
    ids = list(tx.connection.execute(silent).scalars())
    take_steps(tx, [_expiring(hold_id) for hold_id in ids])
    return ids


def _expiring(hold_id: str) -> Step:
    return Step(act=lambda book: book.expire(hold_id), hold_id=hold_id)


def renewing(hold_id: str) -> Step:
    return Step(act=lambda book: book.renew(hold_id), hold_id=hold_id)


def id_of(hold: Hold | str) -> str:
    return hold if isinstance(hold, str) else hold.id
