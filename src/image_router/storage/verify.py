"""Whether the ledger can be believed: every sum added up again from its entries, every digest made again.

It reads entries in the order of their holds and keeps one hold and the windows' sums in memory. Someone who
rewrites a whole hold with its digests and all sums is not noticed by the database alone: `Report.last_digest`
and `Report.entries`, kept elsewhere, notice it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from sqlalchemy import Connection, RowMapping, func, select, text

from image_router.core.budget import SECOND, Micros, Window
from image_router.core.errors import StorageError, StorageProblem
from image_router.core.holds import AttemptKey, Entry, EntryKind, HoldState, digest_of
from image_router.core.money import show_usd
from image_router.core.running import Balance, HoldRecord
from image_router.core.scopes import scope_path
from image_router.storage import schema
from image_router.storage.database import Transaction
from image_router.storage.rows import balance_of, entry_of, hold_of, send_of

_LONGEST_WINDOW = 33 * 86_400 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """Something that does not add up. `entry` is the entry it shows in, where it shows in one."""

    entry: int | None
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    entries: int
    holds: int
    open_holds: int
    last_digest: str
    """Of the newest entry."""
    discrepancies: tuple[Discrepancy, ...]

    @property
    def sound(self) -> bool:
        return not self.discrepancies


def verify(tx: Transaction) -> Report:
    """Check the whole ledger. Raises StorageError (corrupt) for a file that is torn."""
    connection = tx.connection
    _check_file(connection)
    audit = _Audit(connection)
    found = [*_gaps(connection), *audit.run()]
    entries = schema.entries.c
    last = connection.execute(select(entries.digest).order_by(entries.id.desc()).limit(1)).scalar()
    return Report(
        entries=connection.execute(select(func.count()).select_from(schema.entries)).scalar_one(),
        holds=audit.holds,
        open_holds=audit.open_holds,
        last_digest=last or "",
        discrepancies=tuple(found),
    )


def _check_file(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    said = connection.execute(text("PRAGMA quick_check(1)")).scalar()
    if said != "ok":
        raise StorageError(
            f"the database file is damaged ({said}); keep it and restore a backup",
            problem=StorageProblem.CORRUPT,
        )


def _gaps(connection: Connection) -> Iterator[Discrepancy]:
    """Numbers that entries should have; they are given out without gaps."""
    ids = schema.entries.c.id
    previous = func.lag(ids, 1, 0).over(order_by=ids)
    pairs = select(ids.label("id"), previous.label("previous")).subquery()
    for entry, before in connection.execute(select(pairs).where(pairs.c.id != pairs.c.previous + 1)):
        yield Discrepancy(entry=entry, what=f"entries {before + 1} to {entry - 1} are missing before it")


@dataclass(slots=True)
class _Audit:
    connection: Connection
    holds: int = 0
    open_holds: int = 0
    _sums: _Windows = field(init=False)

    def run(self) -> Iterator[Discrepancy]:
        self._sums = _Windows.of(self.connection)
        entries, holds = schema.entries.c, schema.holds.c
        seen: set[str] = set()
        told = select(schema.entries).order_by(entries.hold_id, entries.number)
        with self.connection.execute(told.execution_options(yield_per=1000)) as rows:
            for hold_id, group in groupby(rows.mappings(), key=lambda row: str(row["hold_id"])):
                seen.add(hold_id)
                yield from self._hold(hold_id, list(group))
        for row in self.connection.execute(select(holds.id)):
            if row.id not in seen:
                yield Discrepancy(entry=None, what=f"hold {row.id} has no entries")
        yield from self._sums.differences()

    def _hold(self, hold_id: str, rows: Sequence[RowMapping]) -> Iterator[Discrepancy]:
        try:
            told = [entry_of(row) for row in rows]
        except ValueError as error:
            yield Discrepancy(entry=rows[0]["id"], what=f"hold {hold_id} has an unreadable entry: {error}")
            return
        yield from _chain(told)
        row = self.connection.execute(select(schema.holds).where(schema.holds.c.id == hold_id)).mappings()
        record = next((hold_of(one) for one in row), None)
        if record is None:
            yield Discrepancy(entry=told[0].id, what=f"its hold {hold_id} is missing")
            return
        self.holds += 1
        self.open_holds += record.state is HoldState.OPEN
        self._sums.add(told)
        yield from _hold_differences(record, told)
        yield from self._send_differences(hold_id, told)

    def _send_differences(self, hold_id: str, told: Sequence[Entry]) -> Iterator[Discrepancy]:
        counted: Counter[AttemptKey] = Counter()
        for entry in told:
            if entry.attempt is not None:
                counted[entry.attempt] += entry.spent
        rows = self.connection.execute(
            select(schema.sends).where(schema.sends.c.hold_id == hold_id)
        ).mappings()
        for send in (send_of(row) for row in rows):
            if send.counted != counted.pop(send.key, 0):
                yield Discrepancy(
                    entry=told[-1].id,
                    what=f"{send.key} of hold {hold_id} counts {show_usd(send.counted)}, not what its "
                    f"entries add up to",
                )
        for key in counted:
            yield Discrepancy(entry=told[-1].id, what=f"{key} of hold {hold_id} has entries and no row")


def _chain(told: Sequence[Entry]) -> Iterator[Discrepancy]:
    previous = ""
    for number, entry in enumerate(told, 1):
        if entry.number != number:
            yield Discrepancy(
                entry=entry.id, what=f"it is number {entry.number} of hold {entry.hold_id}, not {number}"
            )
            return
        if digest_of(entry, previous) != entry.digest:
            yield Discrepancy(entry=entry.id, what="its digest does not fit what it says: it was changed")
        previous = entry.digest


def _hold_differences(record: HoldRecord, told: Sequence[Entry]) -> Iterator[Discrepancy]:
    held, spent = sum(entry.held for entry in told), sum(entry.spent for entry in told)
    amount = sum(entry.held for entry in told if entry.kind is EntryKind.HOLD)
    last = told[-1]
    checks = (
        ("remainder", record.remainder, held),
        ("settled", record.settled, spent),
        ("amount", record.amount, amount),
        ("taken_at", record.taken_at, told[0].at),
        ("scope", record.scope, told[0].scope),
        ("number of entries", record.entries, len(told)),
        ("last digest", record.digest, last.digest),
    )
    for name, kept, recomputed in checks:
        if kept != recomputed:
            yield Discrepancy(
                entry=last.id, what=f"hold {record.id} says {name} {kept}; its entries say {recomputed}"
            )
    if held < 0 or (held and record.state is not HoldState.OPEN):
        yield Discrepancy(entry=last.id, what=f"hold {record.id} is {record.state} and holds {held}")


class _Windows:
    """The balances, each beside the sum of the entries that belong to it."""

    def __init__(self, balances: Sequence[Balance]) -> None:
        self._kept = sorted(balances, key=lambda b: (b.scope, b.window, b.span.start))
        self._starts: dict[tuple[str, Window], list[Micros]] = {}
        self._rows: dict[tuple[str, Window], list[Balance]] = {}
        self._sums: dict[tuple[str, Window, Micros], list[int]] = {}
        for balance in self._kept:
            key = (balance.scope, balance.window)
            self._starts.setdefault(key, []).append(balance.span.start)
            self._rows.setdefault(key, []).append(balance)
            self._sums[*key, balance.span.start] = [0, 0]

    @classmethod
    def of(cls, connection: Connection) -> _Windows:
        rows = connection.execute(select(schema.balances)).mappings()
        return cls([balance_of(row) for row in rows])

    def add(self, told: Sequence[Entry]) -> None:
        moment = told[0].at
        spent, held = sum(entry.spent for entry in told), sum(entry.held for entry in told)
        for scope in scope_path(told[0].scope):
            for window in Window:
                for start in self._touched(scope, window, moment):
                    sums = self._sums[scope, window, start]
                    sums[0] += spent
                    sums[1] += held

    def _touched(self, scope: str, window: Window, moment: Micros) -> Iterator[Micros]:
        """Windows of different time zones overlap when a budget changed its zone."""
        starts = self._starts.get((scope, window), [])
        for index in range(bisect_right(starts, moment) - 1, -1, -1):
            if window is not Window.TOTAL and starts[index] < moment - _LONGEST_WINDOW:
                return
            if moment in self._rows[scope, window][index].span:
                yield starts[index]

    def differences(self) -> Iterator[Discrepancy]:
        for balance in self._kept:
            settled, held = self._sums[balance.scope, balance.window, balance.span.start]
            if (settled, held) != (balance.settled, balance.held):
                yield Discrepancy(
                    entry=None,
                    what=f"the {balance.window} balance of {balance.scope!r} says "
                    f"{show_usd(balance.settled)} spent and {show_usd(balance.held)} held; the entries say "
                    f"{show_usd(settled)} and {show_usd(held)}",
                )
