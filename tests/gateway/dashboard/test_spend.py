"""Spend: the ledger's sums, the same as those of the API."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from gateway.dashboard.people import Person, key_for
from image_router.books import open_books
from image_router.core.money import USD, show_usd
from image_router.gateway.dashboard.spend import month_end


async def _make(person: Person, *purposes: str, key: str = "") -> None:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    for place, purpose in enumerate(purposes):
        body = {"prompt": f"a fox {place}", "purpose": purpose}
        async with person.session.post(f"{person.url}/router/v1/images", json=body, headers=headers) as reply:
            assert reply.status == 200


async def test_nothing_spent_is_a_page(ann: Person) -> None:
    """It says so, and how to begin."""
    page = await ann.get("/dashboard/spend")
    assert "Nothing was spent" in page.words
    assert "No budget is set" in page.words


async def test_page_api_and_bill_say_the_same(site, ann: Person) -> None:
    """Total, mix and lines, to the nano-dollar."""
    await _make(ann, "hero", "draft", "economy", "economy")
    async with ann.session.get(f"{site.url}/router/v1/usage") as reply:
        usage = await reply.json()
    async with ann.session.get(f"{site.url}/router/v1/statement?by=purpose") as reply:
        lines = (await reply.json())["lines"]
    page = await ann.get("/dashboard/spend")
    total = show_usd(site.emulator.bill().total)
    assert total in page.words
    assert "4 pictures, 4 calls" in page.words
    for line in lines:
        assert show_usd(round(float(line["spent_usd"]) * USD)) in page.words
    assert usage["mix"]
    assert "50.0 %" in page.words


@pytest.mark.parametrize("by", ["purpose", "tier", "model", "scope", "size", "lane", "outcome"])
async def test_lines_are_by_what_is_asked(ann: Person, by: str) -> None:
    """Each column of a statement can be looked at."""
    await _make(ann, "economy")
    assert f"By {by}" in (await ann.get(f"/dashboard/spend?by={by}")).words


async def test_budgets_have_gauges(site, ann: Person) -> None:
    """Each cap with what is spent, held and left."""
    await _make(ann, "economy")
    async with open_books(home=site.home, offline=True) as books:
        await books.budgets.set("default", who="ann", day=USD, total=10 * USD)
    page = await ann.get("/dashboard/spend")
    assert page.html.count("<meter") == 2
    assert f"{show_usd(site.emulator.bill().total)} spent" in page.words
    assert "of $10.00 left" in page.words


async def test_an_admin_sets_caps(site, ann: Person) -> None:
    """What is named is set, what is empty stays, none takes away; the book of changes says who."""
    token = (await ann.get("/dashboard/spend")).token
    fields = {"form_token": token, "budget_scope": "acme", "day": "5", "month": "100", "total": ""}
    assert (await ann.post("/dashboard/spend", fields)).status == 303
    fields |= {"day": "", "month": "none", "total": "7.5"}
    assert (await ann.post("/dashboard/spend", fields)).status == 303
    async with open_books(home=site.home, offline=True) as books:
        found = await books.budgets.get("acme")
    assert (found.day, found.month, found.total) == (5 * USD, None, 7_500_000_000)
    assert "acme" in (await ann.get("/dashboard/spend")).words


async def test_a_prepaid_budget_is_topped_up(site, ann: Person) -> None:
    """Its total rises by what is added; nothing is offered where nothing is prepaid."""
    assert "Top up" not in (await ann.get("/dashboard/spend")).words
    async with open_books(home=site.home, offline=True) as books:
        await books.budgets.set("acme/fair", who="ann", total=5 * USD, prepaid=True, per_request=USD)
        await books.budgets.set("acme", who="ann", month=USD)
    page = await ann.get("/dashboard/spend")
    assert "acme/fair prepaid" in page.words
    assert "acme/fair : a picture at most $1.00" in page.words
    path, fields = "/dashboard/spend/top-up", {"form_token": page.token, "topped_scope": "acme/fair"}
    assert (await ann.post(path, {**fields, "amount": "2.50"})).status == 303
    assert "of $7.50 left" in (await ann.get("/dashboard/spend")).words
    for wrong in ({"amount": "-1"}, {"amount": ""}, {"amount": "1", "topped_scope": "acme"}):
        assert (await ann.post(path, {**fields, **wrong})).status == 400
    assert "of $7.50 left" in (await ann.get("/dashboard/spend")).words


async def test_only_admins_top_up(locked, bob: Person) -> None:
    """A form of their own making does nothing."""
    async with open_books(home=locked.home, offline=True) as books:
        await books.budgets.set("acme", who="ann", total=5 * USD, prepaid=True)
    await bob.sign_in(await key_for(locked.home))
    page = await bob.get("/dashboard/spend")
    assert "Top up" not in page.words
    fields = {"form_token": page.token, "topped_scope": "acme", "amount": "5"}
    assert (await bob.post("/dashboard/spend/top-up", fields)).status == 403
    assert "of $5.00 left" in (await bob.get("/dashboard/spend")).words


async def test_a_gauge_says_when_the_guard_acts(site, ann: Person) -> None:
    """From the scope's own line on; below it, where that line is."""
    await _make(ann, "hero")
    spent = site.emulator.bill().total
    async with open_books(home=site.home, offline=True) as books:
        await books.budgets.set("default", who="ann", month=spent * 2)
    page = await ann.get("/dashboard/spend")
    assert "The guard acts from 90 %" in page.words
    fields = {"form_token": page.token, "budget_scope": "default", "guard_percent": "40"}
    assert (await ann.post("/dashboard/spend", fields)).status == 303
    page = await ann.get("/dashboard/spend")
    assert "guard acts" in page.words
    assert "nothing becomes dearer" in page.words
    assert "guard percent – 40" in page.words


