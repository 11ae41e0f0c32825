"""One request on the batch lane, held by its handle."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from bulk.remote import lane_of
from gemini_emulator import Emulator
from image_router.bulk.parts import Bulk, opened
from image_router.bulk.remote_handle import BatchHandle, submit
from image_router.config import Settings
from image_router.core.errors import InvalidRequest
from image_router.core.runs import RowState
from image_router.core.types import Lane
from image_router.runs import bulk_of
from image_router.testing import emulated


def _quick(bulk: Bulk) -> Bulk:
    return replace(bulk, lane=lane_of(bulk))


async def test_a_batch_of_one_request_is_submitted_waited_for_and_held_again(
    bulk: Bulk, emulator: Emulator
) -> None:
    quick = _quick(bulk)
    handle = await submit(quick, "a red mug", scope="acme", purpose="hero", size="2K", n=3)
    assert (await handle.status()).states == {RowState.WAITING: 3}
    assert (await handle.result()).open == 3
    result = await handle.wait()
    assert len(result.images) == 3
    assert result.failures == ()
    assert {entry.lane for entry in emulator.bill().entries} == {"batch"}
    assert sum(image.cost.total for image in result.images) == emulator.bill().total
    again = await BatchHandle(id=handle.id, bulk=bulk).result()
    assert [image.digest for image in again.images] == [image.digest for image in result.images]


async def test_a_batch_is_cancelled_at_the_provider(bulk: Bulk, emulator: Emulator) -> None:
    emulator.faults.add("batch_stuck", times=1)
    quick = _quick(bulk)
    handle = await submit(quick, "a red mug", scope="acme", purpose="hero")
    [job] = await quick.lane.prepare(handle.id, chunk=1)
    await quick.lane.step(job)
    await handle.cancel()
    [failure] = (await handle.result()).failures
    assert failure.state is RowState.CANCELLED
    assert emulator.bill().total == 0


async def test_pictures_that_are_late_are_made_at_once(bulk: Bulk, emulator: Emulator) -> None:
    handle = await submit(_quick(bulk), "a red mug", scope="acme", purpose="hero", within=60)
    assert len((await handle.wait()).images) == 1
    assert {entry.lane for entry in emulator.bill().entries} == {"interactive"}


async def test_a_model_without_batch_is_served_as_the_policy_says(settings: Settings, tmp_path: Path) -> None:
    """On a day when Imagen lived, which never had a batch; the default policy takes what comes next."""
    with emulated(as_of="2026-04-09", pictures="flat") as emulator:
        april = replace(settings, base_url=emulator.url, as_of=date(2026, 4, 9), offline=True)
        april = replace(april, emulator_url=emulator.url)
        async with opened(bulk_of(april, sinks=())) as bulk:
            handle = await submit(bulk, "a red mug", scope="acme", model="imagen-4.0-fast-generate-001")
            assert "imagen-4.0-fast-generate-001 has no batch" in handle.note
            [row] = await bulk.runs.rows(handle.id)
            assert row.planned.ask.lane is Lane.BATCH
            assert row.planned.model != "imagen-4.0-fast-generate-001"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"thinking": "high"}, "thinking: a batch cannot say that"),
        ({"n": 0}, "n is 0"),
        ({"size": "3K"}, "'3K' is not one of"),
    ],
)
async def test_what_a_batch_cannot_say_is_refused(bulk: Bulk, asked: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        await submit(bulk, "a red mug", scope="acme", **asked)
