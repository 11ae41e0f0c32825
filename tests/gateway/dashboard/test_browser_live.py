"""Operations, spend, keys and settings in a real browser: live, after a restart, and by hand."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from gateway.dashboard.browser import look_at, violations
from gateway.dashboard.people import key_for
from image_router.books import open_books
from image_router.core.breaker import Circuit
from image_router.core.causes import Cause
from image_router.core.journal import CallNote, ProcessReport, Queue, Shut
from image_router.core.money import USD
from image_router.storage.journal import Journal

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _trouble(home: Path) -> None:
    """A circuit that is open, calls that wait, calls that failed, and caps nearly used up."""
    note = CallNote(
        request_id="req_1",
        scope="default",
        model="gemini-3-pro-image",
        tier="nano_banana_pro",
        cause=Cause.CAPACITY,
        detail="The model is overloaded. Please try again later.",
        elapsed=2_000_000,
        waited=500_000,
    )
    made = replace(note, cause=Cause.OK, detail="")
    ill = Shut(
        circuit=Circuit(model="gemini-3-pro-image"),
        cause=Cause.CAPACITY,
        detail=note.detail,
        opened_at=1,
        until=None,
    )
    queue = Queue(model="gemini-3-pro-image", limit="requests per minute", waiting=3)
    async with open_books(home=home, offline=True) as books:
        journal = Journal(books.db)
        await journal.write([note, made, made])
        await journal.report("another", ProcessReport(shut=(ill,), queues=(queue,)))
        await books.budgets.set("default", who="ann", day=USD)


async def test_what_changes_is_shown_without_a_reload(page: Page, site) -> None:
    """A job that is sent meanwhile comes up, is made, and its cost stands there: the page was loaded once."""
    await page.goto("/dashboard/operations")
    await page.evaluate("window.stayed = true")
    await expect(page.locator("#live-sign")).to_contain_text("Live")
    async with page.expect_response("**/dashboard/operations"):
        answer = await page.request.post("/router/v1/jobs", data={"prompt": "a fox", "n": 2})
    job = (await answer.json())["id"]
    row = page.locator("#jobs").get_by_role("row", name=re.compile(job))
    await expect(row).to_contain_text("succeeded", timeout=20_000)
    await expect(row).to_contain_text("2 of 2")
    assert await page.evaluate("window.stayed")


async def test_a_caps_gauge_moves_while_one_watches(page: Page, site) -> None:
    """Money that is spent elsewhere moves it; what is typed into the form stays."""
    async with open_books(home=site.home, offline=True) as books:
        await books.budgets.set("default", who="ann", day=USD)
    await page.goto("/dashboard/spend")
    await expect(page.locator("#gauges")).to_contain_text("0 % used")
    await page.get_by_text("Set caps").click()
    await page.get_by_label("A day, $").fill("7")
    await page.request.post("/router/v1/images", data={"prompt": "a fox", "purpose": "character_lock"})
    await expect(page.locator("#gauges")).to_contain_text("14 % used", timeout=20_000)
    await expect(page.get_by_label("A day, $")).to_have_value("7")


async def test_a_restart_is_survived_and_caught_up_with(browser: Browser, tmp_path: Path) -> None:
    """While the gateway is away the page says so; when it is back, what happened meanwhile is shown."""
    home, port = tmp_path / "home", _free_port()
    context = await browser.new_context(base_url=f"http://127.0.0.1:{port}")
    page = await context.new_page()
    async with _gateway(home, port):
        await page.goto("/dashboard/spend")
        await page.evaluate("window.stayed = true")
        await expect(page.locator("#live-sign")).to_contain_text("Live")
    await expect(page.locator("#live-sign")).to_contain_text("Reconnecting")
    async with open_books(home=home, offline=True) as books:
        await books.budgets.set("acme", who="ann", day=USD)
    async with _gateway(home, port):
        await expect(page.locator("#live-sign")).to_contain_text("Live", timeout=20_000)
        await expect(page.locator("#gauges")).to_contain_text("acme", timeout=20_000)
        assert await page.evaluate("window.stayed")
    await context.close()


@asynccontextmanager
async def _gateway(home: Path, port: int) -> AsyncIterator[None]:
    """A process that serves, from its first answer to its end by SIGTERM, which open pages do not put off."""
    program = Path(sys.executable).with_name("image-router")
    command = [program, "serve", "--offline", "--open", "--port", str(port), "--home", home]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        await _answers(port)
        yield
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) in (0, -15)


async def _answers(port: int) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(300):
            try:
                async with session.get(f"http://127.0.0.1:{port}/healthz") as reply:
                    assert reply.status == 200
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
    raise AssertionError("the gateway never answered")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("path", ["operations", "spend"])
async def test_nobody_is_shut_out_of_trouble(browser: Browser, site, path: str) -> None:
    """axe finds nothing either where circuits are open, calls wait and budgets are used."""
    await _trouble(site.home)
    await look_at(browser, site.url, f"/dashboard/{path}")


async def test_an_admin_makes_rotates_and_ends_a_key(browser: Browser, locked) -> None:
    """By hand, to the end; every page of it without a finding of axe, also on a phone."""
    secret = await key_for(locked.home, name="boss", scope="ops", admin=True)
    context = await browser.new_context(base_url=locked.url, viewport={"width": 360, "height": 800})
    page = await context.new_page()
    await page.goto("/dashboard/keys")
    await page.get_by_label("Router key").fill(secret)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("Name").fill("<b>shop</b>")
    await page.get_by_label("Scope", exact=True).fill("acme/shop")
    await page.get_by_label("Dollars").fill("20")
    await page.get_by_role("button", name="Make the key").click()
    first = await page.locator("#secret").inner_text()
    assert first.startswith("ir_")
    assert await violations(page) == []
    await page.get_by_role("link", name="I have kept it").click()
    await expect(page.get_by_role("heading", name="<b>shop</b>")).to_be_visible()
    assert first not in await page.content()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    assert await violations(page) == []
    await page.get_by_role("button", name="Rotate").click()
    assert await page.locator("#secret").inner_text() != first
    await page.get_by_role("link", name="I have kept it").click()
    await page.get_by_role("link", name="Revoke…").click()
    assert await violations(page) == []
    await page.get_by_role("button", name="Revoke it").click()
    await expect(page.locator("main")).to_contain_text("revoked")
    await context.close()


async def test_a_policy_is_checked_by_hand(page: Page) -> None:
    """What is wrong is told with its line; mended, it is a policy."""
    await page.goto("/dashboard/settings")
    broken = 'extends = "default"\nname = "mine"\nversion = 1\ndescription = "x"\n'
    await page.get_by_role("textbox", name=re.compile("TOML of a policy")).fill(broken)
    await page.get_by_role("button", name="Check").click()
    await expect(page.get_by_role("alert")).to_contain_text("line 3")
    assert await violations(page) == []
    field = page.get_by_role("textbox", name=re.compile("TOML of a policy"))
    await field.fill((await field.input_value()).replace("= 1", '= "1"'))
    await page.get_by_role("button", name="Check").click()
    await expect(page.get_by_role("status")).to_contain_text("mine 1 is a policy")


async def test_the_keyboard_reaches_the_tables(page: Page, site) -> None:
    """What scrolls sideways on a phone takes the focus, and shows it."""
    await page.set_viewport_size({"width": 360, "height": 800})
    await page.goto("/dashboard/operations")
    table = page.get_by_role("region", name="Lives of the models")
    await table.focus()
    assert await table.evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
    await page.keyboard.press("ArrowRight")
    await page.wait_for_function(
        "() => document.activeElement.scrollLeft > 0 || document.activeElement.scrollWidth <= 360"
    )
