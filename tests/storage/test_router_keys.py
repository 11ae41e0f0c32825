"""Router keys in the database: made, found, rotated, revoked, changed, and all of it remembered."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from image_router.core.budget import SECOND
from image_router.core.errors import InvalidRequest, KeyInvalid
from image_router.core.key_secret import new_secret
from image_router.core.money import USD
from image_router.core.router_keys import DollarLimit, KeyRules
from image_router.core.running import Now
from image_router.core.types import RetiredPolicy, Size, Tier
from image_router.storage import router_keys
from image_router.storage.database import Database
from image_router.storage.router_keys import RouterKeys

PLAIN = KeyRules(name="ci", scope="acme/ci")
FULL = KeyRules(
    name="Atelier für Ann ✎",
    scope="acme/studio",
    tiers=frozenset({Tier.NANO_BANANA, Tier.NANO_BANANA_PRO}),
    models=frozenset({"gemini-3-pro-image", "x"}),
    max_size=Size.K2,
    requests_per_minute=60,
    images_per_minute=120,
    dollars=DollarLimit(amount=5 * USD, seconds=3_600),
    in_flight=8,
    expires=4_000_000_000 * SECOND,
    admin=True,
    retired=RetiredPolicy.SUBSTITUTE,
)
START = Now(wall=1_800_000_000 * SECOND, lease=9_000 * SECOND, epoch="boot")


@pytest.fixture
def keys(database: Database) -> RouterKeys:
    return RouterKeys(database)


async def rows(database: Database, table: str) -> list[dict[str, Any]]:
    found = await database.read(
        lambda tx: tx.connection.exec_driver_sql(f"SELECT * FROM {table}").mappings().all()
    )
    return [dict(row) for row in found]


@pytest.mark.parametrize("rules", [PLAIN, FULL], ids=["plain", "full"])
async def test_a_key_is_found_by_its_secret(keys: RouterKeys, rules: KeyRules) -> None:
    """What was made is found by its secret and by its id, with every rule as it was given."""
    new = await keys.create(rules, who="ann")
    assert new.key.rules == rules
    assert (new.key.created_by, new.key.hint) == ("ann", new.secret.text[-4:])
    assert await keys.find(new.secret.text) == new.key
    assert await keys.get(new.key.id) == await keys.get(new.key.display) == new.key


async def test_no_secret_is_stored(database: Database, keys: RouterKeys) -> None:
    """Neither the secret nor its part of chance stands in any row; its SHA-256 does."""
    new = await keys.create(PLAIN, who="ann")
    again = await keys.rotate(new.key.id, who="ann", grace=60)
    text = json.dumps([await rows(database, "router_keys"), await rows(database, "router_key_changes")])
    for secret in (new.secret, again.secret):
        assert secret.text[12:-8] not in text
        assert secret.digest.hex() in text


async def test_other_secrets_open_nothing(keys: RouterKeys) -> None:
    """A well-formed secret of no key, and a wrong secret of a known key, are refused with the same words."""
    new = await keys.create(PLAIN, who="ann")
    said = set()
    for wrong in (new_secret("aaaaaaaa", b"x" * 32), new_secret(new.key.id, b"x" * 32)):
        with pytest.raises(KeyInvalid, match="is unknown here") as refused:
            await keys.find(wrong.text)
        said.add((str(refused.value), refused.value.key_id))
    assert len(said) == 1


async def test_rotation_ends_the_old_secret(keys: RouterKeys) -> None:
    """After a rotation the new secret opens the same key, and the old one is told that it was replaced."""
    old = await keys.create(FULL, who="ann")
    new = await keys.rotate(old.key.id, who="ben")
    assert (new.key.id, new.key.rules) == (old.key.id, FULL)
    assert await keys.find(new.secret.text) == new.key
    with pytest.raises(KeyInvalid, match="was replaced by a new one") as refused:
        await keys.find(old.secret.text)
    assert refused.value.field == "rotated"


async def test_grace_lets_both_secrets_in(address: str) -> None:
    """Within the grace old and new secret work, after it only the new; a second rotation ends the first."""
    now = [START]
    async with await Database.open(address, clock=lambda: now[0]) as database:
        keys = RouterKeys(database)
        first = await keys.create(PLAIN, who="ann")
        second = await keys.rotate(first.key.id, who="ann", grace=60)
        assert second.key.old_until == START.wall + 60 * SECOND
        now[0] = replace(START, wall=START.wall + 59 * SECOND)
        assert await keys.find(first.secret.text) == await keys.find(second.secret.text)
        now[0] = replace(START, wall=START.wall + 60 * SECOND)
        with pytest.raises(KeyInvalid, match="replaced"):
            await keys.find(first.secret.text)
        third = await keys.rotate(first.key.id, who="ann", grace=60)
        with pytest.raises(KeyInvalid, match="unknown"):
            await keys.find(first.secret.text)
        assert await keys.find(second.secret.text) == await keys.find(third.secret.text)


@pytest.mark.parametrize("grace", [-1.0, 90 * 86_400.0 + 1])
async def test_odd_graces_are_refused(keys: RouterKeys, grace: float) -> None:
    """A grace is neither negative nor longer than three months."""
    new = await keys.create(PLAIN, who="ann")
    with pytest.raises(InvalidRequest, match="three months"):
        await keys.rotate(new.key.id, who="ann", grace=grace)


async def test_revoking_is_for_ever(keys: RouterKeys) -> None:
    """A revoked key opens nothing, cannot be changed or rotated, and stays in the list; twice is once."""
    new = await keys.create(PLAIN, who="ann")
    ended = await keys.revoke(new.key.id, who="ben")
    assert ended.revoked_by == "ben"
    assert await keys.revoke(new.key.id, who="eve") == ended
    with pytest.raises(KeyInvalid, match="was revoked on"):
        await keys.find(new.secret.text)
    for change in (keys.rotate(new.key.id, who="x"), keys.set(new.key.id, who="x", admin=True)):
        with pytest.raises(InvalidRequest, match="is revoked, and that is for ever"):
            await change
    assert await keys.all() == (ended,)


async def test_expiry_is_by_the_databases_clock(address: str) -> None:
    """A key works until the moment its rules name, on the clock of the database."""
    now = [START]
    async with await Database.open(address, clock=lambda: now[0]) as database:
        keys = RouterKeys(database)
        new = await keys.create(replace(PLAIN, expires=START.wall + 1), who="ann")
        assert await keys.find(new.secret.text)
        now[0] = replace(START, wall=START.wall + 1)
        with pytest.raises(KeyInvalid, match="expired on 2027-01-15"):
            await keys.find(new.secret.text)


async def test_rules_are_changed_one_by_one(keys: RouterKeys) -> None:
    """What is named changes, the rest stays, and the secret too; unknown and odd rules change nothing."""
    new = await keys.create(PLAIN, who="ann")
    changed = await keys.set(new.key.id, who="ben", max_size=Size.K1, in_flight=2)
    assert changed.rules == replace(PLAIN, max_size=Size.K1, in_flight=2)
    assert await keys.find(new.secret.text) == changed
    for wrong in ({"colour": "red"}, {"in_flight": 0}):
        with pytest.raises(InvalidRequest):
            await keys.set(new.key.id, who="ben", **wrong)
    assert await keys.get(new.key.id) == changed


async def test_history_tells_who_did_what(keys: RouterKeys) -> None:
    """Each change has its number, moment and author: fields from and to, secrets by their last characters."""
    new = await keys.create(PLAIN, who="ann")
    other = await keys.create(FULL, who="zoe")
    await keys.set(new.key.id, who="ben", max_size=Size.K1, name="ci 2")
    await keys.set(new.key.id, who="ben", max_size=Size.K1)
    again = await keys.rotate(new.key.id, who="cat")
    await keys.revoke(new.key.id, who="dan")
    told = await keys.history(new.key.display)
    assert [(one.what, one.who, one.field, one.old, one.new) for one in told] == [
        ("created", "ann", None, None, told[0].new),
        ("set", "ben", "name", '"ci"', '"ci 2"'),
        ("set", "ben", "max_size", "null", '"1K"'),
        ("rotated", "cat", None, f'"{new.key.hint}"', f'"{again.key.hint}"'),
        ("revoked", "dan", None, None, None),
    ]
    assert json.loads(told[0].new or "")["scope"] == "acme/ci"
    assert [one.number for one in await keys.history()] == [1, 2, 3, 4, 5, 6]
    assert len(await keys.history(other.key.id)) == 1


async def test_lists_are_by_scope(keys: RouterKeys) -> None:
    """A list of a scope holds its keys and those below it, not those of a similar name."""
    for scope in ("acme", "acme/ci", "acme/cinema", "other"):
        await keys.create(replace(PLAIN, scope=scope), who="ann")
    assert len(await keys.all()) == 4
    assert {key.rules.scope for key in await keys.all(scope="acme")} == {"acme", "acme/ci", "acme/cinema"}
    assert {key.rules.scope for key in await keys.all(scope="acme/ci")} == {"acme/ci"}


async def test_unknown_keys_are_answered_with_the_living(keys: RouterKeys) -> None:
    """A misspelt id is refused with the ids and names there are."""
    with pytest.raises(InvalidRequest, match="'nobody' is no router key here; living keys are none"):
        await keys.get("nobody")
    new = await keys.create(PLAIN, who="ann")
    with pytest.raises(InvalidRequest, match=rf"living keys are {new.key.id} \(ci\)"):
        await keys.revoke("production", who="ann")


async def test_the_first_admin_is_noticed(keys: RouterKeys) -> None:
    """There is an admin as long as a living key is one."""
    assert not await keys.has_admin()
    await keys.create(PLAIN, who="ann")
    await keys.create(replace(FULL, expires=1), who="ann")
    assert not await keys.has_admin()
    admin = await keys.create(replace(PLAIN, admin=True), who="ann")
    assert await keys.has_admin()
    await keys.revoke(admin.key.id, who="ann")
    assert not await keys.has_admin()


async def test_ids_are_never_given_twice(keys: RouterKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where chance repeats an id, another one is drawn."""
    drawn = iter([b"a" * 5, b"s" * 32, b"a" * 5, b"b" * 5, b"t" * 32])
    monkeypatch.setattr(router_keys.secrets, "token_bytes", lambda size: next(drawn))
    one, other = [(await keys.create(PLAIN, who="ann")).key.id for _ in range(2)]
    assert one != other
