"""Approving references in a real browser: what is rejected is on the button before it is pressed."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from gateway.dashboard.browser import look_at, watched
from gateway.dashboard.test_runs import bulk_on
from image_router.core.runs import RowState

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_reference_is_rejected_and_the_rest_approved(browser: Browser, site, tmp_path) -> None:
    """From Operations to the end by hand; nobody is shut out of the page meanwhile."""
    async with bulk_on(site, tmp_path) as bulk:
        run = await bulk.waiting()
        await look_at(browser, site.url, f"/dashboard/runs/{run.id}")
        async with watched(browser, site.url) as page:
            await page.goto("/dashboard/operations")
            await page.get_by_role("link", name="catalog cast").click()
            await expect(page.locator(".subject img")).to_have_count(2)
            await page.get_by_role("button", name="Reject").last.click()
            await page.get_by_role("button", name="Approve all but 1 rejected reference").click()
            await expect(page.locator(".state").first).to_have_text("running")
        assert (await bulk.runs.steer.progress(run.id)).states == {
            RowState.DONE: 2,
            RowState.WAITING: 2,
            RowState.CANCELLED: 2,
        }
