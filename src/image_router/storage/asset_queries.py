"""Questions about assets, asked inside a transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, insert, or_, select, update

from image_router.core.budget import Micros, from_micros
from image_router.core.errors import AssetError
from image_router.core.money import Nanos
from image_router.core.types import Purpose, Tier
from image_router.storage.asset_tables import (
    asset_blobs,
    asset_parents,
    assets,
    feedback,
    known_assets,
    under,
)
from image_router.storage.asset_values import Asset, BlobRole, Parent, Verdict, asset_from
from image_router.storage.database import Transaction

_SHORTEST_DIGEST = 8


class Unsaid(StrEnum):
    """Where the absence of feedback is asked for."""

    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which assets; every condition given must hold. `before` is the id of the last one of a page."""

    scope: str | None = None
    """With all below it."""
    since: Micros | None = None
    until: Micros | None = None
    tier: Tier | None = None
    model: str | None = None
    purpose: Purpose | None = None
    request_id: str | None = None
    least: Nanos | None = None
    """Of the cost; `most` as well."""
    most: Nanos | None = None
    feedback: Verdict | Unsaid | None = None
    warned: bool | None = None
    """Whether its checks on arrival had something to say."""
    limit: int = 50
    before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """An asset, what it was made from, and what was made from it."""

    asset: Asset
    parents: tuple[Parent, ...]
    children: tuple[Asset, ...]


def list_assets(tx: Transaction, query: Query) -> list[Asset]:
    """Newest first."""
    columns, wanted = assets.c, known_assets()
    if query.scope is not None:
        wanted = wanted.where(under(columns.scope, query.scope))
    if query.since is not None:
        wanted = wanted.where(columns.made_at >= query.since)
    if query.until is not None:
        wanted = wanted.where(columns.made_at < query.until)
    for name in ("tier", "model", "purpose", "request_id"):
        if (value := getattr(query, name)) is not None:
            wanted = wanted.where(columns[name] == value)
    wanted = wanted.where(*_judged(query))
    if query.before is not None:
        wanted = _after_page(tx, wanted, query.before)
    wanted = wanted.order_by(columns.made_at.desc(), columns.id.desc()).limit(query.limit)
    return [asset_from(dict(row)) for row in tx.connection.execute(wanted).mappings()]


def _judged(query: Query) -> Iterator[ColumnElement[bool]]:
    """What it cost, what was said of it, and whether something was amiss."""
    columns = assets.c
    if query.least is not None:
        yield columns.cost >= query.least
    if query.most is not None:
        yield columns.cost <= query.most
    if query.feedback is not None:
        unsaid = isinstance(query.feedback, Unsaid)
        yield feedback.c.verdict.is_(None) if unsaid else feedback.c.verdict == query.feedback
    if query.warned is not None:
        # Inside a JSON text every quotation mark is escaped: only the field itself can look like this.
        told = columns.details.like('%"warnings":["%')
        yield told if query.warned else columns.details.is_not(None) & ~told


def find_asset(tx: Transaction, name: str) -> tuple[Asset, bytes | None]:
    """An asset and its record, by id or the beginning of its digest. AssetError for none or several."""
    rows = _named(tx, assets.c.id == name)
    if not rows and len(name) >= _SHORTEST_DIGEST and name.isalnum():
        rows = _named(tx, assets.c.digest.startswith(name.lower()))
    if not rows:
        raise AssetError(
            f"no picture {name!r} is known; `image-router assets list` shows ids, and a digest needs "
            f"{_SHORTEST_DIGEST} digits"
        )
    if len({row["digest"] for row in rows}) > 1:
        raise AssetError(f"{name!r} begins the digests of several pictures; write more of it")
    return asset_from(rows[0]), rows[0]["record"]


def family_of(tx: Transaction, name: str) -> Family:
    """An asset with its lineage, both ways."""
    asset, _ = find_asset(tx, name)
    parents = tx.connection.execute(
        select(asset_parents).where(asset_parents.c.asset_id == asset.id).order_by(asset_parents.c.place)
    ).mappings()
    children = tx.connection.execute(
        known_assets()
        .where(
            assets.c.id.in_(select(asset_parents.c.asset_id).where(asset_parents.c.digest == asset.digest))
        )
        .order_by(assets.c.made_at, assets.c.id)
    ).mappings()
    return Family(
        asset=asset,
        parents=tuple(Parent(digest=p["digest"], role=p["role"], name=p["name"]) for p in parents),
        children=tuple(asset_from(dict(row)) for row in children),
    )


def note_thumbnail(tx: Transaction, asset_id: str, *, digest: str) -> None:
    """Remember a thumbnail, unless its picture was removed meanwhile."""
    rows = update(assets).where(assets.c.id == asset_id, assets.c.removed_at.is_(None))
    if tx.connection.execute(rows.values(thumbnail=digest)).rowcount == 0:
        return
    values = {"asset_id": asset_id, "digest": digest, "role": BlobRole.THUMBNAIL}
    there = select(asset_blobs).filter_by(**values)
    if tx.connection.execute(there).first() is None:
        tx.connection.execute(insert(asset_blobs).values(values))


def why_no_bytes(asset: Asset) -> str:
    """Why an asset's bytes are not there to be read, for an AssetError."""
    if asset.removed_at is not None:
        day = f"{from_micros(asset.removed_at):%Y-%m-%d}"
        return f"the picture {asset.id} was removed on {day} ({asset.removed_why}); it cannot be had again"
    return (
        f"the picture {asset.id} was not stored: scope {asset.scope!r} keeps metadata alone; it was handed "
        f"out on {from_micros(asset.made_at):%Y-%m-%d %H:%M} UTC"
    )


def _named(tx: Transaction, condition: Any) -> Sequence[Mapping[str, Any]]:
    newest = known_assets().where(condition).order_by(assets.c.made_at.desc()).limit(20)
    return [dict(row) for row in tx.connection.execute(newest).mappings()]


def _after_page(tx: Transaction, wanted: Select[Any], last: str) -> Select[Any]:
    columns = assets.c
    found: Row[Any] | None = tx.connection.execute(select(columns.made_at).where(columns.id == last)).first()
    if found is None:
        raise AssetError(f"no picture {last!r} is known, so no page can follow it")
    at = found.made_at
    return wanted.where(or_(columns.made_at < at, and_(columns.made_at == at, columns.id < last)))
