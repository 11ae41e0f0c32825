"""A PostgreSQL that starts again in the middle of the work: nothing is lost, nothing is paid twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import postgres_server
from image_router.aio import ImageRouter
from image_router.books import Books, open_books
from image_router.config import Secret, Settings
from image_router.core.errors import StorageError
from image_router.core.results import ImageResult
from image_router.storage.asset_queries import Query
from image_router.testing import ScriptedProvider

TASKS = 12


class Slow(ScriptedProvider):
    """Every call takes a moment, so that the server goes down in the middle of some."""

    async def generate(self, *args: Any, **more: Any) -> Any:
        await asyncio.sleep(0.15)
        return await super().generate(*args, **more)


async def work(
    router: ImageRouter, name: int, made: asyncio.Queue[ImageResult], stop: asyncio.Event
) -> list[str]:
    """Requests one after the other until told to stop; the errors that came."""
    troubles, turn = [], 0
    while not stop.is_set():
        turn += 1
        try:
            made.put_nowait(await router.generate(f"fox {name} {turn}", scope="acme"))
        except StorageError as problem:
            troubles.append(problem.problem.value)
            await asyncio.sleep(0.1)
    return troubles


@pytest.mark.parametrize("restarts", [1, pytest.param(5, marks=pytest.mark.long)])
async def test_work_goes_on(tmp_path: Path, restarts: int) -> None:
    """Whoever was in mid-work gets a picture or a typed error; every picture is booked and all adds up."""
    with postgres_server.restartable() as (url, restart):
        settings = Settings(home=tmp_path, database=Secret(url))
        provider, made, stop = Slow(), asyncio.Queue[ImageResult](), asyncio.Event()
        taken: list[ImageResult] = []
        async with ImageRouter(settings, via=provider) as router:
            tasks = [asyncio.create_task(work(router, n, made, stop)) for n in range(TASKS)]
            for _ in range(restarts):
                taken += [await made.get() for _ in range(TASKS)]
                await asyncio.to_thread(restart)
            taken += [await made.get() for _ in range(2 * TASKS)]
            stop.set()
            troubles = [problem for each in await asyncio.gather(*tasks) for problem in each]
        taken += [made.get_nowait() for _ in range(made.qsize())]
        assert set(troubles) <= {"gone", "locked"}
        async with open_books(settings) as books:
            await checked(books, taken, calls=len(provider.calls))


async def checked(books: Books, made: list[ImageResult], *, calls: int) -> None:
    """Ledger, assets and calls agree."""
    report = await books.ledger.verify()
    assert report.discrepancies == ()
    (line,) = await books.statement([])
    assert (line.calls, len(await books.unknowns())) == (calls, calls - len(made))
    known = line.spent - sum(one.amount for one in await books.unknowns())
    assert known == sum(result.cost for result in made)
    assert await _stored(books) == {result.request_id for result in made}


async def _stored(books: Books) -> set[str]:
    """Requests whose picture is kept."""
    found, last = set[str](), None
    while page := await books.assets.list(Query(limit=500, before=last)):
        found |= {asset.request_id for asset in page}
        last = page[-1].id
    return found


async def test_a_read_outlives_a_restart(tmp_path: Path) -> None:
    """A connection that was idle while the server started again costs its next reader nothing."""
    with postgres_server.restartable() as (url, restart):
        async with open_books(Settings(home=tmp_path, database=Secret(url))) as books:
            await books.budgets.set("acme", who="test", day=10**9)
            before = await books.budgets.all()
            await asyncio.to_thread(restart)
            assert await books.budgets.all() == before
            await books.budgets.set("acme", who="test", day=10**9 + 1)
