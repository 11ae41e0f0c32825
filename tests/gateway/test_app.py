"""The gateway as a whole: health, unknown paths, and who is answered in which words."""

from __future__ import annotations

import aiohttp
import pytest


async def _ask(url: str, method: str = "GET", **more: object) -> tuple[int, dict[str, object]]:
    async with aiohttp.ClientSession() as session, session.request(method, url, **more) as reply:
        return reply.status, await reply.json()


async def test_a_working_gateway_is_ready(site) -> None:
    """Database, provider and catalog are named, each with how it does."""
    status, body = await _ask(f"{site.url}/readyz")
    assert status == 200
    assert {name: check["ok"] for name, check in body["checks"].items()} == {
        "database": True,
        "provider": True,
        "catalog": True,
    }


@pytest.mark.parametrize(
    ("path", "status_word"),
    [("/v1beta/nothing", "NOT_FOUND"), ("/v1/nothing", None), ("/router/v1/nothing", None)],
)
async def test_an_unknown_path_is_a_404_in_the_words_of_its_api(site, path, status_word) -> None:
    """Google's clients read error.status, OpenAI's error.code, ours too."""
    status, body = await _ask(site.url + path)
    assert status == 404
    assert body["error"].get("status") == status_word
    assert path in body["error"]["message"]


async def test_a_wrong_method_names_the_right_one(site) -> None:
    """405 with the methods there are."""
    status, body = await _ask(f"{site.url}/v1/images/generations")
    assert status == 405
    assert "takes POST" in body["error"]["message"]


async def test_an_image_comes_out(site) -> None:
    """One picture, with our own view of how it was made beside it."""
    status, body = await _ask(f"{site.url}/v1/images/generations", "POST", json={"prompt": "a fox"})
    assert status == 200
    assert body["data"][0]["b64_json"]
    assert body["image_router"]["images"][0]["model"]


@pytest.mark.parametrize("path", ["/v1beta/batches", "/router/v1/assets", "/v1/models", "/healthz"])
async def test_what_is_refused_before_it_is_read_is_said_in_the_words_of_its_api(site, path) -> None:
    """An address with a NUL never reaches an operation; Google's clients still find error.status."""
    status, body = await _ask(f"{site.url}{path}?x=%00")
    assert status == 400
    assert ("status" in body["error"]) == path.startswith("/v1beta/")
    assert ("type" in body["error"]) == (path == "/v1/models")
