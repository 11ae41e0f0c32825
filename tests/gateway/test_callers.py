"""Keys at the door: who is let in, and what everybody else is told."""

from __future__ import annotations

import asyncio

import aiohttp
import openai
import pytest

from image_router.books import open_books
from image_router.core.router_keys import KeyRules
from image_router.core.statement import By
from image_router.core.types import Tier
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


def _client(site, secret: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{site.url}/v1", api_key=secret, max_retries=0)


async def test_a_key_may_use_its_tiers_alone(locked) -> None:
    """What the rules forbid is dropped with that reason; what is pinned against them is a 403."""
    secret = await _key(locked, tiers=frozenset({Tier.NANO_BANANA}))
    with _client(locked, secret) as client:
        made = await asyncio.to_thread(client.images.generate, prompt="a fox", model="auto")
        with pytest.raises(openai.PermissionDeniedError, match="nano_banana"):
            await asyncio.to_thread(client.images.generate, prompt="a fox", model="nano_banana_pro")
    dropped = made.model_extra["image_router"]["decision"]["dropped"]
    assert "key" in {one["reason"] for one in dropped}


async def test_a_keys_money_is_its_scopes(locked) -> None:
    """The ledger charges the key's scope, or one below it; another's is refused."""
    secret = await _key(locked)
    with _client(locked, secret) as client:
        for scope in ("acme", "acme/shoes"):
            ask = {"prompt": "a fox", "model": "auto", "extra_body": {"scope": scope}}
            await asyncio.to_thread(client.images.generate, **ask)
        ask["extra_body"] = {"scope": "other"}
        with pytest.raises(openai.PermissionDeniedError):
            await asyncio.to_thread(client.images.generate, **ask)
    async with open_books(home=locked.home, offline=True) as books:
        lines = await books.statement([By.SCOPE])
    assert {line.of[0] for line in lines} == {"acme", "acme/shoes"}


async def test_too_many_images_a_minute_wait(locked) -> None:
    """429 with Retry-After, and nothing is spent."""
    secret = await _key(locked, images_per_minute=2)
    with _client(locked, secret) as client:
        await asyncio.to_thread(client.images.generate, prompt="a fox", model="auto", n=2)
        with pytest.raises(openai.RateLimitError) as caught:
            await asyncio.to_thread(client.images.generate, prompt="a fox", model="auto")
    assert int(caught.value.response.headers["retry-after"]) > 0
    assert len(locked.emulator.bill().entries) == 2
