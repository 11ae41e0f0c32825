"""Router keys: made, found, rotated, revoked, changed. Every change is kept with who made it and when.

A secret is shown once, to whoever makes or rotates the key; its SHA-256 is all that is stored. What checks
requests at speed is storage/key_ring.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, fields, replace
from hmac import compare_digest
from typing import Any, Final

from sqlalchemy import func, insert, select, update

from image_router.core.budget import SECOND, Micros
from image_router.core.errors import InvalidRequest, KeyInvalid
from image_router.core.key_limits import limits_of, meter_key
from image_router.core.key_secret import (
    ID_BYTES,
    SECRET_BYTES,
    KeySecret,
    bare_id,
    digest_of,
    key_id_of,
    new_id,
    new_secret,
)
from image_router.core.pacing import Limit, Meter, Moment, sent
from image_router.core.router_keys import KeyRules, RouterKey
from image_router.storage.database import Database, Transaction
from image_router.storage.key_counts import meters_of, running_of
from image_router.storage.key_tables import (
    KeyChange,
    StoredKey,
    change_of,
    changes,
    keys,
    rules_text,
    rules_view,
    stored_of,
)
from image_router.storage.webhooks_notices import tell_revoked

LONGEST_GRACE: Final = 90 * 86_400.0
"""Seconds the secret before a rotation may go on working: three months."""
_RULES: Final = frozenset(field.name for field in fields(KeyRules))
_NAMED_AT_MOST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key, and its secret for the one time it is known."""

    key: RouterKey
    secret: KeySecret


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """What counts against a key's limits now: `used` in the window of each limit, and requests in flight."""

    used: tuple[tuple[Limit, int], ...]
    in_flight: int


class RouterKeys:
    """The keys of one installation."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, rules: KeyRules, *, who: str) -> NewKey:
        """A new key. Its secret cannot be asked for again."""
        return await self._db.write(lambda tx: _create(tx, rules, who=who))

    async def find(self, secret: str) -> RouterKey:
        """The living key that a secret opens, straight from the database. Raises KeyInvalid."""
        key_id = key_id_of(secret)

        def job(tx: Transaction) -> RouterKey:
            return opened(stored(tx, key_id), digest_of(secret), now=tx.now.wall)

        return await self._db.read(job)

    async def get(self, key_id: str) -> RouterKey:
        """A key by its id, as lists show it. Raises InvalidRequest for an unknown one."""
        return await self._db.read(lambda tx: _known(tx, key_id).key)

    async def all(self, *, scope: str | None = None) -> tuple[RouterKey, ...]:
        """Every key, or those that pay from a scope or below it: oldest first, the revoked ones too."""
        query = select(keys).order_by(keys.c.created_at, keys.c.id)
        found = await self._db.read(
            lambda tx: tuple(stored_of(row).key for row in tx.connection.execute(query).mappings())
        )
        return tuple(key for key in found if scope is None or f"{key.rules.scope}/".startswith(f"{scope}/"))

    async def has_admin(self) -> bool:
        """Whether there is a living admin key."""

        def job(tx: Transaction) -> bool:
            living = select(keys).where(keys.c.revoked_at.is_(None))
            found = (stored_of(row).key.rules for row in tx.connection.execute(living).mappings())
            return any(r.admin and (r.expires is None or r.expires > tx.now.wall) for r in found)

        return await self._db.read(job)

    async def set(self, key_id: str, *, who: str, **rules: Any) -> RouterKey:
        """Change some of a key's rules; fields as in KeyRules. Raises InvalidRequest."""
        unknown = sorted(rules.keys() - _RULES)
        if unknown:
            raise InvalidRequest(
                f"a key has no rule {', '.join(unknown)}; it has {', '.join(sorted(_RULES))}"
            )
        return await self._db.write(lambda tx: _set(tx, key_id, rules, who=who))

    async def rotate(self, key_id: str, *, who: str, grace: float = 0.0) -> NewKey:
        """A new secret for the same key. The old one works for `grace` more seconds, one before it no longer.

        Raises InvalidRequest for a revoked or unknown key, or a grace above three months.
        """
        if not 0 <= grace <= LONGEST_GRACE:
            raise InvalidRequest(f"grace is {grace} seconds; choose 0 to {LONGEST_GRACE:,.0f} (three months)")
        return await self._db.write(lambda tx: _rotate(tx, key_id, who=who, grace=int(grace * SECOND)))

    async def revoke(self, key_id: str, *, who: str) -> RouterKey:
        """End a key for ever; doing it again changes nothing. Raises InvalidRequest for an unknown one."""
        return await self._db.write(lambda tx: _revoke(tx, key_id, who=who))

    async def history(self, key_id: str | None = None) -> tuple[KeyChange, ...]:
        """All changes of a key, or of every key, oldest first."""
        query = select(changes).order_by(changes.c.number)
        if key_id is not None:
            query = query.where(changes.c.key_id == bare_id(key_id))
        return await self._db.read(
            lambda tx: tuple(change_of(row) for row in tx.connection.execute(query).mappings())
        )

    async def use(self, key_id: str) -> KeyUse:
        """What counts against the key's limits at this moment. Raises InvalidRequest for an unknown key."""

        def job(tx: Transaction) -> KeyUse:
            key = _known(tx, key_id).key
            limits, now = (
                limits_of(key.rules),
                Moment(steady=tx.now.lease / SECOND, wall=tx.now.wall / SECOND),
            )
            found = meters_of(tx.connection, {key.id})
            used = tuple(
                (limit, sent(found.get(meter_key(key.id, limit), Meter()), limit, now=now))
                for limit in limits
            )
            return KeyUse(used=used, in_flight=running_of(tx, {key.id}).get(key.id, 0))

        return await self._db.read(job)


