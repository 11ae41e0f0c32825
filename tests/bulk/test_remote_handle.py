"""One request on the batch lane, held by its handle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bulk.remote import lane_of
from gemini_emulator import Emulator
from image_router.bulk.parts import Bulk
from image_router.bulk.remote_handle import BatchHandle, submit
from image_router.core.errors import InvalidRequest
from image_router.core.runs import RowState


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
