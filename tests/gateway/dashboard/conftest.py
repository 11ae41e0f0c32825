"""Somebody in front of a gateway: with a browser's manners, or with a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from gateway.dashboard.browser import started, watched
from gateway.dashboard.people import Person


@pytest.fixture
async def ann(site) -> AsyncIterator[Person]:
    """In front of the open gateway."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Person(site.url, session)


@pytest.fixture
async def bob(locked) -> AsyncIterator[Person]:
    """In front of the gateway that wants keys."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Person(locked.url, session)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One real browser for all tests of a file."""
    async with started() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, site) -> AsyncIterator[Page]:
    """A page of the open gateway that fails its test for every error on the console, every dialog and every
    foreign request."""
    async with watched(browser, site.url) as page:
        yield page
