"""A real browser for the tests, where this machine has one."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Error, Page, async_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""In a container nobody may make namespaces, and a test's browser calls nobody of its own accord."""

_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def executable() -> str | None:
    """The browser that IMAGE_ROUTER_BROWSER names, or the system's; None: whatever playwright fetched."""
    named = os.environ.get("IMAGE_ROUTER_BROWSER")
    return named or next((path for path in map(shutil.which, _NAMES) if path), None)


@asynccontextmanager
async def started() -> AsyncIterator[Browser]:
    """Chromium, or a skip that says how to get it."""
    async with async_playwright() as play:
        path = executable()
        try:
            browser = await play.chromium.launch(executable_path=path, args=list(_FLAGS))
        except Error as problem:
            why = problem.message.splitlines()[0]
            pytest.skip(
                f"no Chromium ({why}): scripts/browser.sh brings one, or name it in IMAGE_ROUTER_BROWSER"
            )
        yield browser
        await browser.close()


@asynccontextmanager
async def watched(browser: Browser, url: str) -> AsyncIterator[Page]:
    """A page that fails for every error on the console, every dialog and every foreign request."""
    context = await browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    wrong: list[str] = []
    page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda sent: wrong.append(sent.url) if not _ours(sent.url, url) else None)
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    yield page
    await context.close()
    # What a test breaks on purpose is logged by the browser too.
    assert [words for words in wrong if not words.startswith("Failed to load resource")] == []


def _ours(url: str, home: str) -> bool:
    return url.startswith("data:") or urlsplit(url).netloc == urlsplit(home).netloc


async def look_at(browser: Browser, url: str, path: str) -> None:
    """axe finds nothing in either theme, on a screen and on a phone, and nothing runs over its edge."""
    # Closed on every way out: a gateway that stops waits for who still listens.
    async with await browser.new_context(base_url=url, reduced_motion="reduce") as context:
        page = await context.new_page()
        for width, scheme in ((1440, "light"), (360, "dark")):
            await page.set_viewport_size({"width": width, "height": 900})
            await page.emulate_media(color_scheme=scheme)
            await page.goto(path)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            for each in await page.locator("details").all():
                await each.evaluate("details => { details.open = true }")
            assert await violations(page) == []


async def violations(page: Page) -> list[str]:
    """What axe finds."""
    found = await Axe().run(page, options={"runOnly": list(_RULES)})
    return [
        f"{rule['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]


async def tab_to(page: Page, selector: str) -> None:
    """Press Tab until something is focused, visibly."""
    for _ in range(80):
        await page.keyboard.press("Tab")
        found = await page.evaluate(
            "selector => document.activeElement.matches(selector) && "
            "getComputedStyle(document.activeElement).outlineStyle",
            selector,
        )
        if found:
            assert found == "solid"
            return
    raise AssertionError(f"Tab never comes to {selector}")
