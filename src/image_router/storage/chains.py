"""Chains: which character, which variants, and how far they are. Each picture is a job (storage/jobs).

A chain's own row changes only when it begins, ends or is taken up again; everything else is told by its jobs,
so whoever looks after it may be any process, or several at once.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select, update

from image_router.core.budget import SECOND, Micros, from_micros
from image_router.core.errors import IdempotencyConflict
from image_router.storage import jobs_rows
from image_router.storage.asset_tables import assets, under
from image_router.storage.blobs import Blobs
from image_router.storage.chains_tables import Chain, ChainItem, ChainState, chains
from image_router.storage.database import Database, Transaction
from image_router.storage.jobs_line import check_room
from image_router.storage.jobs_tables import JobState, job_blobs, jobs
from image_router.storage.records import Record

_AGAIN: Final = (JobState.FAILED, JobState.CANCELLED)


class Chains:
    """The chains of one database. Methods raise StorageError."""

    def __init__(self, db: Database, blobs: Blobs) -> None:
        self._db, self._blobs = db, blobs

    async def add(self, new: Chain, record: Record, *, most: int | None = None) -> tuple[Chain, bool]:
        """Begin a chain; True where its key had named it before.

        Raises IdempotencyConflict, AssetError, and JobsFull where its scope would have more than `most` jobs.
        """
        for digest, data in record.pieces.items():
            await self._blobs.put(digest, data)
        return await self._db.write(lambda tx: _add(tx, new, frozenset(record.pieces), most=most))

    async def get(self, chain_id: str) -> Chain | None:
        return await self._db.read(lambda tx: _find(tx, chains.c.id == chain_id))

    async def listed(self, *, scope: str | None, limit: int, before: str | None = None) -> list[Chain]:
        """Newest first; of a scope and all below it."""
        return await self._db.read(lambda tx: _list(tx, scope, limit=limit, before=before))

    async def running(self) -> list[Chain]:
        """Those that somebody must look after, oldest first."""
        query = select(chains).where(chains.c.ended_at.is_(None)).order_by(chains.c.created_at)
        return await self._db.read(
            lambda tx: [_chain(row) for row in tx.connection.execute(query).mappings()]
        )

    async def items(self, chain: Chain) -> list[ChainItem]:
        """The reference, then the variants."""
        return await self._db.read(lambda tx: _items(tx, chain))

    async def end(self, chain_id: str, state: ChainState) -> bool:
        """Say what became of a chain; False where it is over already."""
        return await self._db.write(lambda tx: _end(tx, chain_id, state))

    async def expire(self, *, keep: float) -> frozenset[str]:
        """Delete chains that ended more than `keep` seconds ago; digests that nobody may need any more."""

        def old(tx: Transaction) -> ColumnElement[bool]:
            return chains.c.ended_at < tx.now.wall - int(keep * SECOND)

        return await self._db.write(lambda tx: _delete(tx, old(tx)))

    async def resume(self, chain: Chain, *, most: int | None = None) -> None:
        """Take a chain up again: what failed or was cancelled is forgotten, what came stays.

        Raises JobsFull, as `add`.
        """
        await self._db.write(lambda tx: _resume(tx, chain, most=most))


def forget_chains(tx: Transaction, scope: str, *, before: Micros) -> frozenset[str]:
    """Delete the chains of a scope that were made until a moment and are over; digests they needed."""
    over = chains.c.ended_at.is_not(None) & (chains.c.created_at <= before)
    return _delete(tx, under(chains.c.scope, scope) & over)


def _delete(tx: Transaction, condition: ColumnElement[bool]) -> frozenset[str]:
    ids = list(tx.connection.execute(select(chains.c.id).where(condition)).scalars())
    digests = jobs_rows.blobs_of(tx, ids)
    tx.connection.execute(delete(job_blobs).where(job_blobs.c.job_id.in_(ids)))
    tx.connection.execute(delete(chains).where(chains.c.id.in_(ids)))
    return digests


def _add(tx: Transaction, new: Chain, digests: frozenset[str], *, most: int | None) -> tuple[Chain, bool]:
    same = (chains.c.scope == new.scope) & (chains.c.asked_key == new.asked_key)
    known = _find(tx, same) if new.asked_key is not None else None
    if known is None:
        check_room(tx, new.scope, more=len(new.prompts), most=most)
        values: dict[str, Any] = {name: getattr(new, name) for name in Chain.__slots__}
        values |= {"prompts": json.dumps(new.prompts), "created_at": tx.now.wall}
        tx.connection.execute(insert(chains).values(values))
        rows = [{"job_id": new.id, "digest": digest} for digest in sorted(digests)]
        if rows:
            tx.connection.execute(insert(job_blobs), rows)
        made = _find(tx, chains.c.id == new.id)
        return made or new, False
    if known.fingerprint != new.fingerprint:
        raise IdempotencyConflict(
            f"key {new.asked_key!r} of scope {new.scope!r} named another chain on "
            f"{from_micros(known.created_at):%Y-%m-%d %H:%M:%S} UTC; send the same request, or use a new key"
        )
    return known, True


def _list(tx: Transaction, scope: str | None, *, limit: int, before: str | None) -> list[Chain]:
    wanted = select(chains).order_by(chains.c.created_at.desc(), chains.c.id.desc()).limit(limit)
    if scope is not None:
        wanted = wanted.where(under(chains.c.scope, scope))
    if before is not None:
        last = select(chains.c.created_at).where(chains.c.id == before).scalar_subquery()
        older = (chains.c.created_at < last) | ((chains.c.created_at == last) & (chains.c.id < before))
        wanted = wanted.where(older)
    return [_chain(row) for row in tx.connection.execute(wanted).mappings()]


def _items(tx: Transaction, chain: Chain) -> list[ChainItem]:
    kept = select(assets.c.work_key, assets.c.id).where(
        assets.c.scope == chain.scope, assets.c.work_key.in_([chain.work_key(key) for key in chain.keys])
    )
    ids: dict[str, str] = {row.work_key: row.id for row in tx.connection.execute(kept)}
    return [
        ChainItem(
            key=key,
            prompt=prompt,
            job=jobs_rows.find_job(tx, chain.job_id(key)),
            asset_id=ids.get(chain.work_key(key)),
        )
        for key, prompt in zip(chain.keys, chain.prompts, strict=True)
    ]


def _end(tx: Transaction, chain_id: str, state: ChainState) -> bool:
    open_one = (chains.c.id == chain_id) & chains.c.ended_at.is_(None)
    values = {"state": state, "ended_at": tx.now.wall}
    return bool(tx.connection.execute(update(chains).where(open_one).values(values)).rowcount)


def _resume(tx: Transaction, chain: Chain, *, most: int | None) -> None:
    mine = [chain.job_id(key) for key in chain.keys]
    tx.connection.execute(delete(jobs).where(jobs.c.id.in_(mine), jobs.c.state.in_(_AGAIN)))
    came = select(func.count()).select_from(jobs).where(jobs.c.id.in_(mine))
    missing = len(mine) - int(tx.connection.execute(came).scalar_one())
    check_room(tx, chain.scope, more=missing, most=most)
    over = (chains.c.id == chain.id) & chains.c.ended_at.is_not(None)
    tx.connection.execute(update(chains).where(over).values(state=ChainState.RUNNING, ended_at=None))


def _find(tx: Transaction, condition: Any) -> Chain | None:
    row = tx.connection.execute(select(chains).where(condition)).mappings().one_or_none()
    return _chain(row) if row is not None else None


def _chain(row: RowMapping) -> Chain:
    values = {name: row[name] for name in Chain.__slots__}
    return Chain(
        **{**values, "state": ChainState(row["state"]), "prompts": tuple(json.loads(row["prompts"]))}
    )
