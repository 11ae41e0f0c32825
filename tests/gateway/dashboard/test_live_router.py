"""The live router: what its page says is what the API and the command line say."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from click.testing import CliRunner

from gateway.dashboard.people import Person, key_for
from image_router.cli.app import cli
from image_router.core.money import USD, show_usd
from image_router.core.types import Tier
from image_router.gateway.dashboard.jobs import JOBS

DAY = "2026-11-22"
SINGLE = [name for name, job in JOBS.items() if not job.chain]


def _price(html: str) -> str:
    return re.search(r'id="expected">([^<]*)<', html)[1]


def _dollars(text: str) -> str:
    return show_usd(int(Decimal(text) * USD))


@pytest.mark.parametrize("name", ["economy", "draft", "hero", "final", "own"])
async def test_page_api_and_command_line_say_the_same(site, ann: Person, name: str) -> None:
    """Winner, model, expected price and ceiling of a job, read from all three."""
    job = JOBS[name]
    asked = {"prompt": job.prompt, "purpose": job.purpose, "size": job.size, "aspect": job.aspect or None}
    asked |= {"text": job.text or None}
    async with ann.session.post(f"{site.url}/router/v1/explain", json=asked) as reply:
        api = await reply.json()
    flags = [
        word for key, value in asked.items() if value and key != "prompt" for word in (f"--{key}", value)
    ]
    arguments = [
        "explain",
        job.prompt,
        *flags,
        "--json",
        "--offline",
        "--as-of",
        DAY,
        "--home",
        str(site.home),
    ]
    command = json.loads(CliRunner().invoke(cli, arguments).stdout)
    page = await ann.get(f"/dashboard/router?job={name}")

    head = api["candidates"][0]
    assert command["candidates"][0] == head
    assert _price(page.html) == _dollars(head["quote"]["expected_usd"])
    assert _dollars(api["ceiling_usd"]) in page.words
    assert head["model"] in page.words
    assert api["rule"] in page.words
    assert all(drop["detail"] in page.words for drop in api["dropped"])
    assert re.sub(r"\s+", " ", json.dumps(api["payload"], indent=2)) in page.words


async def test_the_chain_costs_what_the_api_quotes(site, ann: Person) -> None:
    """Reference and variants together, and both stages are shown."""
    job = JOBS["chain"]
    asked = {"prompt": job.prompt, "variants": list(job.variants), "aspect": job.aspect}
    async with ann.session.post(f"{site.url}/router/v1/quote", json=asked) as reply:
        quote = await reply.json()
    page = await ann.get("/dashboard/router?job=chain")
    assert _price(page.html) == _dollars(quote["expected_usd"])
    assert "Stage 1: the reference" in page.words
    assert "Stage 2: 3 variants" in page.words


@pytest.mark.parametrize(
    ("query", "tier", "model"),
    [
        ("job=hero&world=april", "Imagen 4 Standard", "imagen-4.0-generate-001"),
        ("job=final&world=april", "Imagen 4 Ultra", "imagen-4.0-ultra-generate-001"),
        ("job=draft&world=april", "Imagen 4 Fast", "imagen-4.0-fast-generate-001"),
        ("job=edit&world=april", "3.1 Flash Image", "gemini-3.1-flash-image-preview"),
        ("job=character&world=april", "Nano Banana Pro", "gemini-3-pro-image-preview"),
        ("job=economy&world=april", "Nano Banana", "gemini-2.5-flash-image"),
        ("job=economy&world=day&day=2026-04-09", "Nano Banana", "gemini-2.5-flash-image"),
    ],
)
async def test_april_answers_with_the_six_ids_of_the_article(
    ann: Person, query: str, tier: str, model: str
) -> None:
    """The world switch replays the day, and says that nothing can be made there."""
    page = await ann.get(f"/dashboard/router?{query}")
    verdict = page.html[page.html.index("verdict-title") : page.html.index("figures")]
    assert tier in verdict
    assert model in verdict
    assert "switch to today" in page.words
    assert "data-make" not in page.html


async def test_the_answer_alone_is_the_same_as_in_the_page(ann: Person) -> None:
    """What a script fetches and what a page without scripts shows come from one template."""
    for query in ("job=hero&pressure=95", "job=chain", "job=final&lane=batch"):
        page = await ann.get(f"/dashboard/router?{query}")
        part = await ann.get(f"/dashboard/router/answer?{query}", **{"x-part": "fragment"})
        assert part.status == 200
        fresh = re.compile(r"dashboard-[0-9a-f]{16}")
        assert fresh.sub("", part.html).strip() in fresh.sub("", page.html).replace(
            "    <section", "<section"
        )


async def test_all_six_are_answered_for(ann: Person) -> None:
    """Each tier stands on the board once, with a place or the reason why not."""
    page = await ann.get("/dashboard/router?job=hero")
    for tier in Tier:
        assert len(re.findall(rf'class="lane tier-{tier}[ "]', page.html)) == 1
    assert "dearer than allowed" in page.words


async def test_pressure_lets_the_guard_act(ann: Person) -> None:
    """At 95 % of a budget the page says what the guard did."""
    page = await ann.get("/dashboard/router?job=hero&pressure=95")
    assert "Budget guard" in page.words


async def test_that_nobody_can_serve_is_an_answer(ann: Person) -> None:
    """Each tier's reason, and what would work."""
    page = await ann.get("/dashboard/router?job=final&references=16&size=4K&aspect=1:8")
    assert page.status == 200
    assert "Nobody can take this job" in page.words
    assert "takes 14 reference images, not 16" in page.words
    assert "This would work" in page.words


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("size=3K", "size '3K' is not one of"),
        ("references=99", "references 99 is no whole number from 0 to 16"),
        ("job=nonsense", "job 'nonsense' is not one of"),
        ("world=day&day=tomorrow", "day 'tomorrow' is no day"),
        ("job=chain&variants=", "0 variants"),
        ("profile=nobody", "profile 'nobody' is not one of"),
        ("prompt=", "the prompt is empty"),
    ],
)
async def test_what_cannot_be_asked_is_told(ann: Person, query: str, words: str) -> None:
    """By the name of the control, on the page and in the part."""
    assert words in (await ann.get(f"/dashboard/router?{query}")).words
    part = await ann.get(f"/dashboard/router/answer?{query}", **{"x-part": "fragment"})
    assert words in part.words
    assert "<html" not in part.html


