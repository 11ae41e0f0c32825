"""How far an upload's rows are read, in the database; on both databases."""

from __future__ import annotations

from dataclasses import replace

from image_router.storage.database import Database
from image_router.storage.remote_rows import Reading, begin_reading, go_on_reading, reading_of


async def test_a_reading_goes_on_from_where_it_was(database: Database) -> None:
    """Whoever comes second from the same place writes nothing."""
    await begin_reading(database, "u1")
    first = replace(Reading(upload="u1"), taken=7, tail=b"\xffbegun", rows='[{"words": 3}]', lines=1)
    assert await go_on_reading(database, first, was=0)
    assert not await go_on_reading(database, replace(first, lines=9), was=0)
    assert await reading_of(database, upload="u1") == first


async def test_a_reading_is_found_by_its_file(database: Database) -> None:
    """Once the upload is whole; others are not read."""
    await begin_reading(database, "u1")
    await begin_reading(database, "u2")
    done = Reading(upload="u1", file="files/abc", taken=3)
    await go_on_reading(database, done, was=0)
    assert await reading_of(database, file="files/abc") == done
    assert await reading_of(database, file="files/other") is None
    assert await reading_of(database, upload="u3") is None
