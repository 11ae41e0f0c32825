"""Rows of works: who has a key, since when, and what became of it. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update

from image_router.core.budget import Micros, from_micros
from image_router.core.errors import IdempotencyConflict
from image_router.core.holds import PROMPT_INDEX, SendState
from image_router.core.money import Nanos
from image_router.storage import schema
from image_router.storage.asset_tables import assets, known_assets, works
from image_router.storage.asset_values import Asset, asset_from
from image_router.storage.database import Transaction


class WorkState(StrEnum):
    RUNNING = "running"
    LEFT = "left"
    """Nobody is at it; a picture or a call of unknown outcome is left of the last try."""
    FINISHED = "finished"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a key stands for. `fingerprint` is core.fingerprint.request_fingerprint of the request."""

    scope: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """This caller does the work now, under this request id, which is that of all its earlier turns."""

    work: Work
    request_id: str
    turn: int
    """1 for the first who tries."""
    made: tuple[Asset, ...] = field(default=(), compare=False)
    """Pictures of earlier turns: paid, and not to be made again."""
    unknown: frozenset[int] = field(default=frozenset(), compare=False)
    """Which of the n images were sent by earlier turns and may have been paid, without a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Somebody else is at it."""

    owner: str
    since: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Work that has ended."""

    state: WorkState
    request_id: str
    ended_at: Micros
    cost: Nanos
    record: bytes | None = field(repr=False)


Found = Row | Running | Claimed


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Who wants to do a piece of work."""

    owner: str
    request_id: str
    """Used when nobody has tried before."""
    lease: Micros


def look(tx: Transaction, work: Work) -> Row | Running | None:
    """What became of a key without taking it; None when it can be taken. Raises IdempotencyConflict."""
    row = _row(tx, work)
    if row is None:
        return None
    if row.fingerprint != work.fingerprint:
        raise IdempotencyConflict(
            f"key {work.key!r} of scope {work.scope!r} named another request on "
            f"{from_micros(row.begun_at):%Y-%m-%d %H:%M:%S} UTC (request digest {row.fingerprint[:16]}…, now "
            f"{work.fingerprint[:16]}…); send the same request, or use a new key"
        )
    state = WorkState(row.state)
    if state is WorkState.RUNNING:
        silent = row.lease_until < tx.now.lease or row.lease_epoch != tx.now.epoch
        return None if silent else Running(owner=row.owner, since=row.begun_at)
    if state is WorkState.LEFT:
        return None
    return Row(
        state=state,
        request_id=row.request_id,
        ended_at=row.ended_at,
        cost=row.cost,
        record=row.record,
    )


def finished_among(tx: Transaction, *, scope: str, keys: Collection[str]) -> frozenset[str]:
    """Which of these keys' work is done, and was not refused."""
    wanted = select(works.c.work_key).where(
        works.c.scope == scope, works.c.work_key.in_(keys), works.c.state == WorkState.FINISHED
    )
    return frozenset(tx.connection.execute(wanted).scalars())


def take(tx: Transaction, work: Work, *, claimant: Claimant) -> Found:
    """Take a key that is free or was left, or say what became of it. Raises IdempotencyConflict."""
    found = look(tx, work)
    if found is not None:
        return found
    row = _row(tx, work)
    terms = {
        "owner": claimant.owner,
        "state": WorkState.RUNNING,
        "lease_until": tx.now.lease + claimant.lease,
        "lease_epoch": tx.now.epoch,
        "lease_length": claimant.lease,
    }
    if row is None:
        tx.connection.execute(
            insert(works).values(
                scope=work.scope,
                work_key=work.key,
                fingerprint=work.fingerprint,
                turn=1,
                request_id=claimant.request_id,
                begun_at=tx.now.wall,
                cost=0,
                **terms,
            )
        )
        return Claimed(work=work, request_id=claimant.request_id, turn=1)
    turn = row.turn + 1
    tx.connection.execute(update(works).where(_is(work)).values(turn=turn, **terms))
    return left_of(tx, Claimed(work=work, request_id=row.request_id, turn=turn))


def left_of(tx: Transaction, claim: Claimed) -> Claimed:
    """The claim with what earlier turns left of pictures and unknown calls, as it stands now."""
    made = _made(tx, claim.request_id)
    unknown = _unknown(tx, claim.request_id) - {asset.index for asset in made}
    return replace(claim, made=made, unknown=frozenset(unknown))


def renew(tx: Transaction, claims: Collection[Claimed], *, lease: Micros) -> frozenset[Claimed]:
    """Put the ends of leases off; the claims that still stand."""
    until = {"lease_until": tx.now.lease + lease, "lease_epoch": tx.now.epoch}
    return frozenset(
        claim
        for claim in claims
        if tx.connection.execute(update(works).where(_stands(claim)).values(until)).rowcount
    )


def end(tx: Transaction, claim: Claimed, *, state: WorkState, record: bytes | None, cost: Nanos) -> bool:
    """The first who ends a piece of work is right, also when it was taken from him meanwhile."""
    open_ = works.c.state.in_((WorkState.RUNNING, WorkState.LEFT))
    values = {"state": state, "record": record, "cost": cost, "ended_at": tx.now.wall}
    same = works.c.fingerprint == claim.work.fingerprint
    done = tx.connection.execute(update(works).where(_is(claim.work), same, open_).values(values))
    return done.rowcount == 1


def let_go(tx: Transaction, claim: Claimed) -> None:
    """Nobody is at it any more; the key is free unless something is left of the tries."""
    if _made(tx, claim.request_id) or _unknown(tx, claim.request_id):
        tx.connection.execute(update(works).where(_stands(claim)).values(state=WorkState.LEFT))
    else:
        tx.connection.execute(delete(works).where(_stands(claim)))


def removed(tx: Transaction, request_id: str) -> list[Asset]:
    """Pictures of a request that were thrown away."""
    rows = known_assets().where(assets.c.request_id == request_id, assets.c.removed_at.is_not(None))
    return [asset_from(dict(row)) for row in tx.connection.execute(rows).mappings()]


def _row(tx: Transaction, work: Work) -> Any:
    return tx.connection.execute(select(works).where(_is(work))).first()


def _is(work: Work) -> ColumnElement[bool]:
    return and_(works.c.scope == work.scope, works.c.work_key == work.key)


def _stands(claim: Claimed) -> ColumnElement[bool]:
    return and_(_is(claim.work), works.c.turn == claim.turn, works.c.state == WorkState.RUNNING)


def _made(tx: Transaction, request_id: str) -> tuple[Asset, ...]:
    rows = known_assets().where(assets.c.request_id == request_id).order_by(assets.c.image_index, assets.c.id)
    return tuple(asset_from(dict(row)) for row in tx.connection.execute(rows).mappings())


def _unknown(tx: Transaction, request_id: str) -> set[int]:
    sends, holds = schema.sends.c, schema.holds.c
    open_ = sends.state.in_((SendState.SENT, SendState.UNKNOWN))
    # A call names its request only where that is not its hold's.
    of_hold = and_(
        sends.request_id == "", sends.hold_id.in_(select(holds.id).where(holds.request_id == request_id))
    )
    of_image = sends.image_index != PROMPT_INDEX
    rows = select(sends.image_index).where(or_(sends.request_id == request_id, of_hold), open_, of_image)
    return set(tx.connection.execute(rows).scalars())
