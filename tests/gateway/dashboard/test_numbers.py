"""Every number of a page is the one of the command line and of the API."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.dashboard.people import Person
from image_router.books import open_books
from image_router.cli.app import outcome_of
from image_router.core.economics import usd
from image_router.core.money import USD, parse_usd, show_usd

DAY = "2026-11-22"
Command = Callable[..., Awaitable[Any]]


@pytest.fixture
def command(site, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`image-router … --json` on the gateway's own home; what it prints."""
    monkeypatch.setenv("IMAGE_ROUTER_OFFLINE", "1")
    monkeypatch.setenv("IMAGE_ROUTER_HOME", str(site.home))
    monkeypatch.setenv("IMAGE_ROUTER_AS_OF", DAY)

    def call(*arguments: str) -> Any:
        with CliRunner().isolation() as (out, err, _):
            assert outcome_of([*arguments, "--json"]) == 0, err.getvalue()
            return json.loads(out.getvalue())

    return lambda *arguments: asyncio.to_thread(call, *arguments)


async def _made(person: Person, **asked: Any) -> dict[str, Any]:
    body = {"prompt": "a fox", "response_format": "url", **asked}
    async with person.session.post(f"{person.url}/router/v1/images", json=body) as reply:
        assert reply.status == 200
        found: dict[str, Any] = (await reply.json())["images"][0]
        return found


async def _api(person: Person, path: str) -> Any:
    async with person.session.get(f"{person.url}/router/v1/{path}") as reply:
        assert reply.status == 200
        return await reply.json()


def _money(text: str, *, decimals: int | None = None) -> str:
    return show_usd(parse_usd(text, name="amount"), decimals=decimals)


async def test_spend_and_budgets(site, ann: Person, command: Command) -> None:
    """Total, a picture's price, tiers, days, what was saved, failures; caps spent, held and left."""
    site.emulator.faults.add("image_safety", times=1)
    async with ann.session.post(f"{ann.url}/router/v1/images", json={"prompt": "a bad fox"}) as reply:
        assert reply.status == 200
    for purpose in ("hero", "draft", "economy"):
        await _made(ann, purpose=purpose)
    async with open_books(home=site.home, offline=True) as books:
        await books.budgets.set("default", who="ann", month=USD, total=2 * USD)
    page = await ann.get("/dashboard/spend")
    month = re.search(r'name="from" type="date" value="([^"]+)"', page.html)[1]
    told, api = await command("usage", "--from", month), await _api(ann, f"usage?from={month}")
    assert told == api
    for amount in (told["total"]["spent_usd"], *(one["spent_usd"] for one in told["mix"])):
        assert _money(amount) in page.words
    for line in told["days"]:
        assert f"{line['day']} {line['images']} {_money(line['spent_usd'])}" in page.words
    assert f"{told['total']['images']} pictures, {told['total']['calls']} calls" in page.words
    caps = await command("budget", "show", "default")
    for one in caps["budgets"][0]["windows"]:
        words = (
            f"{_money(one['spent_usd'])} spent, {_money(one['held_usd'])} held, {_money(one['left_usd'])} of"
        )
        assert words in page.words


async def test_the_gallery_and_a_picture(ann: Person, command: Command) -> None:
    """Cost, size and bytes; what was set aside; whose lineage it is."""
    first = await _made(ann, purpose="hero")
    last = await _made(ann, purpose="contextual_edit", references=[{"file_id": first["asset_id"]}])
    told, api = (await command("assets", "list"))["assets"], (await _api(ann, "assets"))["assets"]
    assert [one["id"] for one in told] == [one["id"] for one in api] == [last["asset_id"], first["asset_id"]]
    wall, page = await ann.get("/dashboard/gallery"), await ann.get(f"/dashboard/pictures/{last['asset_id']}")
    for one in told:
        assert _money(one["cost_usd"]) in wall.words
    shown = await command("assets", "show", last["asset_id"])
    assert shown["cost_usd"] == api[0]["cost_usd"]
    for words in (
        _money(shown["cost_usd"]),
        shown["sha256"],
        shown["request_id"],
        f"{shown['bytes']:,} bytes",
    ):
        assert words in page.words
    assert first["asset_id"] in page.html


async def test_the_playground_quotes_as_explain_does(ann: Person, command: Command) -> None:
    """The button's price; and what a run cost is what its job says."""
    told = await command("explain", "a fox", "--purpose", "hero")
    page = await ann.get("/dashboard/playground?prompt=a+fox&purpose=hero")
    assert f"for {_money(told['candidates'][0]['quote']['expected_usd'])}" in page.words


async def test_the_economics_are_those_of_cost(ann: Person, command: Command) -> None:
    told = await command("cost", "--images", "10000")
    page = await ann.get("/dashboard/economics?images=10000")
    assert json.dumps(told).count("406.28")
    assert "$406.28" in page.words
    assert usd(406_280_000_000, decimals=2) == "$406.28"


async def test_operations_shows_the_jobs_of_the_api(ann: Person) -> None:
    """Its pictures and its cost."""
    async with ann.session.post(f"{ann.url}/router/v1/jobs", json={"prompt": "a fox", "n": 2}) as reply:
        name = (await reply.json())["id"]
    for _ in range(200):
        job = await _api(ann, f"jobs/{name}")
        if job["finished_at"]:
            break
        await asyncio.sleep(0.05)
    page = await ann.get("/dashboard/operations")
    assert f"{name} default succeeded 2 of 2 {_money(job['cost_usd'])}" in page.words
