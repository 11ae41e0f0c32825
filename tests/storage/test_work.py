"""A key names one piece of work for ever: done once, waited for, handed out again, never paid twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

import made
from image_router.core.errors import (
    AllAttemptsFailed,
    AssetError,
    BudgetExceeded,
    ContentRefused,
    IdempotencyConflict,
    ImageRouterError,
    InvalidRequest,
    ProviderError,
    RateLimited,
)
from image_router.core.fingerprint import request_fingerprint
from image_router.core.holds import AttemptKey, Hold, HoldRequest, Sending, Settlement
from image_router.core.money import Nanos
from image_router.core.outcome import Billed
from image_router.core.results import ImageResult
from image_router.core.storing import StoreMode
from image_router.core.types import ImageRequest, Purpose
from image_router.storage.asset_values import Made
from image_router.storage.assets import Assets
from image_router.storage.blobs import Blobs
from image_router.storage.database import Database, Transaction
from image_router.storage.keeping import Keeper
from image_router.storage.landing import insert_asset
from image_router.storage.ledger import Ledger
from image_router.storage.objects import Folder
from image_router.storage.storing_rules import StoringRule, StoringRules
from image_router.storage.work import Claim, Finished, Refused, Works, is_refusal
from image_router.storage.work_rows import Claimed, Running, Work

REQUEST = ImageRequest(prompt="a red fox in the snow", scope="acme/studio", key="order-1")
WORK = Work(scope="acme/studio", key="order-1", fingerprint=request_fingerprint(REQUEST))
SHORT = 0.05
"""Seconds: a lease that is over at once."""


@pytest.fixture
async def assets(database: Database, tmp_path: Path) -> AsyncIterator[Assets]:
    shelf = Assets(database, Blobs(Folder(tmp_path / "store")), rules=StoringRules(database))
    yield shelf
    await shelf.aclose()


@pytest.fixture
def works(database: Database, assets: Assets) -> Works:
    return Works(database, assets, owner="one")


def other(database: Database, assets: Assets, **more: float) -> Works:
    """Another process, as far as the database can tell."""
    return Works(database, assets, owner="two", **more)


def claimed(claim: Claim) -> Claimed:
    assert isinstance(claim, Claimed)
    return claim


async def keep(assets: Assets, one: Made) -> None:
    landed = await assets.land(one)
    if landed is not None:
        await assets.db.write(lambda tx: insert_asset(tx, landed))
        await assets.done(landed)


async def finish(works: Works, assets: Assets, claim: Claimed, *several: Made) -> ImageResult:
    for one in several:
        await keep(assets, one)
    result = made.result(*several)
    record = await works.record_of(claim.work, result)
    await assets.db.write(lambda tx: works.finish(tx, claim, record=record, cost=made.PRICE))
    works.ended(claim)
    return result


def one_picture(seed: int = 0, **more: object) -> Made:
    return made.made(scope="acme/studio", key="order-1", seed=seed, **more)  # type: ignore[arg-type]


async def test_finished_work_is_handed_out_again_free_and_byte_identical(
    works: Works, assets: Assets, database: Database
) -> None:
    """The second caller gets the first one's bytes, at no cost, and is told so."""
    result = await finish(works, assets, claimed(await works.claim(WORK, "req_1")), one_picture())
    again = await other(database, assets).claim(WORK, "req_2")
    assert isinstance(again, Finished)
    assert again.saved == made.PRICE
    assert [image.data for image in again.result.images] == [image.data for image in result.images]
    assert again.result.images[0].digest == made.digest_of(result.images[0].data)
    assert (again.result.cost, again.result.images[0].cost.total, again.result.images[0].cached) == (
        0,
        0,
        True,
    )
    assert "for $0.039; handed out again for free" in again.result.warnings[-1]
    assert replace(again.result.images[0], cost=result.images[0].cost, cached=False) == result.images[0]


async def test_a_second_caller_is_told_who_is_at_it(works: Works, assets: Assets, database: Database) -> None:
    """Without waiting, running work is named with its owner."""
    await works.claim(WORK, "req_1")
    found = await other(database, assets).claim(WORK, "req_2")
    assert isinstance(found, Running)
    assert found.owner == "one"


async def test_a_second_caller_waits_for_the_first(works: Works, assets: Assets, database: Database) -> None:
    """Two callers with one key at once: one works, both have the picture."""
    claim = claimed(await works.claim(WORK, "req_1"))
    waiting = asyncio.create_task(other(database, assets).claim(WORK, "req_2", wait=30))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await finish(works, assets, claim, one_picture())
    assert isinstance(await waiting, Finished)


async def test_of_many_callers_exactly_one_works(works: Works) -> None:
    """Claims are atomic."""
    claims = await asyncio.gather(*(works.claim(WORK, f"req_{n}") for n in range(20)))
    assert [isinstance(claim, Claimed) for claim in claims].count(True) == 1


