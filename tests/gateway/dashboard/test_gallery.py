"""The gallery: pages of pictures, one picture with its lineage, and its removal."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.dashboard.people import Person, key_for
from image_router.core.money import USD, show_usd


async def _made(person: Person, prompt: str, *, key: str = "", **asked: Any) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    body = {"prompt": prompt, "response_format": "url", **asked}
    async with person.session.post(f"{person.url}/router/v1/images", json=body, headers=headers) as reply:
        view = await reply.json()
        assert reply.status == 200, view
        return view["images"][0]


async def test_an_empty_gallery_says_what_to_do(ann: Person) -> None:
    """Nothing made yet, and no picture under these filters, are two things."""
    assert "Nothing has been made yet" in (await ann.get("/dashboard/gallery")).words
    assert "No picture is like that" in (await ann.get("/dashboard/gallery?tier=nano_banana")).words


async def test_pages_hold_every_picture_once(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newest first, each page leading to the older one, with the filters kept."""
    monkeypatch.setattr("image_router.gateway.dashboard.gallery._PAGE", 3)
    ids = [(await _made(ann, f"a fox {place}"))["asset_id"] for place in range(7)]
    await _made(ann, "a draft", purpose="draft")
    found, path = [], "/dashboard/gallery?purpose=economy"
    while path:
        part = await ann.get(path, **{"x-part": "fragment"})
        assert "<html" not in part.html
        found += re.findall(r'href="/dashboard/pictures/([^"/?]+)"', part.html)
        more = re.search(r'href="([^"]+)" data-more', part.html)
        path = more[1].replace("&amp;", "&") if more else None
    assert found == ids[::-1]


async def test_a_picture_tells_all_that_the_api_knows(ann: Person) -> None:
    """Model, cost, rule, digest and size are those of the API's view."""
    made = await _made(ann, "a bottle <b>", purpose="hero")
    async with ann.session.get(f"{ann.url}/router/v1/assets/{made['asset_id']}") as reply:
        view = await reply.json()
    page = await ann.get(f"/dashboard/pictures/{made['asset_id']}")
    nanos = round(float(view["cost_usd"]) * USD)
    told = ("model", "rule", "policy", "sha256", "request_id", "made_at", "prompt", "media_type")
    for words in (show_usd(nanos), *(view[name] for name in told)):
        assert words in page.words
    assert "<b>" not in page.html.replace('<b class="tier-name">', "").replace("<b>$", "")
    assert "job=own&amp;purpose=hero&amp;prompt=a+bottle" in page.html
    for amount in (view["quote_usd"], view["cost_usd"]):
        assert show_usd(round(float(amount) * USD)) in page.words


async def test_lineage_leads_both_ways(ann: Person) -> None:
    """From an edit to what it was made from, and back."""
    first = (await _made(ann, "a hut"))["asset_id"]
    second = (await _made(ann, "the hut at night", references=[{"file_id": first}]))["asset_id"]
    assert f'href="/dashboard/pictures/{first}"' in (await ann.get(f"/dashboard/pictures/{second}")).html
    assert f'href="/dashboard/pictures/{second}"' in (await ann.get(f"/dashboard/pictures/{first}")).html


async def test_more_like_it_fills_the_playground(ann: Person) -> None:
    """Words, size, shape, purpose, and the reference it was made from."""
    first = (await _made(ann, "a hut"))["asset_id"]
    again = {"references": [{"file_id": first, "role": "character"}], "aspect": "3:4", "size": "2K"}
    second = (await _made(ann, "the hut at night", **again))["asset_id"]
    page = await ann.get(f"/dashboard/pictures/{second}")
    link = re.search(r'href="(/dashboard/playground\?[^"]+)">Make more like this', page.html)[1]
    filled = await ann.get(link.replace("&amp;", "&"))
    assert "the hut at night</textarea>" in filled.html
    for control in ("2K", "3:4", "economy", "character"):
        assert f'<option value="{control}" selected>' in filled.html
    assert f'name="ref0" value="{first}"' in filled.html


