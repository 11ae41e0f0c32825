"""People in front of the dashboard, over plain HTTP: they read pages and fill in their forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import aiohttp

from image_router.books import open_books
from image_router.core.router_keys import KeyRules


@dataclass
class Seen:
    """One answer as a browser got it."""

    status: int
    html: str
    headers: Any

    @property
    def words(self) -> str:
        """What is there to read."""
        return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", self.html)))

    @property
    def token(self) -> str:
        return re.search(r'name="form_token" value="([^"]*)"', self.html)[1]


@dataclass
class Person:
    """Keeps cookies, follows nothing by itself."""

    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> Seen:
        async with self.session.get(self.url + path, headers=headers, allow_redirects=False) as reply:
            return Seen(reply.status, await reply.text(), reply.headers)

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> Seen:
        form = aiohttp.FormData(default_to_multipart=True)
        for name, value in fields.items():
            form.add_field(name, value)
        target = self.url + path
        async with self.session.post(target, data=form, headers=headers, allow_redirects=False) as reply:
            return Seen(reply.status, await reply.text(), reply.headers)

    async def sign_in(self, secret: str, back: str = "/dashboard/router") -> Seen:
        page = await self.get("/dashboard/sign-in")
        fields = {"form_token": page.token, "secret": secret, "next": back}
        return await self.post("/dashboard/sign-in", fields)


async def key_for(home: Any, **rules: Any) -> str:
    """The secret of a new router key."""
    async with open_books(home=home, offline=True) as books:
        made = await books.keys.create(KeyRules(**{"name": "ann", "scope": "acme", **rules}), who="ann")
        return made.secret.text