async def test_the_same_key_in_another_scope_is_other_work(works: Works) -> None:
    """Scopes do not see each other's keys."""
    claimed(await works.claim(WORK, "req_1"))
    claimed(await works.claim(replace(WORK, scope="acme/other"), "req_2"))


@pytest.mark.parametrize("finished", [True, False])
async def test_a_key_that_names_another_request_is_a_conflict(
    works: Works, assets: Assets, finished: bool
) -> None:
    """Running or finished: both digests and the time are named, and nothing is handed out."""
    claim = claimed(await works.claim(WORK, "req_1"))
    if finished:
        await finish(works, assets, claim, one_picture())
    changed = replace(WORK, fingerprint=request_fingerprint(replace(REQUEST, seed=1)))
    with pytest.raises(IdempotencyConflict, match=r"order-1.*20\d\d-.* UTC") as caught:
        await works.claim(changed, "req_2")
    assert WORK.fingerprint[:16] in str(caught.value)
    assert changed.fingerprint[:16] in str(caught.value)


async def test_a_failure_that_left_nothing_is_forgotten(works: Works) -> None:
    """The key is free again, for any request."""
    claim = claimed(await works.claim(WORK, "req_1"))
    await works._db.write(lambda tx: works.let_go(tx, claim))
    works.ended(claim)
    again = claimed(await works.claim(replace(WORK, fingerprint="00" * 32), "req_2"))
    assert (again.turn, again.request_id) == (1, "req_2")


async def test_a_failure_that_left_a_picture_is_taken_up_where_it_was(works: Works, assets: Assets) -> None:
    """One of three pictures came: the next try has it, under the same request id, and makes the others."""
    claim = claimed(await works.claim(WORK, "req_1"))
    await keep(assets, one_picture(n=3, index=1))
    await works._db.write(lambda tx: works.let_go(tx, claim))
    again = claimed(await works.claim(WORK, "req_2"))
    assert (again.turn, again.request_id, [asset.index for asset in again.made]) == (2, "req_1", [1])
    assert (await assets.load(again.made[0].id)).data == made.png()


async def test_a_refusal_is_remembered_with_the_providers_words(works: Works) -> None:
    """Asking again costs no call and brings the same answer."""
    claim = claimed(await works.claim(WORK, "req_1"))
    error = ContentRefused("the prompt was blocked", model="m")
    error.reason, error.words = "PROHIBITED_CONTENT", "no"
    record = await works.record_of(WORK, error)
    await works._db.write(lambda tx: works.refuse(tx, claim, record=record, cost=0))
    again = await works.claim(WORK, "req_2")
    assert isinstance(again, Refused)
    assert isinstance(again.error, ContentRefused)
    assert (str(again.error), again.error.reason, again.error.words) == (
        "the prompt was blocked",
        "PROHIBITED_CONTENT",
        "no",
    )


@pytest.mark.parametrize(
    ("error", "remembered"),
    [
        (ContentRefused("no"), True),
        (RateLimited("later"), False),
        (BudgetExceeded("no money"), False),
        (AllAttemptsFailed("two", failures=[ContentRefused("a"), ContentRefused("b")]), True),
        (AllAttemptsFailed("two", failures=[ContentRefused("a"), RateLimited("b")]), False),
        (ProviderError("?"), False),
    ],
)
def test_only_refusals_of_content_are_remembered(error: ImageRouterError, remembered: bool) -> None:
    """What may be different tomorrow is tried again."""
    assert is_refusal(error) == remembered


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        ("missing", "is missing"),
        ("corrupt", "is damaged"),
        ("removed", r"was removed on 20.* \(removed by hand\)"),
    ],
)
async def test_a_result_whose_picture_is_gone_is_an_error(
    works: Works, assets: Assets, database: Database, *, loss: str, says: str
) -> None:
    """A lost or removed picture is never paid for again in silence, however often the key is tried."""
    await finish(works, assets, claimed(await works.claim(WORK, "req_1")), one_picture())
    digest = made.digest_of(made.png())
    if loss == "missing":
        await assets.blobs.delete(digest)
    elif loss == "corrupt":
        await assets.blobs.store.put(f"blobs/{digest[:2]}/{digest}", b"x" * 99, replace=True)
    else:
        await Keeper(assets).remove("req_1.0")
    for _ in range(2):
        with pytest.raises(AssetError, match=rf"finished on .* for \$0\.039, but .*{says}.* Use a new key"):
            await other(database, assets).claim(WORK, "req_2")