async def test_feedback_is_said_on_the_page_and_found_by_it(ann: Person) -> None:
    """The form's token is needed; a second press takes it back; the gallery filters by it."""
    name = (await _made(ann, "a fox"))["asset_id"]
    path = f"/dashboard/pictures/{name}"
    token = (await ann.get(path)).token
    assert (await ann.post(f"{path}/feedback", {"verdict": "kept"})).status == 403
    said = {"form_token": token, "verdict": "kept", "next": path}
    kept = await ann.post(f"{path}/feedback", said)
    assert (kept.status, kept.headers["location"]) == (303, path)
    assert "Said by whoever reached the open gateway" in (await ann.get(path)).words
    assert name in (await ann.get("/dashboard/gallery?feedback=kept")).html
    assert name not in (await ann.get("/dashboard/gallery?feedback=none")).html
    part = await ann.post(f"{path}/feedback", {**said, "verdict": ""}, **{"x-part": "fragment"})
    assert 'aria-pressed="true"' not in part.html
    assert name in (await ann.get("/dashboard/gallery?feedback=none")).html
    assert (await ann.post(f"{path}/feedback", {**said, "verdict": "great"})).status == 400
    away = await ann.post(f"{path}/feedback", {**said, "next": "https://elsewhere.example/"})
    assert away.headers["location"] == "/dashboard/router"


async def test_every_filter_narrows_the_wall(ann: Person) -> None:
    """Cost, checks, model, purpose and day; all of them together."""
    made = await _made(ann, "a fox")
    for query, found in (
        ("min_cost=0.01&max_cost=1", True),
        ("min_cost=1", False),
        ("warned=false", True),
        ("warned=true", False),
        (f"model={made['model']}", True),
        ("model=nobody", False),
        ("to=2020-01-01", False),
        ("purpose=economy&tier=nano_banana&feedback=none&warned=false&max_cost=1", True),
    ):
        page = await ann.get(f"/dashboard/gallery?{query}")
        assert (made["asset_id"] in page.html) is found, query
        assert "Show all" in page.words


async def test_attempts_tell_what_was_charged(ann: Person, site) -> None:
    """A call that failed stands beside the one that came."""
    site.emulator.faults.add("overloaded", times=1)
    name = (await _made(ann, "a fox"))["asset_id"]
    page = await ann.get(f"/dashboard/pictures/{name}")
    assert page.words.count("gemini-3.1-flash-lite-image") >= 3
    assert "image output:" in page.words
    assert "not judged" in page.words


async def test_a_picture_is_deleted_after_a_question(ann: Person) -> None:
    """Without the form's token nothing goes; afterwards the bytes are gone and the facts are there."""
    name = (await _made(ann, "a fox"))["asset_id"]
    question = await ann.get(f"/dashboard/pictures/{name}/remove")
    assert "Delete this picture?" in question.words
    path = f"/dashboard/pictures/{name}/remove"
    assert (await ann.post(path, {})).status == 403
    assert "thumbnail" in (await ann.get("/dashboard/gallery")).html
    gone = await ann.post(path, {"form_token": question.token})
    assert (gone.status, gone.headers["location"]) == (303, f"/dashboard/pictures/{name}")
    page = await ann.get(f"/dashboard/pictures/{name}")
    assert "Removed on" in page.words
    assert (await ann.get(f"/dashboard/pictures/{name}/content")).status == 410
    assert "not kept" in (await ann.get("/dashboard/gallery")).words


async def test_everybody_sees_their_own(locked, bob: Person) -> None:
    """Another scope's pictures are neither listed nor shown nor removed; an admin sees all."""
    ours = await key_for(locked.home, scope="acme")
    theirs = await key_for(locked.home, scope="other")
    name = (await _made(bob, "a secret", key=theirs))["asset_id"]
    await bob.sign_in(ours)
    assert "Nothing has been made yet" in (await bob.get("/dashboard/gallery")).words
    for tail in ("", "/content", "/thumbnail", "/remove"):
        assert (await bob.get(f"/dashboard/pictures/{name}{tail}")).status == 404
    assert (await bob.get("/dashboard/gallery?scope=other")).status == 403
    await bob.sign_in(await key_for(locked.home, scope="ops", admin=True))
    assert name in (await bob.get("/dashboard/gallery")).html


@pytest.mark.parametrize(
    "query",
    [
        "tier=gold",
        "feedback=great",
        "min_cost=x",
        "warned=perhaps",
        "purpose=fun",
        "from=now",
        "before=nobody",
        "from=2026-02-02&to=2026-01-01",
    ],
)
async def test_what_cannot_be_listed_is_told(ann: Person, query: str) -> None:
    """As a page, with the reason."""
    reply = await ann.get(f"/dashboard/gallery?{query}")
    assert reply.status in (400, 404)
    assert "Back to Gallery" in reply.words
