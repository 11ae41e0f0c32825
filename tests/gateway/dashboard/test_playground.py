"""The playground over plain HTTP: prices before, jobs after, references by name, all without scripts."""

from __future__ import annotations

import asyncio
import io
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
from PIL import Image

from gateway.dashboard.people import Person, Seen, key_for
from image_router.books import open_books
from image_router.core.money import USD, show_usd
from image_router.core.storing import StoreMode
from image_router.storage.storing_rules import StoringRule

PATH = "/dashboard/playground"


def _png(colour: tuple[int, int, int] = (200, 90, 60)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (120, 80), colour).save(out, "PNG")
    return out.getvalue()


def _fields(page: Seen) -> dict[str, str]:
    """The hidden fields of the form that makes."""
    form = page.html[page.html.index("data-make") :]
    form = form[: form.index("</form>")]
    found = re.findall(r'name="([^"]+)" value="([^"]*)"', form)
    return {name: value.replace("&#39;", "'").replace("&amp;", "&") for name, value in found}


async def _bring(person: Person, token: str, *files: bytes, **fields: str) -> Seen:
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in {"form_token": token, **fields}.items():
        form.add_field(name, value)
    for data in files:
        form.add_field("files", data, filename="a.png", content_type="image/png")
    target = f"{person.url}{PATH}/references"
    async with person.session.post(target, data=form, allow_redirects=False) as reply:
        return Seen(reply.status, await reply.text(), reply.headers)


async def _ended(person: Person, run: str) -> Seen:
    while True:
        seen = await person.get(f"{PATH}/run?{urlencode({'run': run})}", **{"x-part": "fragment"})
        if "data-over" in seen.html:
            return seen
        await asyncio.sleep(0.1)


async def _make(person: Person, query: str) -> tuple[str, Seen]:
    """Press the button of these controls; the run's name, and the page it ends with."""
    page = await person.get(f"{PATH}?{query}")
    sent = await person.post(PATH, _fields(page))
    assert sent.status == 303, sent.words
    run = parse_qs(urlsplit(sent.headers["location"]).query)["run"][0]
    return run, await _ended(person, run)


async def _quote(person: Person, **asked: Any) -> str:
    async with person.session.post(f"{person.url}/router/v1/quote", json=asked) as reply:
        return show_usd(round(float((await reply.json())["expected_usd"]) * USD))


async def test_the_price_is_that_of_the_api(ann: Person) -> None:
    """For one kind, for each tier of a comparison, and for a whole chain."""
    one = await ann.get(f"{PATH}?mode=make&prompt=a+fox&images=3&purpose=hero&size=2K")
    price = await _quote(ann, prompt="a fox", n=3, purpose="hero", size="2K")
    assert f"Make 3 pictures for {price}" in one.words
    both = await ann.get(f"{PATH}?mode=compare&prompt=a+fox&nano_banana=on&nano_banana_pro=on")
    for tier in ("nano_banana", "nano_banana_pro"):
        assert await _quote(ann, prompt="a fox", tier=tier) in both.words
    chain = await ann.get(f"{PATH}?mode=chain&prompt=a+fox&variants=at+sea%0Aat+home")
    price = await _quote(ann, prompt="a fox", variants=["at sea", "at home"])
    assert f"Make 3 pictures for {price}" in chain.words


async def test_a_tier_that_cannot_says_why_beside_the_others(ann: Person) -> None:
    """The button counts those that can."""
    page = await ann.get(f"{PATH}?mode=compare&prompt=a+fox&size=4K&nano_banana=on&nano_banana_pro=on")
    assert "1 tier side by side" in page.words
    assert "Make 1 picture for" in page.words
    assert re.search(r'class="tier-nano_banana lost"', page.html)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("prompt=", "the prompt is empty"),
        ("mode=chain&prompt=a+fox", "at least one variant"),
        ("mode=compare&prompt=a+fox", "Choose the tiers"),
        ("prompt=a+fox&tier=nano_banana&size=4K", "Nobody can take this job"),
    ],
)
async def test_what_cannot_be_made_has_no_button(ann: Person, query: str, words: str) -> None:
    """The reason stands where the button would."""
    page = await ann.get(f"{PATH}?{query}")
    assert page.status == 200
    assert words in page.words
    assert "data-make" not in page.html


@pytest.mark.parametrize(
    "query", ["mode=fun", "tier=gold", "images=99", "size=8K", "ref0=req_0.0", "ref0=up.x"]
)
async def test_odd_controls_are_refused(ann: Person, query: str) -> None:
    """As a page, with the reason."""
    assert (await ann.get(f"{PATH}?{query}")).status in (400, 404)


