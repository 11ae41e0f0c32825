"""The pages in a real browser: their main jobs, by mouse and by keyboard, in every theme and width."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from gateway.dashboard.browser import look_at, tab_to, violations
from gateway.dashboard.people import key_for
from image_router.books import open_books
from image_router.core.money import USD

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = {
    "live router": "/dashboard/router",
    "chain": "/dashboard/router?job=chain",
    "april": "/dashboard/router?job=final&world=april",
    "nobody can": "/dashboard/router?job=final&references=16&size=4K&aspect=1:8",
    "economics": "/dashboard/economics",
    "error": "/dashboard/economics?nano_banana=50",
    "not there": "/dashboard/nowhere",
    "empty gallery": "/dashboard/gallery",
    "nothing spent": "/dashboard/spend",
    "operations": "/dashboard/operations",
    "doctor": "/dashboard/operations/doctor",
    "keys": "/dashboard/keys",
    "settings": "/dashboard/settings",
    "profile": "/dashboard/settings/profiles/ecommerce",
}
VERDICT = "#verdict-title"


async def test_the_answer_follows_the_controls(page: Page) -> None:
    """Another purpose, another winner, without loading the page; and the address is that of the answer."""
    await page.goto("/dashboard/router?job=hero")
    await page.evaluate("window.stayed = true")
    await expect(page.locator(VERDICT)).to_have_text("Imagen 4 Standard")
    await page.get_by_label("Purpose").select_option("character_lock")
    await expect(page.locator(VERDICT)).to_have_text("Nano Banana Pro")
    await expect(page.locator("#said")).to_have_text(re.compile(r"Nano Banana Pro, \$0\.1"))
    assert await page.evaluate("window.stayed")
    assert "purpose=character_lock" in page.url
    await page.reload()
    await expect(page.locator(VERDICT)).to_have_text("Nano Banana Pro")


async def test_the_world_switch_replays_april(page: Page) -> None:
    """One click, and the article's ids answer."""
    await page.goto("/dashboard/router?job=final")
    await page.get_by_text("April 2026", exact=True).click()
    await expect(page.locator(".verdict .model")).to_have_text("imagen-4.0-ultra-generate-001")


async def test_generate_shows_the_picture(page: Page, site) -> None:
    """The price on the button is the bill; the picture is there, in its own pixels."""
    await page.goto("/dashboard/router?job=draft")
    await page.get_by_role("button", name=re.compile("Generate for")).click()
    picture = page.locator(".made img")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
    assert site.emulator.bill().total > 0
    assert urlsplit(page.url).path == "/dashboard/router"


async def test_the_keyboard_is_enough(page: Page) -> None:
    """Choose a job, change a control, generate: with Tab, arrows and Enter, and the focus can be seen."""
    await page.goto("/dashboard/router?job=hero")
    await tab_to(page, "a.job[href*='job=economy']")
    await page.keyboard.press("Enter")
    await expect(page.locator(VERDICT)).to_have_text("Nano Banana")
    await tab_to(page, "#purpose")
    await page.keyboard.press("d")
    await expect(page.locator(VERDICT)).to_have_text("Imagen 4 Fast")
    await tab_to(page, "[data-make] button")
    await page.keyboard.press("Enter")
    await expect(page.locator(".made img")).to_be_visible()


async def test_a_hostile_prompt_stays_words(page: Page) -> None:
    """In the field, in the payload, in the picture's words: nothing runs, nothing is drawn from it."""
    hostile = "</textarea><img src=x onerror=alert(1)><script>alert(2)</script>{{ 7*7 }}"
    await page.goto("/dashboard/router?job=own")
    await page.get_by_label("Prompt").fill(hostile)
    await expect(page.locator("#payload-1")).to_contain_text("onerror=alert(1)")
    await page.reload()
    await expect(page.get_by_label("Prompt")).to_have_value(hostile)
    await page.get_by_role("button", name=re.compile("Generate for")).click()
    await expect(page.locator(".made img")).to_have_attribute("alt", re.compile("onerror"))
    assert await page.locator("img[src=x]").count() == 0


async def test_volume_and_mix_follow_the_sliders(page: Page) -> None:
    """Arrow keys move the volume; a share that grows takes from the others, and a hundred stay a hundred."""
    await page.goto("/dashboard/economics")
    await expect(page.locator("#expected")).to_have_text("$406.28")
    volume = page.locator("#volume")
    await volume.focus()
    await page.keyboard.press("End")
    await expect(page.locator("#expected")).to_have_text("$406,280.00")
    assert await volume.get_attribute("aria-valuetext") == "10,000,000 pictures"
    await page.locator("[data-share=imagen_4_ultra]").fill("37")
    shares = await page.locator(".share input[type=number]").evaluate_all(
        "all => all.map(one => Number(one.value))"
    )
    assert sum(shares) == 100
    assert shares[3] == 37
    await expect(page.locator("#expected")).not_to_have_text("$406,280.00")
    assert "imagen_4_ultra=37" in page.url


async def test_a_theme_is_chosen_and_kept(page: Page) -> None:
    """At once, and after a reload."""
    await page.goto("/dashboard/economics")
    paper = "() => getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(paper)
    async with page.expect_response("**/dashboard/theme"):
        await page.get_by_role("button", name="Dark").click()
    dark = await page.evaluate(paper)
    assert dark != light
    await page.reload()
    assert await page.evaluate(paper) == dark