async def test_a_prompt_is_words_and_nothing_else(ann: Person) -> None:
    """Markup in a prompt is shown as it was written, wherever it appears."""
    page = await ann.get(
        "/dashboard/router?job=own&prompt=%3C/textarea%3E%3Cimg%20src=x%20onerror=alert(1)%3E"
    )
    assert "<img src=x" not in page.html
    assert "&lt;/textarea&gt;&lt;img src=x onerror=alert(1)&gt;" in page.html


def _fields(html: str) -> dict[str, str]:
    form = html[html.index("data-make") : html.index("</form>", html.index("data-make"))]
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))


async def test_generate_makes_what_was_shown_at_its_price(site, ann: Person) -> None:
    """The button's price is what the emulator bills; the original is there to be had."""
    page = await ann.get("/dashboard/router?job=own&prompt=a+fox")
    made = await ann.post("/dashboard/router", _fields(page.html))
    assert made.status == 200
    assert f"Generate for {_price(page.html)}" in page.words
    assert f"Made: {show_usd(site.emulator.bill().total)}" in made.words
    assert "Drawn by the emulator" in made.words
    path = re.search(r'src="(/dashboard/pictures/[^"]+)"', made.html)[1]
    async with ann.session.get(site.url + path) as picture:
        assert picture.status == 200
        assert picture.content_type.startswith("image/")
        assert "sandbox" in picture.headers["content-security-policy"]
        shown = await picture.read()
    async with ann.session.get(f"{site.url}{path}?download") as file:
        assert file.headers["content-disposition"].startswith("attachment")
        assert await file.read() == shown


async def test_a_form_sent_twice_is_paid_once(site, ann: Person) -> None:
    """Reloading the answer of a form sends it again; the same picture comes back, free."""
    fields = _fields((await ann.get("/dashboard/router?job=own")).html)
    first = await ann.post("/dashboard/router", fields)
    bill = site.emulator.bill().total
    again = await ann.post("/dashboard/router", fields)
    assert site.emulator.bill().total == bill
    shown = re.compile(r"/dashboard/pictures/[^\"?]+/content")
    assert shown.findall(first.html)[0] == shown.findall(again.html)[0]


async def test_a_chain_is_made_whole(site, ann: Person) -> None:
    """The reference and its variants, four pictures for what the emulator bills."""
    fields = _fields((await ann.get("/dashboard/router?job=chain")).html)
    made = await ann.post("/dashboard/router", fields)
    assert made.html.count("<figure") == 4
    assert show_usd(site.emulator.bill().total) in made.words


@pytest.mark.parametrize(
    ("change", "words"), [({"world": "april"}, "switch to today"), ({"lane": "batch"}, "batch job")]
)
async def test_what_cannot_be_made_here_is_not_paid(
    site, ann: Person, change: dict[str, str], words: str
) -> None:
    """Another day's world and the batch lane are refused before anything is spent."""
    fields = _fields((await ann.get("/dashboard/router?job=own")).html)
    refused = await ann.post("/dashboard/router", {**fields, **change})
    assert refused.status == 400
    assert words in refused.words
    assert site.emulator.bill().total == 0


async def test_a_key_sees_what_it_may_use(locked, bob: Person) -> None:
    """Tiers that the key's rules forbid are no candidates, and its scope pays."""
    secret = await key_for(locked.home, tiers=frozenset({Tier.NANO_BANANA}))
    await bob.sign_in(secret)
    page = await bob.get("/dashboard/router?job=economy")
    assert "may not use it" in page.words
    made = await bob.post("/dashboard/router", _fields(page.html))
    assert made.status == 200
    picture = re.search(r'src="(/dashboard/pictures/[^"]+)"', made.html)[1]
    bigger = await bob.get("/dashboard/router?job=own&size=4K")
    assert "This is not allowed" in bigger.words
    await bob.sign_in(await key_for(locked.home, name="eve", scope="other"))
    assert (await bob.get(picture)).status == 404
