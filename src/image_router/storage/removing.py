"""Rows of what is thrown away: by rule, by hand, or because a scope is forgotten. Amounts always stay.

Each job is short, so that no other writer waits long; callers repeat until nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, select, update

from image_router.core.budget import SECOND, Micros
from image_router.storage.asset_tables import (
    asset_blobs,
    asset_parents,
    assets,
    cached_images,
    feedback,
    under,
    works,
)
from image_router.storage.database import Transaction
from image_router.storage.jobs_rows import needed_by_jobs
from image_router.storage.storing_rules import StoringRule, rule_for

AT_ONCE: Final = 200
_DAY: Final = 86_400 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Assets that lost their bytes, and the digests nobody may need any more."""

    assets: tuple[str, ...] = ()
    digests: frozenset[str] = frozenset()
    last: tuple[Micros, str] | None = None
    """Where the look ended, to go on from there; None: at the end."""


def remove_bytes(tx: Transaction, ids: Collection[str], *, why: str) -> Removed:
    """Let go of the bytes of some assets; what is known of them stays."""
    mine = asset_blobs.c.asset_id.in_(ids)
    digests = frozenset(tx.connection.execute(select(asset_blobs.c.digest).where(mine)).scalars())
    tx.connection.execute(delete(asset_blobs).where(mine))
    tx.connection.execute(delete(cached_images).where(cached_images.c.asset_id.in_(ids)))
    gone = {"thumbnail": None, "record": None, "removed_at": tx.now.wall, "removed_why": why}
    tx.connection.execute(update(assets).where(assets.c.id.in_(ids)).values(gone))
    return Removed(assets=tuple(ids), digests=digests)


def remove_expired(
    tx: Transaction, *, rules: Mapping[str, StoringRule], default: StoringRule, after: tuple[Micros, str]
) -> Removed:
    """One page of pictures that are there, oldest first: remove those whose scope keeps them no longer."""
    columns = assets.c
    at, last_id = after
    page = (
        select(columns.id, columns.scope, columns.made_at)
        .where(columns.stored, columns.removed_at.is_(None))
        .where((columns.made_at > at) | ((columns.made_at == at) & (columns.id > last_id)))
        .order_by(columns.made_at, columns.id)
        .limit(AT_ONCE)
    )
    rows = tx.connection.execute(page).all()
    by_days: dict[int, list[str]] = {}
    for row in rows:
        days = (rule_for(row.scope, rules) or default).keep_days
        if days is not None and row.made_at < tx.now.wall - days * _DAY:
            by_days.setdefault(days, []).append(row.id)
    removed = [remove_bytes(tx, ids, why=f"kept for {days} days") for days, ids in by_days.items()]
    return Removed(
        assets=tuple(name for one in removed for name in one.assets),
        digests=frozenset(digest for one in removed for digest in one.digests),
        last=(rows[-1].made_at, rows[-1].id) if len(rows) == AT_ONCE else None,
    )


def forget_some(tx: Transaction, scope: str, *, before: Micros) -> Removed:
    """Erase words and bytes of some assets of a scope made until a moment; none left: nothing in `assets`."""
    columns = assets.c
    not_yet = columns.details.is_not(None) | columns.removed_at.is_(None)
    wanted = select(columns.id).where(under(columns.scope, scope), not_yet, columns.made_at <= before)
    ids = list(tx.connection.execute(wanted.limit(AT_ONCE)).scalars())
    removed = remove_bytes(tx, ids, why="forgotten")
    nothing: dict[str, Any] = dict.fromkeys(
        ("details", "words", "slots", "response_id", "work_key", "cache_key")
    )
    tx.connection.execute(update(assets).where(columns.id.in_(ids)).values(nothing))
    mine = asset_parents.c.asset_id.in_(ids)
    tx.connection.execute(delete(asset_parents).where(mine))
    tx.connection.execute(delete(feedback).where(feedback.c.asset_id.in_(ids)))
    return removed


def forget_work(tx: Transaction, scope: str, *, before: Micros) -> int:
    """Erase results and refusals of a scope. Its keys stay, so that no work is paid for a second time."""
    ended = works.c.ended_at.is_not(None) & (works.c.ended_at <= before)
    mine = under(works.c.scope, scope) & ended & works.c.record.is_not(None)
    tx.connection.execute(delete(cached_images).where(under(cached_images.c.scope, scope)))
    return tx.connection.execute(update(works).where(mine).values(record=None)).rowcount


def referenced(tx: Transaction, digests: Collection[str]) -> frozenset[str]:
    """Which of some digests an asset or a job still needs."""
    wanted = select(asset_blobs.c.digest).where(asset_blobs.c.digest.in_(digests)).distinct()
    return frozenset(tx.connection.execute(wanted).scalars()) | needed_by_jobs(tx, digests)
