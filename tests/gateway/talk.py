"""Short words for tests that talk JSON to a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from image_router.books import open_books
from image_router.core.router_keys import KeyRules


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    json: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Talk:
    """Whoever holds a key, or nobody in particular."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        address = path if path.startswith("http") else self.url + path
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, address, json=body, headers=sent) as reply,
        ):
            data = await reply.read()
            plain = reply.content_type != "application/json"
            return Answer(reply.status, data, None if plain else await reply.json(), reply.headers)


async def key_of(site: Any, **rules: Any) -> str:
    """A new key's secret; of scope acme where none is named."""
    async with open_books(home=site.home, offline=True) as books:
        made = await books.keys.create(KeyRules(**{"name": "ci", "scope": "acme", **rules}), who="ann")
        return made.secret.text


async def holder(site: Any, **rules: Any) -> Talk:
    """Somebody with a new key of these rules."""
    return Talk(site.url, {"authorization": f"Bearer {await key_of(site, **rules)}"})
