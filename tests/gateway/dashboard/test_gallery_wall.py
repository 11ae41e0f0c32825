"""A wall of five thousand pictures: each once, nothing jumps, and only what is near is loaded."""

from __future__ import annotations

import re

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from sqlalchemy import text

from gateway.dashboard.browser import watched
from gateway.dashboard.people import Person
from image_router.books import open_books

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = 5_000
_SHIFTS = """() => new Promise((told) => {
    let sum = 0;
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) {
            sum += one.value;
        }
    }).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => told(sum), 50);
})"""


@pytest_asyncio.fixture(loop_scope="module")
async def wall(site) -> str:
    """The address of a gateway with one picture, known under five thousand names."""
    async with aiohttp.ClientSession() as session:
        body = {"prompt": "a fox", "response_format": "url"}
        async with session.post(f"{site.url}/router/v1/images", json=body) as reply:
            first = (await reply.json())["images"][0]["asset_id"]
    async with open_books(home=site.home, offline=True) as books:

        def copy(tx) -> None:
            names = list(tx.connection.execute(text("SELECT * FROM assets LIMIT 0")).keys())
            values = {"id": "'req_many.' || n", "made_at": "made_at - n", "request_id": "'req_many'"}
            chosen = ", ".join(values.get(name, name) for name in names)
            numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :most)"
            copied = f"INSERT INTO assets {numbers} SELECT {chosen} FROM assets, c WHERE id = :first"
            tx.connection.execute(text(copied), {"most": MANY - 1, "first": first})

        await books.db.write(copy)
    return site.url


async def test_every_picture_is_on_one_page(wall: str) -> None:
    """Page after page to the end, under filters too."""
    async with aiohttp.ClientSession() as session:
        ann = Person(wall, session)
        found: list[str] = []
        path: str | None = "/dashboard/gallery?tier=nano_banana&feedback=none&warned=false&max_cost=1"
        while path:
            part = await ann.get(path, **{"x-part": "fragment"})
            found += re.findall(r'href="/dashboard/pictures/([^"/?]+)"', part.html)
            more = re.search(r'href="([^"]+)" data-more', part.html)
            path = more[1].replace("&amp;", "&") if more else None
    assert len(found) == len(set(found)) == MANY


async def test_scrolling_moves_nothing_and_loads_what_is_near(browser: Browser, wall: str) -> None:
    """Older pictures come while one scrolls; what is far below is not asked for."""
    async with watched(browser, wall) as page:
        asked: set[str] = set()
        page.on("request", lambda sent: asked.add(sent.url) if "/thumbnail" in sent.url else None)
        await page.goto("/dashboard/gallery")
        await expect(page.locator(".tile img").first).to_be_visible()
        assert len(asked) <= 48
        while await page.locator(".tile").count() < 150:
            await page.mouse.wheel(0, 1500)
            await page.wait_for_timeout(80)
        for _ in range(4):
            await page.evaluate("scrollTo(0, document.body.scrollHeight)")
            await page.wait_for_timeout(80)
        assert await page.evaluate(_SHIFTS) == 0
        assert len(asked) <= await page.locator(".tile").count()