@pytest.mark.parametrize("mode", [StoreMode.METADATA, StoreMode.NONE])
async def test_a_scope_that_keeps_no_pictures_cannot_hand_them_out_again(
    works: Works, assets: Assets, mode: StoreMode
) -> None:
    """The key still stands for finished work: an error, not a second payment."""
    await assets.rules.set("acme", StoringRule(store=mode))
    await finish(works, assets, claimed(await works.claim(WORK, "req_1")), one_picture())
    with pytest.raises(AssetError, match="its result is not kept"):
        await works.claim(WORK, "req_2")


async def test_a_scope_that_keeps_nothing_still_remembers_a_refusal(works: Works, assets: Assets) -> None:
    """Without the provider's words, which may repeat the prompt."""
    await assets.rules.set("acme", StoringRule(store=StoreMode.NONE))
    claim = claimed(await works.claim(WORK, "req_1"))
    record = await works.record_of(WORK, ContentRefused("the prompt 'secret' was blocked"))
    await works._db.write(lambda tx: works.refuse(tx, claim, record=record, cost=0))
    again = await works.claim(WORK, "req_2")
    assert isinstance(again, Refused)
    assert "secret" not in str(again.error)
    assert "words are not kept" in str(again.error)


async def test_a_heartbeat_keeps_work_and_silence_loses_it(
    works: Works, assets: Assets, database: Database
) -> None:
    """Who beats is waited for; who is silent longer than the lease is taken over, and learns it."""
    slow = other(database, assets, lease=SHORT)
    claim = claimed(await slow.claim(WORK, "req_1"))
    assert await slow.beat() == ()
    await asyncio.sleep(3 * SHORT)
    taken = claimed(await works.claim(WORK, "req_2"))
    assert (taken.turn, taken.request_id) == (2, "req_1")
    assert await slow.beat() == (claim,)
    assert await slow.beat() == ()


async def test_who_lost_the_work_cannot_throw_it_away(
    works: Works, assets: Assets, database: Database
) -> None:
    """A frozen owner that wakes up lets go of nothing that is another's now."""
    slow = other(database, assets, lease=SHORT)
    lost = claimed(await slow.claim(WORK, "req_1"))
    await asyncio.sleep(3 * SHORT)
    await works.claim(WORK, "req_2")
    await database.write(lambda tx: slow.let_go(tx, lost))
    assert isinstance(await slow.claim(WORK, "req_3"), Running)


async def test_the_first_who_finishes_is_right(works: Works, assets: Assets, database: Database) -> None:
    """A frozen owner that finishes after all is not undone by the one who took over, nor the other way."""
    slow = other(database, assets, lease=SHORT)
    early = claimed(await slow.claim(WORK, "req_1"))
    await asyncio.sleep(3 * SHORT)
    late = claimed(await works.claim(WORK, "req_2"))
    finish_by = finishing(works)
    assert await database.write(lambda tx: finish_by(tx, early, 1))
    assert not await database.write(lambda tx: finish_by(tx, late, 2))


def finishing(works: Works) -> Callable[[Transaction, Claimed, Nanos], bool]:
    return lambda tx, claim, cost: works.finish(tx, claim, record=None, cost=cost)


async def a_hold(database: Database, request_id: str) -> tuple[Ledger, Hold]:
    ledger = Ledger(database)
    asked = HoldRequest(
        request_id=request_id,
        owner="two",
        scope="acme/studio",
        amount=1_000,
        per_image=100,
        model="m",
        tier=None,
        purpose=Purpose.ECONOMY,
    )
    return ledger, await ledger.hold(asked)


def call(index: int, row: str = "") -> Sending:
    return Sending(attempt=AttemptKey(number=1, index=index, request_id=row), at_risk=100)


async def test_what_a_dead_owner_had_sent_is_unknown(
    works: Works, assets: Assets, database: Database
) -> None:
    """Of four images one is there, one was settled without a picture, two were sent and may be paid."""
    slow = other(database, assets, lease=SHORT)
    await slow.claim(WORK, "req_1")
    ledger, hold = await a_hold(database, "req_1")
    _, chunk = await a_hold(database, "somebody else's")
    for index in range(3):
        await ledger.sent(hold, call(index))
    await ledger.settle(hold, Settlement(attempt=call(1).attempt, billed=Billed.NO))
    await ledger.sent(chunk, call(3, row="req_1"))
    await ledger.sent(chunk, call(4))
    await keep(assets, one_picture(n=4))
    await asyncio.sleep(3 * SHORT)
    taken = claimed(await works.claim(WORK, "req_2"))
    assert ([asset.index for asset in taken.made], taken.unknown) == ([0], {2, 3})


