"""A real browser for the tests, where this machine has one."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Error, async_playwright

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
