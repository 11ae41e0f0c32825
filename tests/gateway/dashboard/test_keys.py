"""Keys: made and shown once, changed, rotated and ended on pages, by admins alone."""

from __future__ import annotations

import re

import pytest

from gateway.dashboard.people import Person, Seen, key_for
from image_router.books import open_books
from image_router.core.router_keys import RouterKey
from image_router.core.types import Size, Tier

PATH = "/dashboard/keys"


@pytest.fixture
async def admin(locked, bob: Person) -> Person:
    """Bob with an admin key."""
    await bob.sign_in(await key_for(locked.home, name="boss", scope="ops", admin=True))
    return bob


async def _made(admin: Person, **fields: str) -> Seen:
    token = (await admin.get(PATH)).token
    tiers = {f"tier-{tier}": "on" for tier in Tier}
    return await admin.post(PATH, {"form_token": token, "name": "shop", "scope": "acme", **tiers, **fields})


async def _key(home, name: str = "shop") -> RouterKey:
    async with open_books(home=home, offline=True) as books:
        return next(key for key in await books.keys.all() if key.rules.name == name)


def _secret(page: Seen) -> str:
    return re.search(r'id="secret">([^<]+)<', page.html)[1]


async def test_a_secret_is_shown_once_and_works(locked, admin: Person) -> None:
    """On the answer that made it, and on no other page."""
    page = await _made(admin)
    secret = _secret(page)
    assert "no-store" in page.headers["cache-control"]
    key = await _key(locked.home)
    for path in (PATH, f"{PATH}/{key.id}"):
        shown = await admin.get(path)
        assert key.display in shown.html
        assert secret not in shown.html
    headers = {"authorization": f"Bearer {secret}"}
    async with admin.session.get(f"{admin.url}/router/v1/key", headers=headers) as reply:
        assert (await reply.json())["name"] == "shop"


async def test_rules_are_what_the_form_says(locked, admin: Person) -> None:
    """Every field of it; what is left empty is no limit, and all tiers are no rule."""
    page = await _made(
        admin,
        requests_per_minute="60",
        images_per_minute="20",
        in_flight="4",
        dollars="12.50",
        window="3600",
        max_size="2K",
        expires="2099-01-31",
        models="gemini-3-pro-image, gemini-nano-banana-2.1",
    )
    assert page.status == 200
    rules = (await _key(locked.home)).rules
    assert (rules.requests_per_minute, rules.images_per_minute, rules.in_flight) == (60, 20, 4)
    assert str(rules.dollars) == "$12.50 per hour"
    assert rules.max_size is Size.K2
    assert rules.models == {"gemini-3-pro-image", "gemini-nano-banana-2.1"}
    assert rules.tiers is None
    assert rules.expires is not None
    assert not rules.admin


async def test_rules_are_changed_and_the_book_says_who(locked, admin: Person) -> None:
    """Only what differs; emptied fields take a rule away."""
    await _made(admin, requests_per_minute="60")
    key = await _key(locked.home)
    path = f"{PATH}/{key.id}"
    token = (await admin.get(path)).token
    fields = {
        "form_token": token,
        "name": "shop",
        "scope": "acme",
        "in_flight": "2",
        "tier-nano_banana": "on",
    }
    assert (await admin.post(path, fields)).status == 303
    rules = (await _key(locked.home)).rules
    assert (rules.requests_per_minute, rules.in_flight, rules.tiers) == (None, 2, {Tier.NANO_BANANA})
    words = (await admin.get(path)).words
    assert "set requests per minute 60" in words
    assert "boss" in words


async def test_a_rotated_key_has_another_secret(locked, admin: Person) -> None:
    """The old one ends at once where no grace is asked for."""
    old = _secret(await _made(admin))
    key = await _key(locked.home)
    token = (await admin.get(f"{PATH}/{key.id}")).token
    new = _secret(await admin.post(f"{PATH}/{key.id}/rotate", {"form_token": token, "grace": "0"}))
    assert new != old
    for secret, status in ((new, 200), (old, 401)):
        headers = {"authorization": f"Bearer {secret}"}
        async with admin.session.get(f"{admin.url}/router/v1/key", headers=headers) as reply:
            assert reply.status == status


async def test_a_key_is_revoked_after_a_question(locked, admin: Person) -> None:
    """Then it is refused everywhere, and has no form any more."""
    secret = _secret(await _made(admin))
    key = await _key(locked.home)
    question = await admin.get(f"{PATH}/{key.id}/revoke")
    assert "Revoke the key of shop?" in question.words
    assert (await admin.post(f"{PATH}/{key.id}/revoke", {"form_token": question.token})).status == 303
    headers = {"authorization": f"Bearer {secret}"}
    async with admin.session.get(f"{admin.url}/router/v1/key", headers=headers) as reply:
        assert reply.status == 401
    assert "Save the rules" not in (await admin.get(f"{PATH}/{key.id}")).words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "needs a name and a scope"),
        ({"scope": "a//b"}, "not a path"),
        ({"requests_per_minute": "many"}, "no whole number"),
        ({"dollars": "much"}, "dollars"),
        ({"expires": "2001-01-01"}, "has passed"),
        ({"expires": "soon"}, "is no day"),
        ({"form_token": ""}, "not believed"),
    ],
)
async def test_what_makes_no_sense_is_told(locked, admin: Person, change: dict[str, str], words: str) -> None:
    """With the reason; no key is made."""
    refused = await _made(admin, **change)
    assert refused.status in (400, 403)
    assert words in refused.words
    async with open_books(home=locked.home, offline=True) as books:
        assert [key.rules.name for key in await books.keys.all()] == ["boss"]


async def test_others_see_no_keys(locked, bob: Person) -> None:
    """No page, no form, no entry in the navigation; a form of their own making does nothing."""
    await bob.sign_in(await key_for(locked.home))
    router = await bob.get("/dashboard/router")
    assert PATH not in router.html
    for path in (PATH, "/dashboard/settings", "/dashboard/settings/profiles/default"):
        assert (await bob.get(path)).status == 403
    fields = {"form_token": router.token, "name": "mine", "scope": "acme", "admin": "on"}
    assert (await bob.post(PATH, fields)).status == 403
