"""A Book out of its rows and back into them: a handful of statements, however many steps it serves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, func, or_, select, tuple_

from image_router.core.book import Book
from image_router.core.budget import Budget, Micros, Span, Window, span_of
from image_router.core.errors import StorageError, StorageProblem
from image_router.core.holds import AttemptKey, SendState
from image_router.core.running import Balance, Now
from image_router.core.scopes import scope_path, within
from image_router.storage import schema
from image_router.storage.rows import (
    balance_of,
    balance_row,
    budget_of,
    entry_row,
    hold_of,
    hold_row,
    send_of,
    send_row,
)
from image_router.storage.schema import NEVER

_Row = Mapping[str, Any]


class _Change:
    """UPDATE … SET changed WHERE the keys fit and the checked columns are still as they were.

    Written out for the driver: with SQLAlchemy a group would spend most of its time on naming parameters.
    """

    def __init__(self, table: Table, *, keys: str, changed: str, checked: str = "") -> None:
        self._table = table.name
        self._keys, self._checked, self._changed = keys.split(), checked.split(), changed.split()

    def sql(self, dialect: str) -> str:
        sets = [f'"{name}" = {_bind(dialect, f"to_{name}")}' for name in self._changed]
        wheres = [f'"{name}" = {_bind(dialect, f"is_{name}")}' for name in self._keys]
        wheres += [f'"{name}" = {_bind(dialect, f"was_{name}")}' for name in self._checked]
        return f"UPDATE {self._table} SET {', '.join(sets)} WHERE {' AND '.join(wheres)}"

    def binds(self, row: _Row, was: _Row) -> dict[str, Any]:
        return (
            {f"is_{name}": row[name] for name in self._keys}
            | {f"was_{name}": was[name] for name in self._checked}
            | {f"to_{name}": row[name] for name in self._changed}
        )


@cache
def _insertion(table: Table, dialect: str) -> str:
    names = [column.name for column in table.columns]
    columns = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join(_bind(dialect, n) for n in names)})"


def _bind(dialect: str, name: str) -> str:
    return f":{name}" if dialect == "sqlite" else f"%({name})s"


_HOLDS = select(schema.holds).where(schema.holds.c.id.in_(bindparam("ids", expanding=True)))
_ATTEMPT = tuple_(
    schema.sends.c.hold_id, schema.sends.c.request_id, schema.sends.c.image_index, schema.sends.c.attempt
)
_OF_HOLDS = select(schema.sends).where(schema.sends.c.hold_id.in_(bindparam("ids", expanding=True)))
_IN_FLIGHT = _OF_HOLDS.where(schema.sends.c.state == SendState.SENT)
_SENDS = _OF_HOLDS.where(
    or_(schema.sends.c.state == SendState.SENT, _ATTEMPT.in_(bindparam("keys", expanding=True)))
)
_BUDGETS = select(schema.budgets).where(schema.budgets.c.scope.in_(bindparam("scopes", expanding=True)))
_BALANCES = select(schema.balances).where(
    schema.balances.c.scope.in_(bindparam("scopes", expanding=True)),
    schema.balances.c.ends_at > bindparam("first"),
    schema.balances.c.starts_at <= bindparam("last"),
)
_LAST_ENTRY = select(func.coalesce(func.max(schema.entries.c.id), 0))
_CHANGED_BALANCE = _Change(
    schema.balances,
    keys="scope window starts_at",
    checked="settled held",
    changed="settled held alerted",
)
_CHANGED_HOLD = _Change(
    schema.holds,
    keys="id",
    changed="amount remainder settled state lease_until lease_epoch entries digest",
)
_CHANGED_SEND = _Change(
    schema.sends,
    keys="hold_id request_id image_index attempt",
    changed="model tier state counted response_id",
)


class StoredBook:
    """A Book, and what its rows were when it was loaded."""

    def __init__(self, connection: Connection, now: Now) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self.book = Book(now=now)
        self._balances: dict[tuple[str, Window, Micros], _Row] = {}
        self._holds: dict[str, _Row] = {}
        self._sends: dict[tuple[str, AttemptKey], _Row] = {}

    def load(
        self,
        hold_ids: Collection[str],
        attempts: Collection[tuple[str, AttemptKey]],
        *,
        scopes: Collection[str],
    ) -> None:
        """Everything that steps on these holds and attempts, and new holds in these scopes, may look at."""
        if hold_ids:
            self._load_holds(hold_ids, attempts)
        book = self.book
        moments = {(scope, book.now.wall) for scope in scopes}
        moments |= {(record.scope, record.taken_at) for record in book.holds.values()}
        names = sorted({name for scope, _ in moments for name in scope_path(scope)})
        if not names:
            return
        found = self._connection.execute(_BUDGETS, {"scopes": names}).mappings()
        book.budgets |= {row["scope"]: budget_of(row) for row in found}
        times = [moment for _, moment in moments]
        for balance in balances_of(self._connection, names, reach=Span(min(times), max(times))):
            self._keep(balance)
        for scope, moment in sorted(moments):
            for name in scope_path(scope):
                if name in book.budgets:
                    self._open_windows(book.budgets[name], moment)

    def store(self) -> None:
        """Write what the steps changed."""
        self._store_balances()
        self._store_holds()
        self._store_sends()
        if self.book.entries:
            last = self._connection.execute(_LAST_ENTRY).scalar_one()
            rows = [entry_row(entry, last + n) for n, entry in enumerate(self.book.entries, 1)]
            self._insert(schema.entries, rows)

    def _load_holds(self, hold_ids: Collection[str], attempts: Collection[tuple[str, AttemptKey]]) -> None:
        book = self.book
        for row in self._connection.execute(_HOLDS, {"ids": list(hold_ids)}).mappings():
            record = hold_of(row)
            book.holds[record.id] = record
            self._holds[record.id] = hold_row(record)
        if not book.holds:
            return
        # A chunk's hold has hundreds of sends; only those in flight and those of these steps matter.
        keys = [(hold, key.request_id, key.index, key.number) for hold, key in attempts]
        binds = {"ids": list(book.holds), "keys": keys}
        for row in self._connection.execute(_SENDS if keys else _IN_FLIGHT, binds).mappings():
            send = send_of(row)
            book.sends[send.hold_id, send.key] = send
            self._sends[send.hold_id, send.key] = send_row(send)

    def _open_windows(self, budget: Budget, moment: Micros) -> None:
        for window in budget.caps:
            span = span_of(window, moment, zone=budget.zone)
            if (budget.scope, window, span.start) not in self.book.balances:
                balance = summed_balance(self._connection, budget.scope, window=window, span=span)
                self._insert(schema.balances, [balance_row(balance)])
                self._keep(balance)

    def _keep(self, balance: Balance) -> None:
        key = (balance.scope, balance.window, balance.span.start)
        self.book.balances[key] = balance
        self._balances[key] = balance_row(balance)

    def _store_balances(self) -> None:
        """The gate's one conditional write: a balance moves only from what the steps were judged by."""
        for key in sorted(self.book.balances):
            row, was = balance_row(self.book.balances[key]), self._balances[key]
            if row == was:
                continue
            sql = _CHANGED_BALANCE.sql(self._dialect)
            if self._connection.exec_driver_sql(sql, _CHANGED_BALANCE.binds(row, was)).rowcount != 1:
                raise StorageError(
                    f"the balance of {key[0]!r} changed while it was being written: something writes to this "
                    f"database without taking its turn; nothing was stored",
                    problem=StorageProblem.LOCKED,
                )

    def _store_holds(self) -> None:
        rows = {record.id: hold_row(record) for record in self.book.holds.values()}
        self._insert(schema.holds, [row for key, row in rows.items() if key not in self._holds])
        self._update(_CHANGED_HOLD, [(row, self._holds.get(key, row)) for key, row in rows.items()])

    def _store_sends(self) -> None:
        rows = {key: send_row(send) for key, send in self.book.sends.items()}
        now = {"sent_at": self.book.now.wall}
        self._insert(schema.sends, [row | now for key, row in rows.items() if key not in self._sends])
        self._update(_CHANGED_SEND, [(row, self._sends.get(key, row)) for key, row in rows.items()])

    def _insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.exec_driver_sql(_insertion(table, self._dialect), rows)

    def _update(self, change: _Change, rows: Iterable[tuple[_Row, _Row]]) -> None:
        binds = [change.binds(row, was) for row, was in rows if row != was]
        if binds:
            self._connection.exec_driver_sql(change.sql(self._dialect), binds)


def balances_of(connection: Connection, scopes: Collection[str], *, reach: Span) -> list[Balance]:
    """Balances of these scopes whose window touches the time from reach.start to reach.end, both included."""
    binds = {
        "scopes": list(scopes),
        "first": reach.start,
        "last": NEVER if reach.end is None else reach.end,
    }
    return [balance_of(row) for row in connection.execute(_BALANCES, binds).mappings()]


def summed_balance(connection: Connection, scope: str, *, window: Window, span: Span) -> Balance:
    """What was held and spent in a window, added up from its holds."""
    holds, (low, high) = schema.holds.c, within(scope)
    sums = select(
        func.coalesce(func.sum(holds.settled), 0), func.coalesce(func.sum(holds.remainder), 0)
    ).where(
        or_(holds.scope == scope, and_(holds.scope >= low, holds.scope < high)),
        holds.taken_at >= span.start,
        holds.taken_at < (NEVER if span.end is None else span.end),
    )
    settled, held = (int(total) for total in connection.execute(sums).one())
    return Balance(scope=scope, window=window, span=span, settled=settled, held=held)
