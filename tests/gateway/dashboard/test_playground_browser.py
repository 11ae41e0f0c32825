"""The playground in a real browser: dropped and pasted references, runs that are watched, judged pictures."""

from __future__ import annotations

import base64
import io
import re

import pytest
from PIL import Image
from playwright.async_api import Browser, Page, expect

from gateway.dashboard.browser import look_at, tab_to, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/dashboard/playground"
MAKE = "[data-make] button"


def _png(colour: tuple[int, int, int] = (200, 90, 60)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (120, 80), colour).save(out, "PNG")
    return out.getvalue()


async def _hand_over(page: Page, event: str, name: str, data: bytes) -> None:
    """A file that comes by drop or paste."""
    await page.evaluate(
        """([event, name, encoded]) => {
            const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], name, { type: "image/png" }));
            const told = event === "paste"
                ? new ClipboardEvent("paste", { clipboardData: carried, bubbles: true })
                : new DragEvent(event, { dataTransfer: carried, bubbles: true, cancelable: true });
            document.querySelector("main").dispatchEvent(told);
        }""",
        [event, name, base64.b64encode(data).decode()],
    )


async def _over(page: Page) -> None:
    await expect(page.locator("[data-run][data-over]")).to_be_visible(timeout=30_000)


async def test_references_are_dropped_pasted_and_picked(page: Page) -> None:
    """Each changes the price; taking one out changes it back; the address brings them all back."""
    await page.goto(f"{PATH}?mode=make&prompt=a+fox&tier=nano_banana_pro")
    price = page.locator("#expected")
    alone = await price.inner_text()
    await _hand_over(page, "dragenter", "<img src=x onerror=alert(1)>.png", _png())
    await expect(page.locator("body")).to_have_class("dragging")
    await _hand_over(page, "drop", "<img src=x onerror=alert(1)>.png", _png())
    await expect(page.locator(".refs li")).to_have_count(1)
    await expect(price).not_to_have_text(alone)
    await _hand_over(page, "paste", "b.png", _png((1, 2, 3)))
    await expect(page.locator(".refs li")).to_have_count(2)
    await page.locator("#files").set_input_files(
        [{"name": "c.png", "mimeType": "image/png", "buffer": _png((9, 9, 9))}]
    )
    await expect(page.locator(".refs li")).to_have_count(3)
    await expect(page).to_have_url(re.compile("ref2="))
    await page.reload()
    await expect(page.locator(".refs li")).to_have_count(3)
    for place in range(3):
        picture = page.locator(".refs img").nth(place)
        assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 120
    for _ in range(3):
        await page.locator(".refs button").first.click()
    await expect(price).to_have_text(alone)


async def test_what_is_no_picture_is_told_where_it_was_dropped(page: Page) -> None:
    """A file that calls itself a picture and is none."""
    await page.goto(PATH)
    await _hand_over(page, "drop", "a.png", b"%PDF-1.7")
    await expect(page.locator("#drop-problem")).to_contain_text("a PDF")
    await expect(page.locator(".refs li")).to_have_count(0)


async def test_tiers_are_compared_and_judged(page: Page) -> None:
    """The price on the button before; pictures side by side after; what is said stays."""
    await page.goto(PATH)
    await page.get_by_text("Compare", exact=True).click()
    await expect(page.locator("#price-title")).to_have_text("3 tiers side by side")
    await page.get_by_label("Nano Banana Pro").uncheck()
    await expect(page.locator("#price-title")).to_have_text("2 tiers side by side")
    await page.locator(MAKE).click()
    await _over(page)
    await expect(page.locator(".shot-lane img[src*=content]")).to_have_count(2)
    await expect(page.locator("#run-title")).to_have_text("2 pictures made")
    keep = page.get_by_role("button", name="Keep").first
    await keep.click()
    await expect(keep).to_have_attribute("aria-pressed", "true")
    await page.reload()
    await expect(keep).to_have_attribute("aria-pressed", "true")
    await expect(page.locator(".shot-lane")).to_have_count(2)
    await page.goto("/dashboard/gallery?feedback=kept")
    await expect(page.locator(".tile .mark.kept")).to_have_count(1)


async def test_pictures_of_a_chain_come_one_by_one(page: Page, site) -> None:
    """The reference is there while its variants are drawn, with what it cost so far."""
    site.emulator.faults.add("slow;seconds=3", model="gemini-3-pro-image")
    await page.goto(f"{PATH}?mode=chain&prompt=a+fox&variants=at+sea%0Aat+home")
    await page.locator(MAKE).click()
    await expect(page.locator(".shot-lane img[src*=content]")).to_have_count(1, timeout=20_000)
    await expect(page.locator("#run-title")).to_have_text("Making 3 pictures")
    await expect(page.locator(".run-money b")).not_to_have_text("$0.00")
    await page.locator("[data-piece=head] progress").evaluate("bar => { bar.stayed = true }")
    await _over(page)
    await expect(page.locator(".shot-lane img[src*=content]")).to_have_count(3)
    await expect(page.locator("#said")).to_contain_text("3 pictures made")


