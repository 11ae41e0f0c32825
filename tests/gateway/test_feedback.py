"""Kept or rejected, over HTTP: said, taken back, listed, and never of somebody else's pictures."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.talk import Talk, holder

ASSETS = "/router/v1/assets"


@pytest.fixture
def talk(site) -> Talk:
    return Talk(site.url)


async def _made(talk: Talk, **fields: Any) -> dict[str, Any]:
    told = await talk("POST", "/router/v1/images", {"prompt": "a fox", "response_format": "url", **fields})
    assert told.status == 200, told.body
    return told.json["images"][0]


async def test_feedback_is_said_listed_and_taken_back(talk) -> None:
    """PUT says it, the list finds it, null forgets it."""
    name = (await _made(talk))["asset_id"]
    other = (await _made(talk, purpose="draft"))["asset_id"]
    said = (await talk("PUT", f"{ASSETS}/{name}/feedback", {"verdict": "kept"})).json
    assert said["feedback"]["verdict"] == "kept"
    assert (await talk("GET", f"{ASSETS}/{name}")).json["feedback"] == said["feedback"]

    async def found(query: str) -> list[str]:
        return [one["id"] for one in (await talk("GET", f"{ASSETS}?{query}")).json["assets"]]

    assert await found("feedback=kept") == [name]
    assert await found("feedback=none") == [other]
    assert await found("feedback=rejected") == []
    gone = await talk("PUT", f"{ASSETS}/{name}/feedback", {"verdict": None})
    assert (gone.status, gone.json["feedback"]) == (200, None)
    assert await found("feedback=none") == [other, name]


async def test_cost_and_checks_narrow_the_list(talk) -> None:
    """In dollars, both bounds included; what arrived as asked has no warnings."""
    made = await _made(talk)
    cost = (await talk("GET", f"{ASSETS}/{made['asset_id']}")).json["cost_usd"]
    for query, count in (
        (f"min_cost={cost}&max_cost={cost}", 1),
        ("min_cost=1", 0),
        ("max_cost=0.000001", 0),
        ("warned=false", 1),
        ("warned=true", 0),
    ):
        assert len((await talk("GET", f"{ASSETS}?{query}")).json["assets"]) == count, query


async def test_a_picture_tells_what_was_asked_and_quoted(talk) -> None:
    """So that the same can be asked again, and the quote stands beside the cost."""
    asked = {"size": "2K", "aspect": "3:4", "purpose": "hero"}
    made = await _made(talk, **asked)
    view = (await talk("GET", f"{ASSETS}/{made['asset_id']}")).json
    assert (view["asked_size"], view["asked_aspect"]) == ("2K", "3:4")
    quote = await talk("POST", "/router/v1/quote", {"prompt": "a fox", **asked})
    assert view["quote_usd"] == quote.json["per_image_usd"]


@pytest.mark.parametrize("body", [{}, {"verdict": "great"}, {"verdict": 1}, {"verdict": "kept", "why": "x"}])
async def test_what_is_no_feedback_is_refused(talk, body) -> None:
    """With the field that is wrong, and nothing said."""
    name = (await _made(talk))["asset_id"]
    assert (await talk("PUT", f"{ASSETS}/{name}/feedback", body)).status == 400
    assert (await talk("GET", f"{ASSETS}/{name}")).json["feedback"] is None


async def test_only_its_own_people_judge_a_picture(locked) -> None:
    """Another scope's picture does not exist for a key; who spoke is told."""
    ann = await holder(locked, scope="acme")
    bob = await holder(locked, scope="other")
    name = (await _made(ann))["asset_id"]
    assert (await bob("PUT", f"{ASSETS}/{name}/feedback", {"verdict": "rejected"})).status == 404
    said = (await ann("PUT", f"{ASSETS}/{name}/feedback", {"verdict": "kept"})).json["feedback"]
    assert said["who"] != "whoever reached the open gateway"
