"""Rows of the exact cache, and the look for similar prompts. Inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, update

from image_router.core.budget import SECOND, Micros
from image_router.core.errors import InvalidRequest
from image_router.core.money import Nanos
from image_router.core.similarity import Sketch, likeness, sketch
from image_router.storage.asset_tables import assets, cached_images, known_assets, under
from image_router.storage.asset_values import Asset, asset_from, slots_text
from image_router.storage.database import Transaction
from image_router.storage.memory import Place

_LOOKED_AT: Final = 500
"""Pictures with equal slots that are compared, newest first."""
_AT_ONCE: Final = 500
_COLUMNS: Final = cached_images.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is remembered. Memory holds pictures; the durable bounds count what the entries point to."""

    max_bytes: int = 20_000_000_000
    max_count: int = 100_000
    max_age: float = 90 * 86_400.0
    """Seconds since a picture was made."""
    memory_bytes: int = 128_000_000
    memory_count: int = 256

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < 0:
                raise InvalidRequest(f"the cache's {name} is {getattr(self, name)}; it cannot be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    asset_id: str
    cost: Nanos
    bytes: int
    made_at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    entries: int
    bytes: int
    hits: int
    saved: Nanos


def find(tx: Transaction, place: Place, *, oldest: Micros) -> Entry | None:
    """The entry of a key, unless its picture was made before `oldest`."""
    wanted = select(_COLUMNS.asset_id, _COLUMNS.cost, _COLUMNS.bytes, _COLUMNS.made_at).where(
        _at(place), _COLUMNS.made_at >= oldest
    )
    row = tx.connection.execute(wanted).mappings().first()
    return Entry(**row) if row else None


def insert_entry(tx: Transaction, place: Place, *, entry: Entry) -> None:
    """Point a key to a picture; an older one makes way."""
    tx.connection.execute(delete(cached_images).where(_at(place)))
    tx.connection.execute(
        insert(cached_images).values(
            scope=place[0],
            cache_key=place[1],
            asset_id=entry.asset_id,
            cost=entry.cost,
            bytes=entry.bytes,
            made_at=entry.made_at,
            used_at=entry.made_at,
            hits=0,
        )
    )


def drop(tx: Transaction, place: Place, *, asset_id: str) -> None:
    """Forget an entry, unless it points to another picture by now."""
    tx.connection.execute(delete(cached_images).where(_at(place), _COLUMNS.asset_id == asset_id))


def note_use(tx: Transaction, used: Mapping[Place, int], *, now: Micros) -> None:
    """Add hits to entries."""
    for place, times in used.items():
        more = {"hits": _COLUMNS.hits + times, "used_at": now}
        tx.connection.execute(update(cached_images).where(_at(place)).values(more))


def totals(tx: Transaction, scope: str | None) -> Totals:
    """Sums over a scope and all below it, or over everything."""
    wanted = select(
        func.count(),
        func.coalesce(func.sum(_COLUMNS.bytes), 0),
        func.coalesce(func.sum(_COLUMNS.hits), 0),
        func.coalesce(func.sum(_COLUMNS.hits * _COLUMNS.cost), 0),
    ).select_from(cached_images)
    if scope is not None:
        wanted = wanted.where(under(_COLUMNS.scope, scope))
    entries, size, hits, saved = tx.connection.execute(wanted).one()
    # PostgreSQL sums 64-bit integers as Decimal.
    return Totals(entries=entries, bytes=int(size), hits=int(hits), saved=int(saved))


def clear(tx: Transaction, scope: str | None) -> int:
    """Forget entries; how many."""
    all_of_it = delete(cached_images)
    chosen = all_of_it if scope is None else all_of_it.where(under(_COLUMNS.scope, scope))
    return tx.connection.execute(chosen).rowcount


def prune(tx: Transaction, bounds: Bounds, *, now: Micros) -> int:
    """Drop what is too old, then the longest unused until the bounds are kept; how many."""
    oldest = now - int(bounds.max_age * SECOND)
    dropped = tx.connection.execute(delete(cached_images).where(_COLUMNS.made_at < oldest)).rowcount
    there = totals(tx, None)
    too_many, too_big = there.entries - bounds.max_count, there.bytes - bounds.max_bytes
    while too_many > 0 or too_big > 0:
        longest_unused = (
            select(_COLUMNS.scope, _COLUMNS.cache_key, _COLUMNS.bytes)
            .order_by(_COLUMNS.used_at, _COLUMNS.cache_key)
            .limit(_AT_ONCE)
        )
        for scope, key, size in tx.connection.execute(longest_unused).all():
            if too_many <= 0 and too_big <= 0:
                break
            dropped += tx.connection.execute(delete(cached_images).where(_at((scope, key)))).rowcount
            too_many, too_big = too_many - 1, too_big - size
    return dropped


def likest(tx: Transaction, prompt: str, *, scope: str, text: str | None) -> tuple[Asset, int] | None:
    """The picture whose prompt is likest, newest first among equals, and how many percent."""
    wanted = sketch(prompt, text)
    same_slots = (
        known_assets()
        .where(assets.c.scope == scope, assets.c.slots == slots_text(wanted), assets.c.removed_at.is_(None))
        .order_by(assets.c.made_at.desc())
        .limit(_LOOKED_AT)
    )
    best: tuple[Asset, int] | None = None
    for row in tx.connection.execute(same_slots).mappings():
        known = Sketch(words=frozenset(json.loads(row["words"])), slots=wanted.slots)
        percent = likeness(wanted, known)
        if best is None or percent > best[1]:
            best = asset_from(dict(row)), percent
    return best


def _at(place: Place) -> ColumnElement[bool]:
    scope, key = place
    return and_(_COLUMNS.scope == scope, _COLUMNS.cache_key == key)
