"""The stream of the pages: it says that something changed, in whichever process, and ends when it should."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from gateway.dashboard.people import Person, key_for
from image_router.books import open_books
from image_router.core.money import USD

PATH = "/dashboard/live"


async def _stamps(person: Person) -> AsyncIterator[dict[str, str]]:
    async with person.session.get(person.url + PATH) as reply:
        assert reply.status == 200
        assert reply.content_type == "text/event-stream"
        async for line in reply.content:
            if line.startswith(b"data:"):
                yield json.loads(line.removeprefix(b"data:"))


async def test_it_begins_with_what_is_the_case(ann: Person) -> None:
    """The same stamps as a page that is loaded now: nobody needs to know what was before."""
    stream = _stamps(ann)
    first = await anext(stream)
    await stream.aclose()
    assert set(first) == {"jobs", "spend", "calls"}
    page = await ann.get("/dashboard/operations")
    assert all(stamp in page.html for stamp in first.values())


async def test_a_change_by_another_process_is_told(site, ann: Person) -> None:
    """Caps that are set beside this gateway change the stamp of spend, and no other."""
    stream = _stamps(ann)
    before = await anext(stream)
    async with open_books(home=site.home, offline=True) as books:
        await books.budgets.set("acme", who="ann", day=USD)
    after = await anext(stream)
    await stream.aclose()
    assert {topic for topic in before if before[topic] != after[topic]} == {"spend"}


async def test_it_ends_with_the_key(locked, bob: Person) -> None:
    """Whoever is signed out while they watch is told, and sees nothing more."""
    await bob.sign_in(await key_for(locked.home))
    stream = _stamps(bob)
    await anext(stream)
    async with open_books(home=locked.home, offline=True) as books:
        (key,) = await books.keys.all()
        await books.keys.revoke(key.id, who="ann")
    assert [event async for event in stream][-1] == {}


async def test_nobody_watches_who_is_not_signed_in(bob: Person) -> None:
    """The way to the form, as for every page."""
    assert (await bob.get(PATH)).status == 303
