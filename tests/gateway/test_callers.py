"""Keys at the door: who is let in, and what everybody else is told."""

from __future__ import annotations

import aiohttp
import pytest

from image_router.books import open_books
from image_router.core.router_keys import KeyRules
from image_router.storage.router_keys import RouterKeys


async def _key(site, **rules: object) -> str:
    async with open_books(home=site.home, offline=True) as books:
        made = await RouterKeys(books.db).create(
            KeyRules(**{"name": "ci", "scope": "acme", **rules}), who="ann"
        )
        return made.secret.text


async def _models(url: str, **headers: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/v1/models", headers=headers) as reply:
        return reply.status


@pytest.mark.parametrize("header", ["authorization", "x-goog-api-key", "x-api-key"])
async def test_a_key_opens_under_every_header_that_clients_use(locked, header) -> None:
    """OpenAI's clients send a bearer token, Google's their own header."""
    secret = await _key(locked)
    shown = f"Bearer {secret}" if header == "authorization" else secret
    assert await _models(locked.url, **{header: shown}) == 200


@pytest.mark.parametrize("shown", ["", "Bearer ", "Bearer ir_nothing", "Basic abc"])
async def test_without_a_key_nobody_is_let_in(locked, shown) -> None:
    """401, and nothing is said of which keys there are."""
    assert await _models(locked.url, authorization=shown) == 401


async def test_health_needs_no_key(locked) -> None:
    """A load balancer has none."""
    async with aiohttp.ClientSession() as session, session.get(f"{locked.url}/readyz") as reply:
        assert reply.status == 200
