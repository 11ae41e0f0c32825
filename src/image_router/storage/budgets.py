"""Caps: set, raised, lowered, looked at. Every change is kept with who made it and when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from image_router.core.budget import Budget, Micros, Span, span_of
from image_router.core.errors import InvalidRequest
from image_router.core.money import Nanos
from image_router.core.pressure import Standing, Strain, guard_line
from image_router.core.scopes import scope_path
from image_router.storage import schema
from image_router.storage.book_rows import balances_of, summed_balance
from image_router.storage.database import Database, Transaction
from image_router.storage.rows import budget_of, budget_row

_OF_SCOPES = select(schema.budgets).where(schema.budgets.c.scope.in_(bindparam("scopes", expanding=True)))
_FIELDS = frozenset(field.name for field in fields(Budget)) - {"scope"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetChange:
    """One field of one budget, from and to, as text."""

    at: Micros
    who: str
    scope: str
    field: str
    old: str | None
    new: str | None


class Budgets:
    """The caps of all scopes. A scope without one is unlimited, and accounted all the same."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def set(self, scope: str, *, who: str, **changes: Any) -> Budget:
        """Change some fields of a scope's Budget, or make it one. A cap may be lowered below what is spent
        or held: then nothing new is held until enough is given back. Raises InvalidRequest."""
        unknown = sorted(changes.keys() - _FIELDS)
        if unknown:
            raise InvalidRequest(f"a budget has no {', '.join(unknown)}; it has {', '.join(sorted(_FIELDS))}")
        return await self._db.write(lambda tx: _set(tx, scope, who=who, changes=changes))

    async def top_up(self, scope: str, amount: Nanos, *, who: str) -> Budget:
        """Add to a prepaid budget. Raises InvalidRequest for one that is not."""
        return await self._db.write(lambda tx: _top_up(tx, scope, amount, who=who))

    async def remove(self, scope: str, *, who: str) -> None:
        """Take a scope's caps away; its history stays."""
        await self._db.write(lambda tx: _remove(tx, scope, who=who))

    async def get(self, scope: str) -> Budget | None:
        """The scope's own budget."""
        found = await self._db.read(lambda tx: _of(tx, (scope,)))
        return found.get(scope)

    async def path(self, scope: str) -> tuple[Budget, ...]:
        """The budgets a hold of this scope must fit, outermost first."""
        names = scope_path(scope)
        found = await self._db.read(lambda tx: _of(tx, names))
        return tuple(found[name] for name in names if name in found)

    async def all(self) -> tuple[Budget, ...]:
        """Every budget, by scope."""
        query = select(schema.budgets).order_by(schema.budgets.c.scope)
        return await self._db.read(
            lambda tx: tuple(budget_of(row) for row in tx.connection.execute(query).mappings())
        )

    async def standing(self, scope: str) -> tuple[Standing, ...]:
        """Every cap a hold of this scope must fit, and how much of it is left."""
        return await self._db.read(lambda tx: standings(tx, scope))

    async def history(self, scope: str | None = None) -> tuple[BudgetChange, ...]:
        """All changes of a scope's budget, or of every budget, oldest first."""
        changes = schema.budget_changes
        query = select(changes).order_by(changes.c.id)
        if scope is not None:
            query = query.where(changes.c.scope == scope)
        return await self._db.read(
            lambda tx: tuple(_change(row) for row in tx.connection.execute(query).mappings())
        )


def standings(tx: Transaction, scope: str) -> tuple[Standing, ...]:
    """Budgets.standing inside a transaction."""
    return strain(tx, scope).standings


def strain(tx: Transaction, scope: str) -> Strain:
    """How full every cap is that a hold of this scope touches, and where its scopes want the guard."""
    names, now = scope_path(scope), tx.now.wall
    budgets = _of(tx, names)
    there = {(b.scope, b.window, b.span): b for b in balances_of(tx.connection, names, reach=Span(now, now))}
    found = []
    for budget in (budgets[name] for name in names if name in budgets):
        for window, cap in budget.caps.items():
            span = span_of(window, now, zone=budget.zone)
            balance = there.get((budget.scope, window, span)) or summed_balance(
                tx.connection, budget.scope, window=window, span=span
            )
            found.append(
                Standing(
                    scope=budget.scope,
                    window=window,
                    span=span,
                    cap=cap,
                    settled=balance.settled,
                    held=balance.held,
                    zone=budget.zone,
                )
            )
    return Strain(at=now, standings=tuple(found), line=guard_line(budgets.values()))


def _of(tx: Transaction, names: Collection[str]) -> dict[str, Budget]:
    found = tx.connection.execute(_OF_SCOPES, {"scopes": list(names)}).mappings()
    return {row["scope"]: budget_of(row) for row in found}


def _set(tx: Transaction, scope: str, *, who: str, changes: dict[str, Any]) -> Budget:
    old = _of(tx, (scope,)).get(scope)
    new = replace(old or Budget(scope=scope), **changes)
    return _replace(tx, old, new, who=who)


def _top_up(tx: Transaction, scope: str, amount: Nanos, *, who: str) -> Budget:
    old = _of(tx, (scope,)).get(scope)
    if old is None or not old.prepaid or old.total is None:
        raise InvalidRequest(f"the budget {scope!r} is not prepaid; set prepaid and a total first")
    if amount <= 0:
        raise InvalidRequest(
            f"a top-up of {amount} nano-dollars adds nothing; lower a cap by setting its total"
        )
    return _replace(tx, old, replace(old, total=old.total + amount), who=who)


def _replace(tx: Transaction, old: Budget | None, new: Budget, *, who: str) -> Budget:
    _note(tx, old, new, who=who)
    tx.connection.execute(delete(schema.budgets).where(schema.budgets.c.scope == new.scope))
    tx.connection.execute(insert(schema.budgets), budget_row(new))
    balances = schema.balances
    # Thresholds are percents of the cap: a new cap is announced anew.
    tx.connection.execute(update(balances).where(balances.c.scope == new.scope).values(alerted=0))
    return new


def _remove(tx: Transaction, scope: str, *, who: str) -> None:
    old = _of(tx, (scope,)).get(scope)
    if old is None:
        raise InvalidRequest(f"scope {scope!r} has no budget to remove")
    _note(tx, old, Budget(scope=scope), who=who)
    tx.connection.execute(delete(schema.budgets).where(schema.budgets.c.scope == scope))


def _note(tx: Transaction, old: Budget | None, new: Budget, *, who: str) -> None:
    before = budget_row(old or Budget(scope=new.scope))
    changed = [
        {
            "at": tx.now.wall,
            "who": who,
            "scope": new.scope,
            "field": name,
            "old": _text(before[name]),
            "new": _text(value),
        }
        for name, value in budget_row(new).items()
        if value != before[name]
    ]
    if changed:
        tx.connection.execute(insert(schema.budget_changes), changed)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _change(row: Any) -> BudgetChange:
    return BudgetChange(
        at=row["at"],
        who=row["who"],
        scope=row["scope"],
        field=row["field"],
        old=row["old"],
        new=row["new"],
    )
