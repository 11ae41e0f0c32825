"""What was said of a picture stays with it, and goes with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import made
from image_router.core.errors import AssetError
from image_router.storage.asset_queries import Query, Unsaid
from image_router.storage.asset_values import Verdict
from image_router.storage.assets import Assets
from image_router.storage.blobs import Blobs
from image_router.storage.database import Database
from image_router.storage.feedback import FeedbackBook
from image_router.storage.keeping import Keeper
from image_router.storage.landing import insert_asset
from image_router.storage.objects import Folder
from image_router.storage.storing_rules import StoringRules


@pytest.fixture
async def assets(database: Database, tmp_path: Path) -> AsyncIterator[Assets]:
    """With four pictures, named req_1.0 to req_4.0; each a nano-dollar dearer than the one before."""
    shelf = Assets(database, Blobs(Folder(tmp_path / "store")), rules=StoringRules(database))
    for number in range(1, 5):
        one = made.made(request_id=f"req_{number}", scope="acme" if number % 2 else "other")
        landed = await shelf.land(one)
        assert landed is not None
        await database.write(lambda tx, landed=landed: insert_asset(tx, landed))
        await shelf.done(landed)
    yield shelf
    await shelf.aclose()


@pytest.fixture
def book(database: Database) -> FeedbackBook:
    return FeedbackBook(database)


async def test_the_last_word_counts(assets: Assets, book: FeedbackBook) -> None:
    """Kept, then rejected by somebody else, then taken back."""
    assert (await assets.get("req_1.0")).feedback is None
    said = (await book.say("req_1.0", Verdict.KEPT, who="ann")).feedback
    assert said is not None
    assert (said.verdict, said.who) == (Verdict.KEPT, "ann")
    await book.say("req_1.0", Verdict.REJECTED, who="bob")
    said = (await assets.get("req_1.0")).feedback
    assert said is not None
    assert (said.verdict, said.who) == (Verdict.REJECTED, "bob")
    assert (await book.say("req_1.0", None, who="bob")).feedback is None
    assert (await assets.get("req_1.0")).feedback is None


async def test_saying_the_same_again_keeps_who_said_it_first(assets: Assets, book: FeedbackBook) -> None:
    """A button that is pressed twice is no second opinion."""
    first = (await book.say("req_1.0", Verdict.KEPT, who="ann")).feedback
    assert (await book.say("req_1.0", Verdict.KEPT, who="bob")).feedback == first


async def test_an_unknown_picture_is_refused(assets: Assets, book: FeedbackBook) -> None:
    """Nothing is written of what nobody made."""
    with pytest.raises(AssetError, match="no picture"):
        await book.say("req_9.0", Verdict.KEPT, who="ann")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Verdict.KEPT, ["req_1.0"]),
        (Verdict.REJECTED, ["req_3.0"]),
        (Unsaid.NONE, ["req_4.0", "req_2.0"]),
        (None, ["req_4.0", "req_3.0", "req_2.0", "req_1.0"]),
    ],
)
async def test_pictures_are_found_by_what_was_said(
    assets: Assets, book: FeedbackBook, asked: Verdict | Unsaid | None, found: list[str]
) -> None:
    """Kept, rejected, neither, or all."""
    await book.say("req_1.0", Verdict.KEPT, who="ann")
    await book.say("req_3.0", Verdict.REJECTED, who="ann")
    assert [one.id for one in await assets.list(Query(feedback=asked))] == found


@pytest.mark.parametrize(
    ("least", "most", "count"),
    [(made.PRICE, made.PRICE, 4), (made.PRICE + 1, None, 0), (None, made.PRICE - 1, 0), (0, None, 4)],
)
async def test_pictures_are_found_by_their_cost(
    assets: Assets, least: int | None, most: int | None, count: int
) -> None:
    """Both bounds belong to it."""
    assert len(await assets.list(Query(least=least, most=most))) == count


async def test_pictures_with_warnings_are_told_apart(assets: Assets) -> None:
    """By the field alone: a prompt that looks like it does not count."""
    landed = await assets.land(made.made('say "warnings":["', request_id="req_5"))
    assert landed is not None
    assert landed.asset.details is not None
    await assets.db.write(lambda tx: insert_asset(tx, landed))
    await assets.done(landed)
    warned = {one.id for one in await assets.list(Query(warned=True))}
    clean = {one.id for one in await assets.list(Query(warned=False))}
    every = await assets.list()
    assert warned == {one.id for one in every if one.details and one.details.warnings}
    assert clean == {one.id for one in every} - warned
    assert ("req_5.0" in warned) == bool(landed.asset.details.warnings)


async def test_forgetting_a_scope_forgets_what_was_said(assets: Assets, book: FeedbackBook) -> None:
    """Who liked what is about people too; another scope's stays."""
    await book.say("req_1.0", Verdict.KEPT, who="ann")
    await book.say("req_2.0", Verdict.KEPT, who="ann")
    await Keeper(assets).forget("acme")
    assert (await assets.get("req_1.0")).feedback is None
    assert (await assets.get("req_2.0")).feedback is not None
