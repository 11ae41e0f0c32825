"""Webhooks in the database: endpoints, signing secrets, and an outbox that is told at least once.

A notice is posted in the transaction of what it tells, so neither is ever without the other.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, and_, delete, insert, or_, select, update

from image_router.core.budget import SECOND, Micros
from image_router.core.scopes import scope_path
from image_router.storage.asset_tables import under
from image_router.storage.database import Database, Transaction
from image_router.storage.webhooks_tables import (
    Delivery,
    DeliveryQuery,
    DeliveryState,
    Endpoint,
    HookEvent,
    NewSecret,
    Notice,
    Told,
    deliveries,
    endpoints,
    hook_secrets,
)

LEASE: Final = 60.0
"""Seconds after which a try of a process that died is made again by another."""
SECRET_BYTES: Final = 32
"""Between the 24 and 64 that Standard Webhooks asks for."""
_AT_ONCE: Final = 500


class Outbox:
    """What a gateway needs of webhooks. Methods raise StorageError."""

    def __init__(self, db: Database, *, lease: float = LEASE) -> None:
        self._db, self._lease = db, int(lease * SECOND)

    async def add_endpoint(self, scope: str, url: str, *, events: Iterable[HookEvent], who: str) -> Endpoint:
        """Tell an address of a scope and all below it from now on."""
        names = json.dumps(sorted(set(events)))

        def add(tx: Transaction) -> Endpoint:
            row: dict[str, Any] = {"id": f"ep_{secrets.token_hex(8)}", "scope": scope, "url": url}
            row |= {"events": names, "created_at": tx.now.wall, "created_by": who}
            tx.connection.execute(insert(endpoints).values(row))
            return _endpoint({**row, "off_at": None, "off_why": None})

        return await self._db.write(add)

    async def endpoints(self, scope: str | None = None) -> list[Endpoint]:
        """Of a scope and all below it, or all."""
        wanted = select(endpoints).order_by(endpoints.c.created_at, endpoints.c.id)
        wanted = wanted if scope is None else wanted.where(under(endpoints.c.scope, scope))
        return await self._db.read(
            lambda tx: [_endpoint(row) for row in tx.connection.execute(wanted).mappings()]
        )

    async def remove_endpoint(self, endpoint_id: str) -> bool:
        """Whether there was one. What is on its way to it is given up."""

        def remove(tx: Transaction) -> bool:
            there = tx.connection.execute(delete(endpoints).where(endpoints.c.id == endpoint_id)).rowcount
            _give_up(tx, endpoint_id, why="the endpoint was removed")
            return there == 1

        return await self._db.write(remove)

    async def rotate(self, scope: str, *, who: str, grace: float) -> NewSecret:
        """A new secret of a scope and all below it; the one before signs too for `grace` seconds."""
        secret = secrets.token_bytes(SECRET_BYTES)
        return await self._db.write(lambda tx: _rotate(tx, scope, secret, who=who, grace=grace))

    async def secrets_of(self, scope: str) -> tuple[bytes, ...]:
        """What signs for a scope now, the newest first: its own secrets, or of the nearest scope above."""
        return await self._db.read(lambda tx: _secrets(tx, scope))

    async def listed(self, query: DeliveryQuery) -> list[Delivery]:
        """Deliveries, newest first."""
        return await self._db.read(lambda tx: _listed(tx, query))

    async def get(self, delivery_id: str) -> Delivery | None:
        return await self._db.read(lambda tx: _find(tx, delivery_id))

    async def resend(self, delivery_id: str) -> None:
        """Try a delivery again from the beginning, whatever came of it; its id stays the same."""
        fresh = {"state": DeliveryState.PENDING, "ended_at": None, "tries": 0}

        def again(tx: Transaction) -> None:
            now = {"begun_at": tx.now.wall, "next_at": tx.now.wall}
            mine = deliveries.c.id == delivery_id
            tx.connection.execute(update(deliveries).where(mine).values({**fresh, **now}))

        await self._db.write(again)

    async def claim(self, count: int) -> list[Delivery]:
        """Take up to `count` deliveries that are due, for the length of a lease; each counts as a try."""
        if count < 1 or not await self._db.read(_any_due):
            return []
        return await self._db.write(lambda tx: _claim(tx, count, lease=self._lease))

    async def told(self, delivery: Delivery, told: Told) -> None:
        """Write down what came of a try; of one that was overtaken by another, nothing."""
        await self._db.write(lambda tx: _note(tx, delivery, told))

    async def post(self, notice: Notice) -> None:
        """As `post`, in a transaction of its own."""
        await self._db.write(lambda tx: post(tx, notice))

    async def expire(self, *, keep: float) -> None:
        """Delete deliveries that ended more than `keep` seconds ago."""
        await self._db.write(lambda tx: _expire(tx, tx.now.wall - int(keep * SECOND)))


def post(tx: Transaction, notice: Notice) -> None:
    """Put a notice into the outbox, once for each address that wants it."""
    scopes = endpoints.c.scope.in_(scope_path(notice.scope))
    wanting = select(endpoints).where(scopes, endpoints.c.off_at.is_(None))
    found = [_endpoint(row) for row in tx.connection.execute(wanting).mappings()]
    to: dict[str, str | None] = {one.url: one.id for one in found if notice.event in one.events}
    if notice.url is not None:
        to.setdefault(notice.url, None)
    for url, endpoint_id in to.items():
        row = {"id": f"msg_{secrets.token_hex(12)}", "url": url, "endpoint_id": endpoint_id}
        row |= {"scope": notice.scope, "event": notice.event, "subject": notice.subject}
        row |= {"payload": notice.payload, "state": DeliveryState.PENDING}
        moment = dict.fromkeys(("created_at", "begun_at", "next_at"), tx.now.wall)
        idle = {"tries": 0, "lease_until": 0, "lease_epoch": ""}
        tx.connection.execute(insert(deliveries).values({**row, **moment, **idle}))


def forget_notices(tx: Transaction, scope: str, *, before: Micros) -> None:
    """Delete what was told, or was to be told, of a scope until a moment."""
    mine = and_(under(deliveries.c.scope, scope), deliveries.c.created_at <= before)
    tx.connection.execute(delete(deliveries).where(mine))


def _rotate(tx: Transaction, scope: str, secret: bytes, *, who: str, grace: float) -> NewSecret:
    mine = hook_secrets.c.scope == scope
    old = tx.connection.execute(select(hook_secrets.c.secret).where(mine)).scalar_one_or_none()
    row: dict[str, Any] = {"secret": secret, "made_at": tx.now.wall, "made_by": who}
    if old is None:
        tx.connection.execute(insert(hook_secrets).values(scope=scope, **row))
        return NewSecret(secret=secret)
    until = tx.now.wall + int(grace * SECOND) if grace else None
    row |= {"old_secret": old if grace else None, "old_until": until}
    tx.connection.execute(update(hook_secrets).where(mine).values(row))
    return NewSecret(secret=secret, old_until=until)


def _secrets(tx: Transaction, scope: str) -> tuple[bytes, ...]:
    found = {
        row["scope"]: row
        for row in tx.connection.execute(
            select(hook_secrets).where(hook_secrets.c.scope.in_(scope_path(scope)))
        ).mappings()
    }
    nearest = next((found[name] for name in reversed(scope_path(scope)) if name in found), None)
    if nearest is None:
        return ()
    old = nearest["old_secret"] if (nearest["old_until"] or 0) > tx.now.wall else None
    return (bytes(nearest["secret"]), *((bytes(old),) if old else ()))


def _listed(tx: Transaction, query: DeliveryQuery) -> list[Delivery]:
    columns = deliveries.c
    wanted = select(deliveries).order_by(columns.created_at.desc(), columns.id).limit(query.limit)
    if query.scope is not None:
        wanted = wanted.where(under(columns.scope, query.scope))
    if query.state is not None:
        wanted = wanted.where(columns.state == query.state)
    if query.subject is not None:
        wanted = wanted.where(columns.subject == query.subject)
    return [_delivery(row) for row in tx.connection.execute(wanted).mappings()]


def _find(tx: Transaction, delivery_id: str) -> Delivery | None:
    row = tx.connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).mappings().first()
    return _delivery(row) if row is not None else None


def _due(tx: Transaction) -> ColumnElement[bool]:
    free = or_(deliveries.c.lease_until < tx.now.lease, deliveries.c.lease_epoch != tx.now.epoch)
    return and_(deliveries.c.ended_at.is_(None), deliveries.c.next_at <= tx.now.wall, free)


def _any_due(tx: Transaction) -> bool:
    return tx.connection.execute(select(deliveries.c.id).where(_due(tx)).limit(1)).first() is not None


def _claim(tx: Transaction, count: int, *, lease: Micros) -> list[Delivery]:
    due = select(deliveries.c.id).where(_due(tx)).order_by(deliveries.c.next_at).limit(count)
    ids: Sequence[str] = tx.connection.execute(due).scalars().all()
    taken = {"lease_until": tx.now.lease + lease, "lease_epoch": tx.now.epoch}
    mine = deliveries.c.id.in_(ids)
    tx.connection.execute(update(deliveries).where(mine).values(**taken, tries=deliveries.c.tries + 1))
    return [_delivery(row) for row in tx.connection.execute(select(deliveries).where(mine)).mappings()]


def _note(tx: Transaction, delivery: Delivery, told: Told) -> None:
    over = told.state is not DeliveryState.PENDING
    values = {
        "state": told.state,
        "status": told.status,
        "trouble": told.trouble,
        "next_at": tx.now.wall + int(told.wait * SECOND),
        "ended_at": tx.now.wall if over else None,
        "lease_until": 0,
    }
    same = and_(
        deliveries.c.id == delivery.id,
        deliveries.c.tries == delivery.tries,
        deliveries.c.begun_at == delivery.begun_at,
    )
    tx.connection.execute(update(deliveries).where(same).values(values))
    if told.gone and delivery.endpoint_id is not None:
        off = {"off_at": tx.now.wall, "off_why": told.trouble}
        tx.connection.execute(update(endpoints).where(endpoints.c.id == delivery.endpoint_id).values(off))
        _give_up(tx, delivery.endpoint_id, why="the endpoint is gone")


def _give_up(tx: Transaction, endpoint_id: str, *, why: str) -> None:
    open_ = and_(deliveries.c.endpoint_id == endpoint_id, deliveries.c.ended_at.is_(None))
    values = {"state": DeliveryState.FAILED, "trouble": why, "ended_at": tx.now.wall}
    tx.connection.execute(update(deliveries).where(open_).values(values))


def _expire(tx: Transaction, before: Micros) -> None:
    old = select(deliveries.c.id).where(deliveries.c.ended_at < before).limit(_AT_ONCE)
    ids = tx.connection.execute(old).scalars().all()
    tx.connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))


def _endpoint(row: RowMapping | dict[str, Any]) -> Endpoint:
    events = tuple(HookEvent(name) for name in json.loads(row["events"]))
    return Endpoint(**{**row, "events": events})


def _delivery(row: RowMapping) -> Delivery:
    values = {name: row[name] for name in Delivery.__slots__}
    state, event = DeliveryState(row["state"]), HookEvent(row["event"])
    return Delivery(**{**values, "state": state, "event": event})
