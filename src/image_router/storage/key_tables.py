"""Tables of router keys and their rows as values; migration 4 makes them."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import BigInteger, Column, RowMapping, Table, Text

from image_router.core.budget import Micros
from image_router.core.router_keys import DollarLimit, KeyRules, RouterKey, tiers_of
from image_router.core.types import RetiredPolicy, Size
from image_router.storage.schema import metadata

keys = Table(
    "router_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("rules", Text, nullable=False),
    Column("old_digest", Text),
    Column("old_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("rotated_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("revoked_by", Text),
)

changes = Table(
    "router_key_changes",
    metadata,
    Column("number", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("field", Text),
    Column("old", Text),
    Column("new", Text),
)

meters = Table(
    "router_key_meters",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("limit_name", Text, primary_key=True),
    Column("state", Text, nullable=False),
)

flights = Table(
    "router_key_flights",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key with the digests of the secrets that open it."""

    key: RouterKey
    digest: bytes
    old_digest: bytes | None


def stored_of(row: RowMapping) -> StoredKey:
    key = RouterKey(
        id=row["id"],
        rules=rules_of(row["rules"]),
        hint=row["hint"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        rotated_at=row["rotated_at"],
        old_until=row["old_until"],
        revoked_at=row["revoked_at"],
        revoked_by=row["revoked_by"],
    )
    old = row["old_digest"]
    return StoredKey(
        key=key, digest=bytes.fromhex(row["digest"]), old_digest=bytes.fromhex(old) if old else None
    )


def rules_view(rules: KeyRules) -> dict[str, Any]:
    """The rules as plain JSON: lists sorted, dollars as nano-dollars and seconds, the end in microseconds."""
    view: dict[str, Any] = {field.name: getattr(rules, field.name) for field in fields(rules)}
    for name in ("tiers", "models"):
        view[name] = None if view[name] is None else sorted(view[name])
    if rules.dollars is not None:
        view["dollars"] = {"amount": rules.dollars.amount, "seconds": rules.dollars.seconds}
    return view


def rules_text(rules: KeyRules) -> str:
    return json.dumps(rules_view(rules), ensure_ascii=False)


def rules_of(text: str) -> KeyRules:
    stored = json.loads(text)
    tiers, models, dollars = stored["tiers"], stored["models"], stored["dollars"]
    return KeyRules(
        **{
            **stored,
            "tiers": None if tiers is None else tiers_of(tiers),
            "models": None if models is None else frozenset(models),
            "max_size": None if stored["max_size"] is None else Size(stored["max_size"]),
            "dollars": None if dollars is None else DollarLimit(**dollars),
            "retired": RetiredPolicy(stored["retired"]),
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """What was done to a key. `old` and `new` are JSON, of the field that `set` changed."""

    number: int
    at: Micros
    who: str
    key_id: str
    what: str
    """created, set, rotated or revoked."""
    field: str | None = None
    old: str | None = None
    new: str | None = None


def change_of(row: RowMapping) -> KeyChange:
    return KeyChange(**row)
