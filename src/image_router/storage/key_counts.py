"""What router keys use of their limits, for all processes on a database: meters, and leases of requests.

One transaction admits or ends the requests of many callers: it reads and writes each table once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select, text, update

from image_router.core.budget import SECOND, Micros
from image_router.core.errors import KeyRefused
from image_router.core.key_limits import count, loads_of, settled, too_many, too_much
from image_router.core.money import Nanos
from image_router.core.pacing import Charge, Meter, MeterKey, Meters, Moment, Resource, Shortage
from image_router.core.router_keys import RouterKey
from image_router.storage.database import Transaction
from image_router.storage.key_tables import flights, meters
from image_router.storage.traffic_tables import meter_of, meter_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A request that wants in."""

    key: RouterKey
    flight: str
    """Name of its lease, where the key's requests in flight are counted."""
    images: int
    ceiling: Nanos
    lease: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A request that was admitted and is over. `spent` None: nobody knows, so what was counted stands."""

    flight: str | None
    charges: tuple[Charge, ...]
    spent: Nanos | None


def admit_all(tx: Transaction, wishes: Sequence[Wish]) -> Sequence[tuple[Charge, ...] | KeyRefused]:
    """Count each request on its key's meters and among its requests in flight, or on none of them."""
    ids = {wish.key.id for wish in wishes}
    known, running = dict(meters_of(tx.connection, ids)), Counter(running_of(tx, ids))
    written: dict[MeterKey, Meter] = {}
    taken: list[dict[str, Any]] = []
    answers: list[tuple[Charge, ...] | KeyRefused] = []
    for wish in wishes:
        answer = _admitted(wish, known, running[wish.key.id], now=_moment(tx))
        if isinstance(answer, KeyRefused):
            answers.append(answer)
            continue
        changed, charges = answer
        known.update(changed)
        written.update(changed)
        answers.append(charges)
        if wish.key.rules.in_flight is not None:
            running[wish.key.id] += 1
            taken.append(_flight(tx, wish))
    _store(tx.connection, written)
    if taken:
        _forget_dead(tx, ids)
        tx.connection.execute(insert(flights), taken)
    return answers


def end_all(tx: Transaction, ended: Sequence[Ended]) -> Sequence[None]:
    """Give back leases, and count what was really spent."""
    ids = {charge.key.project for one in ended for charge in one.charges}
    known = dict(meters_of(tx.connection, ids)) if ids else {}
    written: dict[MeterKey, Meter] = {}
    for one in ended:
        if one.spent is not None:
            charges = [charge for charge in one.charges if charge.limit.resource is Resource.DOLLARS]
            changed = settled(known, charges, spent=one.spent, now=_moment(tx))
            known.update(changed)
            written.update(changed)
    _store(tx.connection, written)
    over = [one.flight for one in ended if one.flight]
    if over:
        tx.connection.execute(delete(flights).where(flights.c.id.in_(over)))
    return [None] * len(ended)


def renewing(names: Collection[str], lease: Micros) -> Callable[[Transaction], None]:
    """The job that keeps these requests' leases from ending."""

    def job(tx: Transaction) -> None:
        values = {"until": tx.now.lease + lease, "epoch": tx.now.epoch}
        tx.connection.execute(update(flights).where(flights.c.id.in_(names)).values(**values))

    return job


def meters_of(connection: Connection, key_ids: Collection[str]) -> Meters:
    """All meters of these keys."""
    query = select(meters).where(meters.c.key_id.in_(key_ids))
    return {_meter_key(row): meter_of(row) for row in connection.execute(query).mappings()}


def running_of(tx: Transaction, key_ids: Collection[str]) -> Mapping[str, int]:
    """How many requests of each key are in flight; those whose process died count until their lease ends."""
    query = (
        select(flights.c.key_id, func.count().label("running"))
        .where(flights.c.key_id.in_(key_ids), flights.c.epoch == tx.now.epoch, flights.c.until > tx.now.lease)
        .group_by(flights.c.key_id)
    )
    return {row.key_id: row.running for row in tx.connection.execute(query)}


def _admitted(
    wish: Wish, known: Meters, running: int, *, now: Moment
) -> tuple[Meters, tuple[Charge, ...]] | KeyRefused:
    key, most = wish.key, wish.key.rules.in_flight
    if most is not None and running >= most:
        return too_many(key, running)
    loads = loads_of(key, images=wish.images, ceiling=wish.ceiling)
    changed, found = count(known, loads, now=now)
    if not isinstance(found, Shortage):
        return changed, found
    asked = next(load.amount for load in loads if load.limit == found.limit)
    return too_much(key, found, asked=asked)


def _flight(tx: Transaction, wish: Wish) -> dict[str, Any]:
    until = tx.now.lease + wish.lease
    return {"id": wish.flight, "key_id": wish.key.id, "epoch": tx.now.epoch, "until": until}


def _forget_dead(tx: Transaction, key_ids: Collection[str]) -> None:
    dead = or_(flights.c.epoch != tx.now.epoch, flights.c.until <= tx.now.lease)
    tx.connection.execute(delete(flights).where(flights.c.key_id.in_(key_ids), dead))


def _meter_key(row: RowMapping) -> MeterKey:
    return MeterKey(project=row["key_id"], model="", limit=row["limit_name"])


def _store(connection: Connection, written: Meters) -> None:
    if not written:
        return
    rows = [
        {"key_id": key.project, "limit_name": key.limit, "state": meter_row(key, meter)["state"]}
        for key, meter in written.items()
    ]
    put = (
        "INSERT INTO router_key_meters (key_id, limit_name, state) VALUES (:key_id, :limit_name, :state) "
        "ON CONFLICT (key_id, limit_name) DO UPDATE SET state = excluded.state"
    )
    connection.execute(text(put), rows)


def _moment(tx: Transaction) -> Moment:
    return Moment(steady=tx.now.lease / SECOND, wall=tx.now.wall / SECOND)
