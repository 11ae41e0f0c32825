"""Somebody with a browser's manners in front of a gateway; a real browser is in test_browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

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