async def test_the_payload_is_copied(page: Page) -> None:
    """What the clipboard gets is what the page shows."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto("/dashboard/router?job=hero")
    await page.get_by_role("button", name="Copy: Payload").click()
    await expect(page.get_by_role("button", name="Copy: Payload")).to_have_text("Copied")
    assert (
        await page.evaluate("navigator.clipboard.readText()") == await page.locator("#payload-1").inner_text()
    )


async def test_a_gateway_that_is_away_is_told(page: Page) -> None:
    """The old answer stays, marked as not of these controls; the next change is answered again."""
    await page.goto("/dashboard/router?job=hero")
    await page.route("**/dashboard/router/answer*", lambda route: route.abort(), times=1)
    await page.get_by_label("Size").select_option("2K")
    await expect(page.get_by_role("alert")).to_contain_text("does not answer")
    await page.get_by_label("Size").select_option("1K")
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_everything_works_without_scripts(browser: Browser, site) -> None:
    """A form to ask, a form to make, a page with the picture."""
    context = await browser.new_context(base_url=site.url, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/dashboard/router?job=economy")
    await page.get_by_label("Purpose").select_option("draft")
    await page.get_by_role("button", name="Ask the router").click()
    await expect(page.locator(VERDICT)).to_have_text("Imagen 4 Fast")
    await page.get_by_role("button", name=re.compile("Generate for")).click()
    await expect(page.locator(".made img")).to_be_visible()
    await page.goto("/dashboard/economics")
    await page.get_by_label("Pictures a month", exact=True).fill("1000")
    await page.get_by_role("button", name="Compute").click()
    await expect(page.locator("#expected")).to_have_text("$40.63")
    await context.close()


async def test_signing_in_and_out(browser: Browser, locked) -> None:
    """A key opens the page one wanted; out again, and the form is back."""
    secret = await key_for(locked.home)
    context = await browser.new_context(base_url=locked.url)
    page = await context.new_page()
    await page.goto("/dashboard/economics?images=500")
    await page.get_by_label("Router key").fill("ir_wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("damaged")
    assert (await violations(page)) == []
    await page.get_by_label("Router key").fill(secret)
    await page.get_by_role("button", name="Sign in").click()
    assert page.url.endswith("/dashboard/economics?images=500")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await context.close()


@pytest.mark.parametrize("name", PAGES)
async def test_nobody_is_shut_out(browser: Browser, site, name: str) -> None:
    """axe finds nothing in either theme, on a screen and on a phone, and nothing runs over its edge."""
    await look_at(browser, site.url, PAGES[name])


@pytest.mark.parametrize("path", ["gallery", "pictures/{}", "pictures/{}/remove", "spend"])
async def test_nobody_is_shut_out_of_pictures(browser: Browser, site, path: str) -> None:
    """The same for the pages that show what was made: gallery, picture, question, spend with budgets."""
    await look_at(browser, site.url, f"/dashboard/{path.format(await _seeded(site))}")


async def _seeded(site) -> str:
    """A picture, one made from it, and a budget; answers the second one's id."""
    async with aiohttp.ClientSession() as session:

        async def make(**asked: Any) -> str:
            body = {"prompt": "a fox", "response_format": "url", **asked}
            async with session.post(f"{site.url}/router/v1/images", json=body) as reply:
                return (await reply.json())["images"][0]["asset_id"]

        first = await make(purpose="hero")
        second = await make(references=[{"file_id": first}], purpose="contextual_edit")
    async with open_books(home=site.home, offline=True) as books:
        await books.budgets.set("default", who="ann", day=USD)
    return second


async def test_the_gallery_grows_while_one_scrolls(page: Page, site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older pictures come by themselves, each once, and only thumbnails in view are loaded."""
    monkeypatch.setattr("image_router.gateway.dashboard.gallery._PAGE", 24)
    async with aiohttp.ClientSession() as session:
        for place in range(30):
            body = {"prompt": f"a fox {place}", "purpose": "draft"}
            async with session.post(f"{site.url}/router/v1/images", json=body) as reply:
                assert reply.status == 200
    await page.set_viewport_size({"width": 360, "height": 600})
    await page.goto("/dashboard/gallery")
    await page.keyboard.press("End")
    await expect(page.locator(".tile")).to_have_count(30)
    await expect(page.locator("[data-more]")).to_have_count(0)
    links = await page.locator(".tile a").evaluate_all("all => all.map(one => one.href)")
    assert len(set(links)) == 30


async def test_a_picture_is_found_downloaded_and_deleted(page: Page, site) -> None:
    """From the wall to the original's very bytes, and away after a question."""
    name = await _seeded(site)
    await page.goto("/dashboard/gallery")
    await page.locator(".tile a").first.click()
    assert page.url.endswith(name)
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Download the original").click()
    path = await (await waiting.value).path()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    await expect(page.locator(".facts").last).to_contain_text(digest)
    await page.get_by_role("link", name="Delete…").click()
    await page.get_by_role("button", name="Delete it").click()
    await expect(page.locator(".canvas")).to_contain_text("Removed on")
