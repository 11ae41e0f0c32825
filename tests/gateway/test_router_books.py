"""Statements, usage and budgets over HTTP: everybody sees their own, admins change."""

from __future__ import annotations

import csv
import io

import pytest

from gateway.talk import Talk, holder


@pytest.fixture
def talk(site) -> Talk:
    return Talk(site.url)


async def _spend(talk: Talk, **fields: object) -> None:
    told = await talk("POST", "/router/v1/images", {"prompt": "a fox", "response_format": "url", **fields})
    assert told.status == 200, told.body


async def test_a_statement_adds_up(talk) -> None:
    """Lines by two columns, and their sum; as CSV the same lines."""
    await _spend(talk, scope="acme/a")
    await _spend(talk, scope="acme/b", purpose="hero")
    told = (await talk("GET", "/router/v1/statement?by=scope&by=tier&scope=acme")).json
    assert [line["scope"] for line in told["lines"]] == ["acme/a", "acme/b"]
    assert told["total"]["images"] == 2
    for way in ({"path": "&format=csv"}, {"path": "", "accept": "text/csv"}):
        path = "/router/v1/statement?by=scope,tier&scope=acme" + way.pop("path")
        text = (await talk("GET", path, **way)).body.decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["spent_usd"] for row in rows] == [line["spent_usd"] for line in told["lines"]]


async def test_usage_tells_the_mix(talk) -> None:
    """Shares beside the target, days, and what all-Pro would have cost."""
    await _spend(talk)
    told = (await talk("GET", "/router/v1/usage")).json
    assert told["total"]["images"] == 1
    assert {one["tier"] for one in told["mix"]} >= {"nano_banana"}
    assert (await talk("GET", "/router/v1/usage?format=csv")).body.startswith(b"day,calls")


@pytest.mark.parametrize(
    "asked",
    ["by=colour", "by=tier&by=tier", "from=x", "zone=Mars", "format=pdf", "from=2026-02-02&to=2026-01-01"],
)
async def test_odd_periods_are_refused(talk, asked) -> None:
    """400, never an empty statement for a mistake."""
    assert (await talk("GET", f"/router/v1/statement?{asked}")).status == 400


async def test_a_key_sees_its_own_money(locked) -> None:
    """Its scope and below, whoever else spends; a foreign scope is a 403."""
    mine, other = await holder(locked), await holder(locked, scope="other")
    await _spend(mine)
    await _spend(other)
    told = (await mine("GET", "/router/v1/statement?by=scope")).json
    assert [line["scope"] for line in told["lines"]] == ["acme"]
    assert (await mine("GET", "/router/v1/usage?scope=other")).status == 403


async def test_a_budget_is_set_changed_topped_up_and_taken_away(talk) -> None:
    """PUT says all, PATCH some; every change is kept with who made it."""
    path = "/router/v1/budgets/acme%2Fevents"
    made = await talk("PUT", path, {"day_usd": "5", "alerts": [50, 80], "zone": "Europe/Berlin"})
    assert (made.status, made.json["day_usd"], made.json["alerts"]) == (200, "5", [50, 80])
    assert made.json["windows"][0]["left_usd"] == "5"
    changed = (await talk("PATCH", path, {"day_usd": None, "month_usd": 100})).json
    assert (changed["day_usd"], changed["month_usd"], changed["alerts"]) == (None, "100", [50, 80])
    prepaid = (await talk("PUT", path, {"total_usd": "10", "prepaid": True})).json
    assert (prepaid["month_usd"], prepaid["alerts"], prepaid["prepaid"]) == (None, [], True)
    more = {"scope": "acme/events", "amount_usd": "2.50"}
    assert (await talk("POST", "/router/v1/budget-top-ups", more)).json["total_usd"] == "12.5"
    assert (await talk("DELETE", path)).status == 200
    assert (await talk("GET", path)).status == 404
    told = (await talk("GET", "/router/v1/budget-changes?scope=acme/events")).json["changes"]
    assert ("total_usd", "10", "12.5") in [(one["field"], one["old"], one["new"]) for one in told]
    assert {one["who"] for one in told} == {"whoever reached the open gateway"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"day": "5"}, "day"),
        ({"day_usd": "five"}, "day_usd"),
        ({"day_usd": True}, "day_usd"),
        ({"alerts": "80"}, "alerts"),
        ({"guard_percent": 1.5}, "guard_percent"),
        ({"zone": 3}, "zone"),
        ({"zone": "Mars"}, None),
        ({"prepaid": True}, None),
    ],
)
async def test_a_wrong_budget_is_refused(talk, body, param) -> None:
    """400 that names the field, and nothing is set."""
    told = await talk("PUT", "/router/v1/budgets/acme", body)
    assert (told.status, told.json["error"]["param"]) == (400, param)
    assert (await talk("GET", "/router/v1/budgets")).json["budgets"] == []


async def test_a_key_sees_what_binds_it_and_changes_nothing(locked) -> None:
    """Caps above, its own and below; others are not there; PUT needs an admin key."""
    admin = await holder(locked, scope="desk", admin=True)
    mine = await holder(locked, scope="acme/shop")
    for scope in ("acme", "acme/shop", "acme/other", "zoo"):
        told = await admin("PUT", f"/router/v1/budgets/{scope}", {"day_usd": "5"})
        assert told.status == 200
    seen = (await mine("GET", "/router/v1/budgets")).json["budgets"]
    assert [one["scope"] for one in seen] == ["acme", "acme/shop"]
    assert [one["scope"] for one in (await mine("GET", "/router/v1/budgets/acme/shop")).json["budgets"]] == [
        "acme",
        "acme/shop",
    ]
    assert (await mine("GET", "/router/v1/budgets/zoo")).status == 404
    assert (await mine("PUT", "/router/v1/budgets/acme/shop", {"day_usd": "500"})).status == 403
    assert (await mine("GET", "/router/v1/budget-changes")).json["changes"][0]["scope"] == "acme/shop"