async def test_a_comparison_is_made_tier_by_tier(ann: Person, site) -> None:
    """Each at its own price, with time, size and what is known; the sum is the bill."""
    _, seen = await _make(ann, "mode=compare&prompt=a+fox&nano_banana=on&gemini_31_flash_image=on")
    assert "2 pictures made" in seen.words
    assert seen.words.count("not judged") == 4
    assert seen.words.count("whole, nothing amiss") == 2
    assert len(re.findall(r"Time \d+\.\d s", seen.words)) == 2
    assert f"{show_usd(site.emulator.bill().total)} paid" in seen.words
    ids = re.findall(r'href="/dashboard/pictures/([^"]+)"', seen.html)
    tiers = []
    for name in ids:
        async with ann.session.get(f"{ann.url}/router/v1/assets/{name}") as reply:
            tiers.append((await reply.json())["tier"])
    assert tiers == ["gemini_31_flash_image", "nano_banana"]


async def test_a_form_that_is_sent_twice_is_made_once(ann: Person, site) -> None:
    """The same run, the same bill."""
    page = await ann.get(f"{PATH}?mode=compare&prompt=a+fox&nano_banana=on&nano_banana_pro=on")
    first, second = [await ann.post(PATH, _fields(page)) for _ in range(2)]
    assert first.headers["location"] == second.headers["location"]
    run = parse_qs(urlsplit(first.headers["location"]).query)["run"][0]
    seen = await _ended(ann, run)
    assert f"{show_usd(site.emulator.bill().total)} paid" in seen.words


async def test_a_chain_is_one_character(ann: Person) -> None:
    """A reference, then what was made from it; the whole quote stands above."""
    run, seen = await _make(ann, "mode=chain&prompt=a+fox&variants=at+sea%0Aat+home")
    assert run.startswith("chain_")
    assert "3 pictures made" in seen.words
    for title in ("Reference: a fox", "Variant 1: at sea", "Variant 2: at home"):
        assert title in seen.words
    first, *others = re.findall(r'href="/dashboard/pictures/([^"]+)"', seen.html)
    page = await ann.get(f"/dashboard/pictures/{others[-1]}")
    assert f'href="/dashboard/pictures/{first}"' in page.html
    assert "made from the same" in page.words


async def test_references_come_by_upload_and_stay_in_the_address(ann: Person) -> None:
    """Priced, shown and sent; taken out again by its button."""
    token = (await ann.get(PATH)).token
    before = await _quote(ann, prompt="a fox", tier="nano_banana_pro")
    controls = {"mode": "make", "prompt": "a fox", "tier": "nano_banana_pro"}
    moved = await _bring(ann, token, _png(), _png((1, 2, 3)), **controls)
    assert moved.status == 303
    page = await ann.get(moved.headers["location"])
    assert len(re.findall(r'name="ref\d"[^>]*>\s*<img', page.html)) == 2
    assert f"for {before}" not in page.words
    shown = re.search(r'<img src="(/dashboard/playground/references/[^"]+)"', page.html)[1]
    async with ann.session.get(ann.url + shown) as reply:
        assert await reply.read() == _png()
        assert reply.headers["content-security-policy"].endswith("sandbox")
    _, seen = await _make(ann, urlsplit(moved.headers["location"]).query)
    made = re.search(r'href="/dashboard/pictures/([^"]+)"', seen.html)[1]
    async with ann.session.get(f"{ann.url}/router/v1/assets/{made}") as reply:
        assert len((await reply.json())["made_from"]) == 2
    name = re.search(r'name="drop" value="([^"]+)"', page.html)[1]
    fewer = await ann.get(f"{moved.headers['location']}&{urlencode({'drop': name})}")
    assert len(re.findall(r'name="ref\d"[^>]*>\s*<img', fewer.html)) == 1


async def test_what_is_no_picture_is_told(ann: Person) -> None:
    """With the kind of file it is, and nothing is kept of it."""
    token = (await ann.get(PATH)).token
    seen = await _bring(ann, token, b"%PDF-1.7 hello")
    assert seen.status == 400
    assert "a PDF" in seen.words
    assert (await _bring(ann, "wrong", _png())).status == 403
    many = await _bring(ann, token, *[_png((place, 0, 0)) for place in range(17)])
    assert "at most 16" in many.words