async def test_what_the_cache_saved_is_told(site, ann: Person) -> None:
    """What the same pictures would have cost again."""
    for _ in range(2):
        async with ann.session.post(
            f"{ann.url}/router/v1/images", json={"prompt": "a fox", "seed": 7}
        ) as reply:
            assert reply.status == 200
    saved = show_usd(site.emulator.bill().total)
    for _ in range(100):
        page = await ann.get("/dashboard/spend")
        if "Saved by the cache" in page.words:
            break
        await asyncio.sleep(0.05)
    assert f"Saved by the cache, so far {saved}" in page.words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"day": "much"}, "is not an amount in dollars"),
        ({"day": "-1"}, "must be between"),
        ({"guard_percent": "140"}, "no whole number"),
        ({}, "at least one cap"),
        ({"day": "5", "budget_scope": ""}, "name a scope"),
        ({"day": "5", "budget_scope": "a//b"}, "scope"),
        ({"day": "5", "form_token": ""}, "not believed"),
    ],
)
async def test_caps_that_make_no_sense_are_told(ann: Person, change: dict[str, str], words: str) -> None:
    """With the reason, and nothing is set."""
    token = (await ann.get("/dashboard/spend")).token
    fields = {"form_token": token, "budget_scope": "acme", **change}
    refused = await ann.post("/dashboard/spend", fields)
    assert refused.status in (400, 403)
    assert words in refused.words
    assert "No budget is set" in (await ann.get("/dashboard/spend")).words


async def test_only_admins_set_caps(locked, bob: Person) -> None:
    """Others have no form for it, and a form of their own making does nothing."""
    await bob.sign_in(await key_for(locked.home))
    page = await bob.get("/dashboard/spend")
    assert "Set caps" not in page.words
    fields = {"form_token": page.token, "budget_scope": "acme", "day": "5"}
    assert (await bob.post("/dashboard/spend", fields)).status == 403


async def test_everybody_sees_their_own_money(locked, bob: Person) -> None:
    """A key's holder sees its scope, its caps and those above it; an admin everything."""
    ours, theirs = await key_for(locked.home, scope="acme"), await key_for(locked.home, scope="other")
    await _make(bob, "economy", key=theirs)
    async with open_books(home=locked.home, offline=True) as books:
        await books.budgets.set("other", who="ann", day=USD)
    await bob.sign_in(ours)
    page = await bob.get("/dashboard/spend")
    assert "Nothing was spent" in page.words
    assert "No budget is set" in page.words
    await bob.sign_in(await key_for(locked.home, scope="ops", admin=True))
    page = await bob.get("/dashboard/spend?by=scope")
    assert "1 picture, 1 call," in page.words
    assert "other" in page.words


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2026, 11, 1), date(2026, 11, 10), 30),
        (date(2026, 2, 1), date(2026, 2, 14), 20),
        (date(2026, 11, 1), date(2026, 11, 30), None),
        (date(2026, 11, 2), date(2026, 11, 10), None),
        (date(2026, 10, 1), date(2026, 11, 10), None),
    ],
)
def test_a_month_is_forecast_from_its_days(first: date, last: date, expected: int | None) -> None:
    """Ten nano-dollars so far, at the pace of the days; only for a month that has begun and not ended."""
    assert month_end(10, first=first, last=last) == expected