async def test_a_run_is_cancelled_and_the_address_keeps_it(page: Page, site) -> None:
    """After a reload it is still there; cancelled, it is over."""
    site.emulator.faults.add("slow;seconds=30")
    await page.goto(PATH)
    await page.locator(MAKE).click()
    await expect(page.locator("#run-title")).to_have_text("Making 1 picture")
    await page.reload()
    await page.get_by_role("button", name="Cancel").click()
    await _over(page)
    await expect(page.locator(".pending")).to_have_text("Cancelled")


async def test_a_gateway_that_is_away_is_waited_for(page: Page) -> None:
    """The page says so, looks again, and shows the end."""
    await page.goto(PATH)
    await page.route(f"**{PATH}/run*", lambda route: route.abort(), times=2)
    await page.locator(MAKE).click()
    await expect(page.locator("[data-away]")).to_be_visible()
    await _over(page)
    await expect(page.locator("[data-away]")).to_have_count(0)


async def test_the_keyboard_is_enough(page: Page) -> None:
    """Choose tiers, bring a picture, make, judge: with Tab, space, arrows and Enter."""
    await page.goto(PATH)
    await tab_to(page, "[name=prompt]")
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("#price-title")).to_contain_text("side by side")
    await tab_to(page, "[name=nano_banana_pro]")
    await page.keyboard.press("Space")
    await tab_to(page, "[name=gemini_31_flash_image]")
    await page.keyboard.press("Space")
    await expect(page.locator("#price-title")).to_have_text("1 tier side by side")
    await tab_to(page, MAKE)
    await page.keyboard.press("Enter")
    await _over(page)
    await tab_to(page, ".judge .rejected")
    await page.keyboard.press("Enter")
    await expect(page.locator(".judge .rejected")).to_have_attribute("aria-pressed", "true")
    assert await page.evaluate("document.activeElement.matches('.judge .rejected')")


async def test_everything_works_without_scripts(browser: Browser, site) -> None:
    """Bring a picture, see the price, make it, wait for it, judge it."""
    context = await browser.new_context(base_url=site.url, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(PATH)
    await page.locator("#files").set_input_files(
        [{"name": "a.png", "mimeType": "image/png", "buffer": _png()}]
    )
    await page.get_by_role("button", name="Add the chosen pictures").click()
    await expect(page.locator(".refs li")).to_have_count(1)
    await page.get_by_label("Purpose").select_option("contextual_edit")
    await page.get_by_role("button", name="Show the price").click()
    await expect(page.locator(".refs li")).to_have_count(1)
    await page.locator(MAKE).click()
    await expect(page.locator(".shot-lane img[src*=content]")).to_be_visible(timeout=20_000)
    await page.get_by_role("button", name="Keep").click()
    await expect(page.get_by_role("button", name="Keep")).to_have_attribute("aria-pressed", "true")
    await context.close()


STATES = {
    "new": PATH,
    "compare": f"{PATH}?mode=compare&prompt=a+fox&nano_banana=on&imagen_4_ultra=on&size=4K",
    "chain": f"{PATH}?mode=chain&prompt=a+fox&variants=at+sea",
    "nobody can": f"{PATH}?prompt=a+fox&tier=nano_banana&size=4K",
    "run forgotten": f"{PATH}?run=job_0",
    "bad control": f"{PATH}?mode=fun",
    "narrowed gallery": "/dashboard/gallery?min_cost=1&warned=true",
}


@pytest.mark.parametrize("name", STATES)
async def test_nobody_is_shut_out(browser: Browser, site, name: str) -> None:
    """axe finds nothing in either theme, on a screen and on a phone, and nothing runs over its edge."""
    await look_at(browser, site.url, STATES[name])


async def test_nobody_is_shut_out_of_a_run(page: Page, browser: Browser, site) -> None:
    """Neither while it is under way, nor with pictures that came and one that failed, nor of its lineage."""
    site.emulator.faults.add("slow;seconds=30", model="gemini-3-pro-image")
    await page.goto(f"{PATH}?mode=compare&prompt=a+fox&nano_banana=on&nano_banana_pro=on")
    await page.locator(MAKE).click()
    await expect(page.locator(".shot-lane img[src*=content]")).to_have_count(1, timeout=20_000)
    assert await violations(page) == []
    await page.get_by_role("button", name="Reject").click()
    await page.get_by_role("button", name="Cancel").click()
    await _over(page)
    await look_at(browser, site.url, page.url.removeprefix(site.url))
    site.emulator.faults.clear()
    await page.goto(f"{PATH}?mode=chain&prompt=a+fox&variants=at+sea%0Aat+home")
    await page.locator(MAKE).click()
    await _over(page)
    await page.locator(".shots a").last.click()
    await expect(page.locator("svg.graph a.node")).to_have_count(2)
    await look_at(browser, site.url, page.url.removeprefix(site.url))
    await tab_to_link(page)
    await page.keyboard.press("Enter")
    await expect(page.locator("svg.graph .node.self")).to_have_count(1)


async def tab_to_link(page: Page) -> None:
    """A picture of the graph is a link like any other."""
    await page.locator("svg.graph a.node").first.focus()
    assert await page.evaluate("document.activeElement.matches('svg.graph a.node')")
