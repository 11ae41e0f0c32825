"""Whoever is there to look is not offered what would be refused."""

from __future__ import annotations

import re

import pytest

from gateway.dashboard.people import Person, key_for

_HARMLESS = {"/dashboard/theme", "/dashboard/sign-out"}
PAGES = ("router", "playground", "playground?mode=compare&nano_banana=on", "economics", "gallery", "spend")
ADMINS = ("operations", "keys", "settings")


@pytest.mark.parametrize("name", [*PAGES, *ADMINS, "keys/{key}", "pictures/{picture}"])
async def test_no_page_offers_a_form_that_would_be_refused(locked, bob: Person, name: str) -> None:
    """The only ones left change the colours and sign out."""
    secret = await key_for(locked.home, admin=True)
    body = {"prompt": "a fox", "response_format": "url"}
    headers = {"authorization": f"Bearer {secret}"}
    async with bob.session.post(f"{bob.url}/router/v1/images", json=body, headers=headers) as reply:
        picture = (await reply.json())["images"][0]["asset_id"]
    page = await bob.get("/dashboard/sign-in")
    fields = {"form_token": page.token, "secret": secret, "next": "/dashboard", "look": "on"}
    assert (await bob.post("/dashboard/sign-in", fields)).status == 303
    page = await bob.get(f"/dashboard/{name.format(key=secret.split('_')[1], picture=picture)}")
    assert page.status == 200
    assert "Read only" in page.words
    assert set(re.findall(r'method="post" action="([^"]*)"', page.html)) == _HARMLESS
    assert "formmethod" not in page.html
    assert not re.search(r'href="[^"]*/(remove|revoke|cancel)"', page.html)