def stored(tx: Transaction, key_id: str) -> StoredKey | None:
    """A key by its exact id."""
    row = tx.connection.execute(select(keys).where(keys.c.id == key_id)).mappings().first()
    return stored_of(row) if row else None


def version(tx: Transaction) -> int:
    """The number of the last change of any key: writers come one by one, so it only grows."""
    return tx.connection.execute(select(func.max(changes.c.number))).scalar() or 0


def opened(found: StoredKey | None, digest: bytes, *, now: Micros) -> RouterKey:
    """The key, if a secret of this digest opens it now. Raises KeyInvalid; says why to who holds a secret."""
    if found is None:
        raise KeyInvalid(_UNKNOWN, field="secret")
    key = found.key
    if not compare_digest(digest, found.digest):
        if found.old_digest is None or not compare_digest(digest, found.old_digest):
            raise KeyInvalid(_UNKNOWN, field="secret")
        if key.old_until is None or key.old_until <= now:
            raise KeyInvalid(
                f"the secret of {key} was replaced by a new one; use that, or ask whoever rotated it",
                field="rotated",
                key_id=key.id,
            )
    key.check_alive(now)
    return key


_UNKNOWN: Final = "the router key is unknown here; check which gateway it was made for, or ask for a new one"


def _create(tx: Transaction, rules: KeyRules, *, who: str) -> NewKey:
    key_id = new_id(secrets.token_bytes(ID_BYTES))
    while stored(tx, key_id):
        key_id = new_id(secrets.token_bytes(ID_BYTES))
    secret = new_secret(key_id, secrets.token_bytes(SECRET_BYTES))
    words = rules_text(rules)
    row = {
        "id": key_id,
        "digest": secret.digest.hex(),
        "hint": secret.hint,
        "rules": words,
        "created_at": tx.now.wall,
        "created_by": who,
    }
    tx.connection.execute(insert(keys), row)
    _note(tx, key_id, what="created", who=who, new=words)
    return NewKey(key=_known(tx, key_id).key, secret=secret)


def _set(tx: Transaction, key_id: str, rules: dict[str, Any], *, who: str) -> RouterKey:
    key = _living(tx, key_id)
    new = replace(key.rules, **rules)
    before, after = rules_view(key.rules), rules_view(new)
    for field, value in after.items():
        if value != before[field]:
            _note(tx, key.id, what="set", who=who, field=field, old=_json(before[field]), new=_json(value))
    tx.connection.execute(update(keys).where(keys.c.id == key.id).values(rules=rules_text(new)))
    return _known(tx, key.id).key


def _rotate(tx: Transaction, key_id: str, *, who: str, grace: Micros) -> NewKey:
    key = _living(tx, key_id)
    secret = new_secret(key.id, secrets.token_bytes(SECRET_BYTES))
    tx.connection.execute(
        update(keys)
        .where(keys.c.id == key.id)
        .values(
            old_digest=keys.c.digest,
            old_until=tx.now.wall + grace,
            digest=secret.digest.hex(),
            hint=secret.hint,
            rotated_at=tx.now.wall,
        )
    )
    _note(tx, key.id, what="rotated", who=who, old=_json(key.hint), new=_json(secret.hint))
    return NewKey(key=_known(tx, key.id).key, secret=secret)


def _revoke(tx: Transaction, key_id: str, *, who: str) -> RouterKey:
    key = _known(tx, key_id).key
    if key.revoked_at is None:
        ended = {"revoked_at": tx.now.wall, "revoked_by": who}
        tx.connection.execute(update(keys).where(keys.c.id == key.id).values(**ended))
        _note(tx, key.id, what="revoked", who=who)
        tell_revoked(tx, key, who=who)
    return _known(tx, key.id).key


def _known(tx: Transaction, said: str) -> StoredKey:
    found = stored(tx, bare_id(said))
    if found is None:
        query = select(keys).where(keys.c.revoked_at.is_(None)).limit(_NAMED_AT_MOST)
        living = (stored_of(row).key for row in tx.connection.execute(query).mappings())
        names = ", ".join(f"{key.id} ({key.rules.name})" for key in living)
        raise InvalidRequest(f"{said!r} is no router key here; living keys are {names or 'none'}")
    return found


def _living(tx: Transaction, said: str) -> RouterKey:
    key = _known(tx, said).key
    if key.revoked_at is not None:
        raise InvalidRequest(f"{key} is revoked, and that is for ever; create another key")
    return key


def _note(tx: Transaction, key_id: str, *, what: str, who: str, **values: str | None) -> None:
    row = {"at": tx.now.wall, "key_id": key_id, "what": what, "who": who, **values}
    tx.connection.execute(insert(changes), row)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