async def test_a_dropped_reference_opens_for_its_scope_alone(locked, bob: Person) -> None:
    """Its name is signed for whoever brought it: another scope's key sees nothing, in no page."""
    await bob.sign_in(await key_for(locked.home, scope="acme"))
    moved = await _bring(bob, (await bob.get(PATH)).token, _png(), prompt="a fox")
    name = parse_qs(urlsplit(moved.headers["location"]).query)["ref0"][0]
    assert (await bob.get(f"{PATH}/references/{name[:-1]}{'1' if name[-1] == '0' else '0'}")).status == 404
    await bob.sign_in(await key_for(locked.home, scope="other"))
    assert (await bob.get(f"{PATH}/references/{name}")).status == 404
    assert (await bob.get(moved.headers["location"])).status == 404


async def test_a_run_is_cancelled(ann: Person, site) -> None:
    """What was not begun is not made; the page says so, and what is over stays."""
    site.emulator.faults.add("slow;seconds=30")
    page = await ann.get(f"{PATH}?mode=make&prompt=a+fox")
    sent = await ann.post(PATH, _fields(page))
    run = parse_qs(urlsplit(sent.headers["location"]).query)["run"][0]
    under_way = await ann.get(sent.headers["location"])
    assert "Making 1 picture" in under_way.words
    assert '<meta http-equiv="refresh"' in under_way.html
    assert (await ann.post(f"{PATH}/cancel", {"run": run})).status == 403
    stopped = await ann.post(f"{PATH}/cancel", {"run": run, "form_token": page.token})
    assert stopped.status == 303
    assert "Cancelled" in (await _ended(ann, run)).words


async def test_a_failure_has_the_providers_words(ann: Person, site) -> None:
    """Beside what it cost."""
    site.emulator.faults.add("prompt_blocked", times=1)
    _, seen = await _make(ann, "mode=make&prompt=a+fox")
    assert "0 of 1 picture came" in seen.words
    assert "pending-failed" in seen.html


async def test_runs_are_their_owners(locked, bob: Person) -> None:
    """Neither looked at nor cancelled by another scope; nor are drafts handed out."""
    await bob.sign_in(await key_for(locked.home, scope="acme"))
    run, seen = await _make(bob, "mode=make&prompt=a+fox&tier=nano_banana_pro")
    drawn = re.search(rf'src="({PATH}/drafts/[^"]+)"', seen.html)[1]
    async with bob.session.get(bob.url + drawn) as reply:
        assert (reply.status, reply.content_type.startswith("image/")) == (200, True)
    assert (await bob.get(f"{PATH}/drafts/{run}/{'0' * 64}")).status == 404
    await bob.sign_in(await key_for(locked.home, scope="other"))
    assert (await bob.get(drawn)).status == 404
    gone = await bob.get(f"{PATH}?{urlencode({'run': run})}")
    assert (gone.status, "not known any more" in gone.words) == (200, True)
    token = gone.token
    assert (await bob.post(f"{PATH}/cancel", {"run": run, "form_token": token})).status == 404


async def test_a_scope_that_keeps_nothing_is_told_before(ann: Person, site) -> None:
    """No button that could only fail."""
    async with open_books(home=site.home, offline=True) as books:
        await books.rules.set("default", StoringRule(store=StoreMode.NONE))
    page = await ann.get(PATH)
    assert "keeps no pictures" in page.words
    assert "data-make" not in page.html


async def test_a_hostile_prompt_stays_words(ann: Person) -> None:
    """In the field, in the hidden fields and beside the picture."""
    hostile = '"><script>alert(1)</script>'
    _, seen = await _make(ann, urlencode({"mode": "chain", "prompt": hostile, "variants": hostile}))
    page = await ann.get(f"{PATH}?{urlencode({'prompt': hostile})}")
    assert "<script>alert" not in seen.html + page.html
    assert hostile in seen.words + page.words or "&lt;script&gt;" in page.html


async def test_the_first_page_is_light(ann: Person) -> None:
    """With all it loads and without pictures at most 60 kB."""
    page = await ann.get(PATH)
    size = len(page.html.encode())
    for path in set(re.findall(r'"(/dashboard/static/[^"]+)"', page.html)):
        size += len((await ann.get(path)).html.encode())
    for name in ("follow", "judge"):
        size += len((await ann.get(await _module(ann, page, name))).html.encode())
    assert size <= 60_000


async def _module(person: Person, page: Seen, name: str) -> str:
    script = re.search(r'"(/dashboard/static/play\.[^"]+)"', page.html)[1]
    return "/dashboard/static/" + re.search(rf'from "\./({name}\.[^"]+)"', (await person.get(script)).html)[1]
