"""Meters, circuits and bindings in the database: all processes on it send as one. A TrafficStore.

Time is the database's: on one machine a clock nobody can set, on a server the server's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, delete, select, text, tuple_

from image_router.core.breaker import Breaker, Circuit
from image_router.core.pacing import Meter, MeterKey, Meters, Moment
from image_router.core.running import Now
from image_router.storage.database import Database, Together, Transaction
from image_router.storage.traffic_memory import BreakerChange, MeterChange
from image_router.storage.traffic_tables import (
    bindings,
    breaker_of,
    breaker_row,
    circuit_of,
    circuits,
    meter_key,
    meter_of,
    meter_row,
    meters,
    micros,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Wish:
    """One caller's change, on its way into a transaction it shares with others."""

    keys: tuple[MeterKey, ...]
    change: MeterChange[Any]


class DatabaseTraffic:
    """A TrafficStore for all processes on one database. Raises StorageError when it cannot be reached."""

    shared = True

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together: Together[_Wish, Any] = Together(_change_meters)

    async def change_meters(self, keys: Collection[MeterKey], change: MeterChange[T]) -> T:
        wish = _Wish(tuple(keys), change)
        # What was sent in the last minute is of no use after a power cut.
        answer: T = await self._database.write_together(self._together, wish, durable=False)
        return answer

    async def change_circuit(
        self, circuit: Circuit, change: BreakerChange
    ) -> tuple[Breaker, Breaker, Moment]:
        def job(tx: Transaction) -> tuple[Breaker, Breaker, Moment]:
            now = _moment(tx.now)
            before = _circuits(tx.connection, circuit).get(circuit, Breaker())
            after = change(before, now)
            if after.trips:
                _put(tx.connection, circuits, [breaker_row(circuit, after)])
            elif before.trips:
                tx.connection.execute(delete(circuits).where(*_named(circuit)))
            return before, after, now

        return await self._database.write(job)

    async def circuits(self) -> tuple[Mapping[Circuit, Breaker], Moment]:
        return await self._database.read(lambda tx: (_circuits(tx.connection), _moment(tx.now)))

    async def meters(self) -> tuple[Meters, Moment]:
        return await self._database.read(lambda tx: (_meters(tx.connection), _moment(tx.now)))

    async def bind(self, resource: str, member: str, *, until: float) -> None:
        def job(tx: Transaction) -> None:
            tx.connection.execute(delete(bindings).where(bindings.c.until <= tx.now.wall))
            row = {"resource": resource, "member": member, "until": micros(until)}
            _put(tx.connection, bindings, [row])

        await self._database.write(job)

    async def owner(self, resource: str) -> str | None:
        def job(tx: Transaction) -> str | None:
            found = select(bindings.c.member).where(
                bindings.c.resource == resource, bindings.c.until > tx.now.wall
            )
            return tx.connection.execute(found).scalar()

        return await self._database.read(job)


def _change_meters(tx: Transaction, wishes: Sequence[_Wish]) -> Sequence[Any]:
    """One reading and one writing for a whole group; each wish sees what those before it changed."""
    now = _moment(tx.now)
    known = _meters(tx.connection, {key for wish in wishes for key in wish.keys})
    written: dict[MeterKey, Meter] = {}
    answers = []
    for wish in wishes:
        changed, answer = wish.change({key: known[key] for key in wish.keys if key in known}, now)
        known.update(changed)
        written.update(changed)
        answers.append(answer)
    _put(tx.connection, meters, [meter_row(key, meter) for key, meter in written.items()])
    return answers


def _meters(connection: Connection, keys: Collection[MeterKey] | None = None) -> dict[MeterKey, Meter]:
    query = select(meters)
    if keys is not None:
        columns = tuple_(meters.c.project, meters.c.model, meters.c.limit_name)
        query = query.where(columns.in_([(key.project, key.model, key.limit) for key in keys]))
    return {meter_key(row): meter_of(row) for row in connection.execute(query).mappings()}


def _circuits(connection: Connection, circuit: Circuit | None = None) -> dict[Circuit, Breaker]:
    query = select(circuits)
    if circuit is not None:
        query = query.where(*_named(circuit))
    return {circuit_of(row): breaker_of(row) for row in connection.execute(query).mappings()}


def _named(circuit: Circuit) -> tuple[Any, ...]:
    names = circuits.c
    return names.project == circuit.project, names.key == circuit.key, names.model == circuit.model


def _put(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, or replace those of the same key. Both databases spell it alike; SQLAlchemy does not."""
    if not rows:
        return
    columns = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
    connection.execute(
        text(
            f"INSERT INTO {table.name} ({', '.join(columns)}) "
            f"VALUES ({', '.join(f':{name}' for name in columns)}) "
            f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changed}"
        ),
        rows,
    )


def _moment(now: Now) -> Moment:
    return Moment(steady=now.lease / 1_000_000, wall=now.wall / 1_000_000)