async def test_a_failure_after_an_unknown_call_keeps_the_key(works: Works, database: Database) -> None:
    """What may have been paid is not forgotten: the next try learns of it."""
    claim = claimed(await works.claim(WORK, "req_1"))
    ledger, hold = await a_hold(database, "req_1")
    await ledger.sent(hold, call(0))
    await ledger.settle(hold, Settlement(attempt=call(0).attempt, billed=Billed.UNKNOWN))
    await database.write(lambda tx: works.let_go(tx, claim))
    assert claimed(await works.claim(WORK, "req_2")).unknown == {0}


async def test_a_caller_who_leaves_while_claiming_leaves_no_claim(works: Works) -> None:
    """Whatever instant a caller is cancelled at, the key is not blocked by nobody."""
    for turns in range(12):
        task = asyncio.create_task(works.claim(WORK, "req_1"))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        task.cancel()
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
        await works.drain()
        if isinstance(outcome, Claimed):
            await works._db.write(lambda tx, claim=outcome: works.let_go(tx, claim))
            works.ended(outcome)
    assert claimed(await works.claim(WORK, "req_2")).turn == 1
    # Reads of cancelled callers run on in their threads, and hold connections until they end.
    await asyncio.sleep(0.3)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b", "a\nb", "a\ud800"])
async def test_a_key_that_cannot_be_stored_is_refused(works: Works, key: str) -> None:
    """Both databases take the same keys."""
    with pytest.raises(InvalidRequest, match="printable"):
        await works.claim(replace(WORK, key=key), "req_1")


OWNER = """
import asyncio, sys
from pathlib import Path
import made
from image_router.core.fingerprint import request_fingerprint
from image_router.core.types import ImageRequest
from image_router.storage.assets import Assets
from image_router.storage.blobs import Blobs
from image_router.storage.database import Database
from image_router.storage.keeping import Keeper
from image_router.storage.landing import insert_asset
from image_router.storage.objects import Folder
from image_router.storage.storing_rules import StoringRules
from image_router.storage.work import Works
from image_router.storage.work_rows import Work

address, store, lease, what = sys.argv[1:]

async def main():
    async with await Database.open(address) as db:
        assets = Assets(db, Blobs(Folder(Path(store))), rules=StoringRules(db))
        works = Works(db, assets, owner="process", lease=float(lease))
        request = ImageRequest(prompt="a red fox in the snow", scope="acme/studio", key="order-1")
        work = Work(scope="acme/studio", key="order-1", fingerprint=request_fingerprint(request))
        claim = await works.claim(work, "req_1")
        one = made.made(scope="acme/studio", key="order-1", n=2)
        if what in ("landed", "stored", "finished"):
            landed = await assets.land(one)
        if what in ("stored", "finished"):
            await db.write(lambda tx: insert_asset(tx, landed))
        print(type(claim).__name__, flush=True)
        if what != "finished":
            await asyncio.sleep(600)
        for line in sys.stdin:
            break
        record = await works.record_of(work, made.result(one))
        await db.write(lambda tx: works.finish(tx, claim, record=record, cost=made.PRICE))

asyncio.run(main())
"""


def owner(address: str, store: Path, lease: float, what: str) -> subprocess.Popen[str]:
    """A process that takes the key, comes as far as `what`, and says so."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, address, str(store), str(lease), what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "Claimed"
    return process


async def test_work_of_another_process_is_waited_for(
    works: Works, assets: Assets, address: str, tmp_path: Path
) -> None:
    """Two processes, one key: the second has the first one's picture."""
    with await asyncio.to_thread(owner, address, tmp_path / "store", 60, "finished") as process:
        assert isinstance(await works.claim(WORK, "req_2"), Running)
        waiting = asyncio.create_task(works.claim(WORK, "req_2", wait=60))
        await asyncio.to_thread(process.communicate, "go\n")
        found = await waiting
    assert isinstance(found, Finished)
    assert found.result.image.data == made.png()


@pytest.mark.parametrize(("what", "found"), [("claimed", []), ("landed", []), ("stored", [0])])
async def test_an_owner_killed_mid_way_is_taken_over(
    works: Works, assets: Assets, address: str, *, tmp_path: Path, what: str, found: list[int]
) -> None:
    """kill -9 leaves no key behind for ever, and no picture whose row was written."""
    with await asyncio.to_thread(owner, address, tmp_path / "store", 0.5, what) as process:
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.communicate)
    taken = claimed(await works.claim(WORK, "req_2", wait=60))
    assert (taken.turn, taken.request_id, [asset.index for asset in taken.made]) == (2, "req_1", found)
    recovered = await works.recover(taken, lambda tx, note: None)
    pictures = await works.made(recovered)
    assert {index: image.data for index, image in pictures.items()} == (
        {} if what == "claimed" else {0: made.png()}
    )
    for image in pictures.values():
        assert (image.cached, image.cost.total, "earlier try" in image.warnings[-1]) == (True, 0, True)
    assert [one async for one in assets.stranded(older=0)] == []
