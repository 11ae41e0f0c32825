"""Tables of pictures, finished work and the cache; migration 2 makes them, 11 that of feedback."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    Table,
    Text,
    or_,
    select,
)

from image_router.core.scopes import within
from image_router.storage.schema import metadata

assets = Table(
    "assets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("image_index", Integer, nullable=False),
    Column("scope", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("tier", Text),
    Column("model", Text, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("digest", Text),
    Column("bytes", BigInteger, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("response_id", Text),
    Column("work_key", Text),
    Column("cache_key", Text),
    Column("provenance", Text, nullable=False),
    Column("stored", Boolean, nullable=False),
    Column("thumbnail", Text),
    Column("details", Text),
    Column("words", Text),
    Column("slots", Text),
    Column("record", LargeBinary),
    Column("removed_at", BigInteger),
    Column("removed_why", Text),
)

asset_blobs = Table(
    "asset_blobs",
    metadata,
    Column("asset_id", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("role", Text, primary_key=True),
)

asset_parents = Table(
    "asset_parents",
    metadata,
    Column("asset_id", Text, primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("name", Text),
)

feedback = Table(
    "feedback",
    metadata,
    Column("asset_id", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("said_at", BigInteger, nullable=False),
)

storing_rules = Table(
    "storing_rules",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("store", Text, nullable=False),
    Column("keep_days", Integer),
)

works = Table(
    "works",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("work_key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("lease_until", BigInteger, nullable=False),
    Column("lease_epoch", Text, nullable=False),
    Column("lease_length", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("record", LargeBinary),
)

cached_images = Table(
    "cached_images",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("cache_key", Text, primary_key=True),
    Column("asset_id", Text, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("hits", Integer, nullable=False),
)


def known_assets() -> Select[Any]:
    """Rows for `asset_from`: pictures, with what was said of them."""
    said = assets.outerjoin(feedback, feedback.c.asset_id == assets.c.id)
    return select(assets, feedback.c.verdict, feedback.c.who, feedback.c.said_at).select_from(said)


def under(column: Column[str], scope: str) -> ColumnElement[bool]:
    """Rows of a scope and of all below it."""
    low, high = within(scope)
    return or_(column == scope, (column >= low) & (column < high))
