"""Whether the ledger can be believed: every sum added up again from its entries, every digest made again.

One pass over the entries in the order of their holds, a page of holds at a time: memory does not grow with
the ledger, except for one sum for each window. Someone who rewrites a whole hold with its digests and all
sums is not noticed by the database alone: `Report.last_digest` and `Report.entries`, kept elsewhere, do it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, bindparam, exists, func, select, text

from image_router.core.errors import StorageError, StorageProblem
from image_router.core.holds import SIGNED, AttemptKey, EntryKind, HoldState, digest_of_values
from image_router.core.money import show_usd
from image_router.storage import schema
from image_router.storage.database import Transaction
from image_router.storage.window_sums import WindowSums

_PAGE: Final = 400
"""Holds looked up at a time."""
_FETCHED: Final = 1000
"""Entries fetched at a time."""
_KINDS: Final = frozenset(EntryKind)

# Rows as they are stored: turning each into an Entry would take most of the time.
_Row: TypeAlias = Sequence[Any]
_Group: TypeAlias = list[_Row]
_SIGNED_COUNT: Final = len(SIGNED)
_ENTRY: Final = (*SIGNED, "attempt_request", "image_index", "attempt", "id", "digest")
_HOLD_ID, _NUMBER, _KIND, _AT, _SCOPE, _SPENT, _HELD, _REQUEST, _INDEX, _ATTEMPT, _ID, _DIGEST = (
    _ENTRY.index(name)
    for name in (
        *("hold_id", "number", "kind", "at", "scope", "spent", "held"),
        *("attempt_request", "image_index", "attempt", "id", "digest"),
    )
)
_ENTRIES: Final = (
    select(*(schema.entries.c[name] for name in _ENTRY))
    .order_by(schema.entries.c.hold_id, schema.entries.c.number)
    .execution_options(yield_per=_FETCHED)
)
_HOLD: Final = ("id", "remainder", "settled", "amount", "taken_at", "scope", "entries", "digest", "state")
_HOLDS: Final = select(*(schema.holds.c[name] for name in _HOLD)).where(
    schema.holds.c.id.in_(bindparam("ids", expanding=True))
)
_SEND: Final = ("hold_id", "request_id", "image_index", "attempt", "counted")
_SENDS: Final = select(*(schema.sends.c[name] for name in _SEND)).where(
    schema.sends.c.hold_id.in_(bindparam("ids", expanding=True))
)
_SILENT: Final = select(schema.holds.c.id).where(
    ~exists().where(schema.entries.c.hold_id == schema.holds.c.id)
)


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
        entries=audit.entries,
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
    count, last = connection.execute(select(func.count(), func.max(ids)).select_from(schema.entries)).one()
    if count == (last or 0):
        return
    previous = func.lag(ids, 1, 0).over(order_by=ids)
    pairs = select(ids.label("id"), previous.label("previous")).subquery()
    for entry, before in connection.execute(select(pairs).where(pairs.c.id != pairs.c.previous + 1)):
        yield Discrepancy(entry=entry, what=f"entries {before + 1} to {entry - 1} are missing before it")


@dataclass(slots=True)
class _Audit:
    connection: Connection
    entries: int = 0
    holds: int = 0
    open_holds: int = 0
    _sums: WindowSums = field(init=False)

    def run(self) -> Iterator[Discrepancy]:
        self._sums = WindowSums.of(self.connection)
        page: list[_Group] = []
        with self.connection.execute(_ENTRIES) as rows:
            for _, group in groupby(rows, key=itemgetter(_HOLD_ID)):
                page.append(list(group))
                if len(page) == _PAGE:
                    yield from self._page(page)
                    page = []
        yield from self._page(page)
        for (hold_id,) in self.connection.execute(_SILENT):
            yield Discrepancy(entry=None, what=f"hold {hold_id} has no entries")
        yield from (Discrepancy(entry=None, what=what) for what in self._sums.differences())

    def _page(self, page: list[_Group]) -> Iterator[Discrepancy]:
        ids = {"ids": [told[0][_HOLD_ID] for told in page]}
        holds = {row[0]: row for row in self.connection.execute(_HOLDS, ids)}
        sends: defaultdict[str, _Group] = defaultdict(list)
        for row in self.connection.execute(_SENDS, ids):
            sends[row[0]].append(row)
        for told in page:
            hold_id = told[0][_HOLD_ID]
            self.entries += len(told)
            yield from self._hold(told, holds.get(hold_id), sends.get(hold_id, ()))

    def _hold(self, told: _Group, hold: _Row | None, sends: Sequence[_Row]) -> Iterator[Discrepancy]:
        first = told[0]
        unreadable = _unreadable(told)
        if unreadable:
            what = f"hold {first[_HOLD_ID]} has an unreadable entry: {unreadable}"
            yield Discrepancy(entry=first[_ID], what=what)
            return
        yield from _chain(told)
        if hold is None:
            yield Discrepancy(entry=first[_ID], what=f"its hold {first[_HOLD_ID]} is missing")
            return
        spent, held = sum(row[_SPENT] for row in told), sum(row[_HELD] for row in told)
        self.holds += 1
        self.open_holds += hold[-1] == HoldState.OPEN
        self._sums.add(first[_SCOPE], first[_AT], spent=spent, held=held)
        yield from _hold_differences(hold, told, spent=spent, held=held)
        yield from _send_differences(sends, told)


def _unreadable(told: _Group) -> str:
    """What is no value of the ledger at all, however it got there."""
    for row in told:
        if row[_KIND] not in _KINDS:
            return f"{row[_KIND]!r} is no kind of entry"
        if not (isinstance(row[_SPENT], int) and isinstance(row[_HELD], int)):
            return f"{row[_SPENT]!r} and {row[_HELD]!r} are no amounts"
    return ""


def _chain(told: _Group) -> Iterator[Discrepancy]:
    previous = ""
    for number, row in enumerate(told, 1):
        if row[_NUMBER] != number:
            what = f"it is number {row[_NUMBER]} of hold {row[_HOLD_ID]}, not {number}"
            yield Discrepancy(entry=row[_ID], what=what)
            return
        attempt = None if row[_ATTEMPT] is None else (row[_REQUEST], row[_INDEX], row[_ATTEMPT])
        if digest_of_values(tuple(row[:_SIGNED_COUNT]), attempt, previous=previous) != row[_DIGEST]:
            yield Discrepancy(entry=row[_ID], what="its digest does not fit what it says: it was changed")
        previous = row[_DIGEST]


def _hold_differences(hold: _Row, told: _Group, *, spent: int, held: int) -> Iterator[Discrepancy]:
    first, last = told[0], told[-1]
    hold_id, *kept, state = hold
    amount = sum(row[_HELD] for row in told if row[_KIND] == EntryKind.HOLD)
    recomputed = [held, spent, amount, first[_AT], first[_SCOPE], len(told), last[_DIGEST]]
    if kept != recomputed:
        for name, one, other in zip(_HOLD[1:-1], kept, recomputed, strict=True):
            if one != other:
                what = f"hold {hold_id} says {_CALLED.get(name, name)} {one}; its entries say {other}"
                yield Discrepancy(entry=last[_ID], what=what)
    if held < 0 or (held and state != HoldState.OPEN):
        yield Discrepancy(entry=last[_ID], what=f"hold {hold_id} is {state} and holds {held}")


_CALLED: Final = {"entries": "number of entries", "digest": "last digest"}


def _send_differences(sends: Sequence[_Row], told: _Group) -> Iterator[Discrepancy]:
    hold_id, last = told[0][_HOLD_ID], told[-1][_ID]
    counted: Counter[tuple[Any, ...]] = Counter()
    for row in told:
        if row[_ATTEMPT] is not None:
            counted[row[_REQUEST], row[_INDEX], row[_ATTEMPT]] += row[_SPENT]
    for _, request, index, attempt, kept in sends:
        if kept != counted.pop((request, index, attempt), 0):
            what = (
                f"{_named(request, index, attempt)} of hold {hold_id} counts {show_usd(kept)}, not what its "
                f"entries add up to"
            )
            yield Discrepancy(entry=last, what=what)
    for key in counted:
        yield Discrepancy(entry=last, what=f"{_named(*key)} of hold {hold_id} has entries and no row")


def _named(request: str, index: int, attempt: int) -> AttemptKey:
    return AttemptKey(number=attempt, index=index, request_id=request)
