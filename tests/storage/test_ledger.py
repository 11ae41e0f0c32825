"""Holds and settlements on real databases. What each step means is tested in tests/core/test_book."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from image_router.core.budget import BudgetAlert
from image_router.core.causes import Billed, Cause
from image_router.core.errors import (
    BudgetExceeded,
    HoldExpired,
    InvalidRequest,
    StorageError,
    StorageProblem,
)
from image_router.core.holds import LEASE, Adjustment, AttemptKey, EntryKind, Settlement
from image_router.core.types import Lane, Size, Tier, Usage
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database, Transaction
from image_router.storage.ledger import Ledger
from image_router.storage.steps import closing, settling, take_steps
from storage.ledgers import FIRST, SCOPE, Clock, asked, no_more_room, paid, sending


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(address: str, clock: Clock) -> AsyncIterator[Database]:
    """This test's database, on this test's clock."""
    async with await Database.open(address, clock=clock) as db:
        yield db


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, patience=5.0)


@pytest.fixture
def budgets(database: Database) -> Budgets:
    return Budgets(database)


async def balanced(ledger: Ledger) -> bool:
    """Whether the ledger adds up; fails with what does not."""
    report = await ledger.verify()
    assert report.discrepancies == ()
    return report.sound


async def test_the_life_of_a_hold(ledger: Ledger, budgets: Budgets) -> None:
    """Held, sent, settled, closed: every entry is there, the cap shows what was spent, and all adds up."""
    await budgets.set("acme", who="ann", month=1000)
    hold = await ledger.hold(asked(100))
    await ledger.sent(hold, sending())
    assert await ledger.pressure(SCOPE) == {"acme month": 10}
    usage = Usage(prompt_tokens=5, candidates_tokens=1120, image_tokens=1120)
    done = paid(60, response_id="resp", usage=usage, size=Size.K1, model="model-b", tier=Tier.NANO_BANANA)
    assert (await ledger.settle(hold, done)).spent == 60
    assert await ledger.close(hold) == 40
    assert await ledger.close(hold) == 0
    assert await ledger.pressure(SCOPE) == {"acme month": 6}
    release, settle, taken = await ledger.recent()
    assert [entry.kind for entry in (taken, settle, release)] == ["hold", "settle", "release"]
    assert (settle.request_id, settle.attempt, settle.scope) == ("req_1", FIRST, SCOPE)
    assert (settle.model, settle.tier, settle.card) == ("model-b", Tier.NANO_BANANA, "2026-04-09")
    assert (settle.response_id, settle.billed, settle.outcome) == ("resp", Billed.YES, Cause.OK)
    assert (settle.size, settle.images, settle.lane) == (Size.K1, 1, Lane.INTERACTIVE)
    assert '"image_tokens":1120' in (settle.usage or "")
    assert [entry.id for entry in (taken, settle, release)] == [1, 2, 3]
    assert await balanced(ledger)


async def test_many_at_once_never_pass_a_cap(ledger: Ledger, budgets: Budgets) -> None:
    """Of a hundred holds at once exactly as many fit as the cap allows, in every scope above."""
    await budgets.set("acme", who="ann", day=3050)
    await budgets.set("acme/studio", who="ann", total=2950)
    results = await asyncio.gather(*(ledger.hold(asked(100)) for _ in range(100)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, BudgetExceeded)]
    assert len(results) - len(refused) == 29
    assert {(r.scope, r.window, r.spent, r.held) for r in refused} == {("acme/studio", "total", 0, 2900)}
    assert await balanced(ledger)


async def test_a_small_one_fits_where_a_large_one_does_not(ledger: Ledger, budgets: Budgets) -> None:
    """Holds stored together are judged one after the other, each by itself."""
    await budgets.set("acme", who="ann", day=100)
    large, small, more = await asyncio.gather(
        ledger.hold(asked(101)), ledger.hold(asked(60)), ledger.hold(asked(40)), return_exceptions=True
    )
    assert isinstance(large, BudgetExceeded)
    assert not isinstance(small, BaseException)
    assert not isinstance(more, BaseException)


async def test_a_refused_step_does_not_disturb_its_group(ledger: Ledger, budgets: Budgets) -> None:
    """Errors of some steps of a group leave the sums of the others right."""
    await budgets.set("acme", who="ann", day=10_000)
    holds = [await ledger.hold(asked(100)) for _ in range(5)]
    results = await asyncio.gather(
        *(ledger.settle(hold, paid(70)) for hold in holds),
        ledger.settle("hold_none", paid(1)),
        ledger.grow("hold_none", 1),
        *(ledger.close(hold) for hold in holds),
        return_exceptions=True,
    )
    assert sum(isinstance(result, InvalidRequest) for result in results) == 2
    assert await balanced(ledger)
    assert await ledger.pressure(SCOPE) == {"acme day": 3}


async def test_settling_shares_a_transaction(ledger: Ledger, database: Database) -> None:
    """A settlement stored with other rows is stored with them or not at all."""
    hold = await ledger.hold(asked(100))

    def broken(tx: Transaction) -> None:
        take_steps(tx, [settling(hold, paid(60)), closing(hold)])
        raise RuntimeError("the asset row could not be written")

    with pytest.raises(RuntimeError):
        await database.write(broken)
    assert [entry.kind for entry in await ledger.recent()] == [EntryKind.HOLD]
    results, alerts = await database.write(
        lambda tx: take_steps(tx, [settling(hold, paid(60)), closing(hold)])
    )
    assert (results[0].spent, results[1], alerts) == (60, 40, [])
    assert await balanced(ledger)


async def test_overrun(ledger: Ledger, budgets: Budgets) -> None:
    """More than was held is recorded, shown as an overrun, and stands above the cap."""
    await budgets.set("acme", who="ann", day=100)
    hold = await ledger.hold(asked(100))
    await ledger.sent(hold, sending())
    assert (await ledger.settle_and_close(hold, paid(130))).overrun == 30
    assert await ledger.pressure(SCOPE) == {"acme day": 130}
    assert await balanced(ledger)


async def test_expiry(ledger: Ledger, budgets: Budgets, clock: Clock) -> None:
    """Silent holds are given up: unsent ones for free, sent ones as unknown and counted until corrected."""
    await budgets.set("acme", who="ann", day=1000)
    unsent, sent, alive = [await ledger.hold(asked(100)) for _ in range(3)]
    await ledger.sent(sent, sending(80, model="model-b", tier=Tier.NANO_BANANA))
    clock.pass_seconds(LEASE - 1)
    assert await ledger.expire() == ()
    assert await ledger.heartbeat([alive, "hold_none"]) == ("hold_none",)
    clock.pass_seconds(LEASE - 1)
    assert set(await ledger.expire()) == {unsent.id, sent.id}
    assert await ledger.expire() == ()
    assert await ledger.heartbeat([unsent, alive]) == (unsent.id,)
    (unknown,) = await ledger.unknowns()
    assert (unknown.hold_id, unknown.attempt, unknown.at_risk) == (sent.id, FIRST, 80)
    assert (unknown.model, unknown.tier, unknown.scope) == ("model-b", Tier.NANO_BANANA, SCOPE)
    assert await ledger.pressure(SCOPE) == {"acme day": 18}
    told = Adjustment(attempt=FIRST, amount=60, who="ann", reason="bill of November")
    await ledger.adjust(sent, told)
    assert await ledger.unknowns() == []
    assert await ledger.pressure(SCOPE) == {"acme day": 16}
    with pytest.raises(HoldExpired, match="take a new hold"):
        await ledger.sent(sent, sending(80, AttemptKey(number=2)))
    assert await balanced(ledger)


async def test_expiring_hundreds(ledger: Ledger, clock: Clock) -> None:
    """However many owners died, all their holds are given up."""
    await asyncio.gather(*(ledger.hold(asked(1)) for _ in range(450)))
    clock.pass_seconds(LEASE + 1)
    assert len(await ledger.expire()) == 450
    assert (await ledger.verify()).open_holds == 0


async def test_a_late_owner(ledger: Ledger, clock: Clock) -> None:
    """An owner that was frozen and taken for dead still has its cost recorded, as a correction."""
    hold = await ledger.hold(asked(100))
    await ledger.sent(hold, sending(100))
    clock.pass_seconds(LEASE + 1)
    await ledger.expire()
    assert (await ledger.settle(hold, paid(60))).kind is EntryKind.ADJUST
    assert await ledger.unknowns() == []
    assert sum(entry.spent for entry in await ledger.recent()) == 60
    assert await balanced(ledger)


@pytest.mark.parametrize("jump", [3600, -3600, 86_400, -86_400])
async def test_clock_jumps(ledger: Ledger, budgets: Budgets, clock: Clock, jump: int) -> None:
    """The wall clock jumping hours or days loses no hold, doubles none, and every window adds up."""
    await budgets.set("acme", who="ann", day=1000, month=5000)
    first = await ledger.hold(asked(100))
    clock.wall += jump * 1_000_000
    second = await ledger.hold(asked(200))
    assert await ledger.expire() == ()
    clock.wall -= jump * 1_000_000
    await ledger.settle_and_close(first, paid(60))
    await ledger.settle_and_close(second, paid(150))
    assert await balanced(ledger)
    assert sum(entry.spent for entry in await ledger.recent()) == 210


async def test_windows_reset(ledger: Ledger, budgets: Budgets, clock: Clock) -> None:
    """A day's cap is free again the next day of its zone; the month remembers."""
    await budgets.set("acme", who="ann", day=100, month=250, zone="Asia/Tokyo")
    await ledger.hold(asked(100))
    with pytest.raises(BudgetExceeded) as refusal:
        await ledger.hold(asked(1))
    assert refusal.value.window_end is not None
    assert refusal.value.window_end.isoformat() == "2026-11-23T00:00:00+09:00"
    clock.pass_seconds(3 * 3600)
    await ledger.hold(asked(100))
    clock.pass_seconds(86_400)
    with pytest.raises(BudgetExceeded) as refusal:
        await ledger.hold(asked(100))
    assert refusal.value.window == "month"
    assert await balanced(ledger)


async def test_alerts(database: Database, budgets: Budgets) -> None:
    """Each threshold is announced once, however many holds pass it together."""
    seen: list[BudgetAlert] = []
    ledger = Ledger(database, on_alert=seen.append)
    await budgets.set("acme", who="ann", day=1000, alerts=(50, 90))
    await asyncio.gather(*(ledger.hold(asked(50)) for _ in range(19)))
    assert sorted((alert.scope, alert.percent) for alert in seen) == [("acme", 50), ("acme", 90)]
    await budgets.set("acme", who="ann", day=1900)
    await ledger.hold(asked(1))
    assert [alert.percent for alert in seen[2:]] == [50]


async def test_alerts_belong_to_their_scope(database: Database, budgets: Budgets) -> None:
    """Each scope announces its own thresholds of its own caps and windows, whoever below it spends."""
    seen: list[BudgetAlert] = []
    ledger = Ledger(database, on_alert=seen.append)
    await budgets.set("acme", who="ann", month=1000, total=100_000, alerts=(10, 20))
    await budgets.set("acme/studio", who="ann", day=200, alerts=(90,))
    await budgets.set("acme/other", who="ann", day=10_000, alerts=(1,))

    def told() -> list[tuple[str, str, int]]:
        found = [(alert.scope, str(alert.window), alert.percent) for alert in seen]
        seen.clear()
        return sorted(found)

    await ledger.hold(asked(100, scope="acme/studio/key-7"))
    assert told() == [("acme", "month", 10)]
    await ledger.hold(asked(80, scope="acme/studio/key-8"))
    assert told() == [("acme/studio", "day", 90)]
    await ledger.hold(asked(100, scope="acme/other"))
    assert told() == [("acme", "month", 20), ("acme/other", "day", 1)]
    assert await balanced(ledger)


class TestWaiting:
    """wait: as long as it can help, and no longer."""

    async def test_until_another_settles(self, ledger: Ledger, budgets: Budgets) -> None:
        """A hold that does not fit waits until one of this process gives back."""
        await budgets.set("acme", who="ann", day=100)
        first = await ledger.hold(asked(100))
        waiting = asyncio.create_task(ledger.hold(asked(60), wait=30))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await ledger.settle_and_close(first, paid(40))
        assert (await waiting).amount == 60

    async def test_until_another_process_settles(
        self, address: str, clock: Clock, ledger: Ledger, budgets: Budgets
    ) -> None:
        """What another process gives back is seen as well."""
        await budgets.set("acme", who="ann", day=100)
        async with await Database.open(address, clock=clock) as elsewhere:
            first = await Ledger(elsewhere).hold(asked(100))
            waiting = asyncio.create_task(ledger.hold(asked(60), wait=30))
            await asyncio.sleep(0.1)
            await Ledger(elsewhere).close(first)
            assert (await waiting).amount == 60

    async def test_everyone_is_served(self, ledger: Ledger, budgets: Budgets) -> None:
        """Of many that wait for a small cap, each gets its turn."""
        await budgets.set("acme", who="ann", day=100_000)
        await budgets.set("acme/studio", who="ann", total=10_000)

        async def one() -> int:
            hold = await ledger.hold(asked(3000), wait=60)
            await asyncio.sleep(0.01)
            return (await ledger.settle_and_close(hold, paid(300))).spent

        assert await asyncio.gather(*(one() for _ in range(24))) == [300] * 24
        assert await balanced(ledger)

    async def test_not_in_vain(self, ledger: Ledger, budgets: Budgets) -> None:
        """What is spent does not come back: the refusal is immediate, however long one would wait."""
        await budgets.set("acme", who="ann", day=100)
        hold = await ledger.hold(asked(100))
        await ledger.settle_and_close(hold, paid(60))
        async with asyncio.timeout(20):
            with pytest.raises(BudgetExceeded):
                await ledger.hold(asked(41), wait=3600)
            with pytest.raises(BudgetExceeded):
                await ledger.hold(asked(101), wait=86_400 * 40)

    async def test_until_the_window_ends(self, ledger: Ledger, budgets: Budgets, clock: Clock) -> None:
        """When the window ends in time, waiting for it is worth while."""
        await budgets.set("acme", who="ann", day=100)
        await ledger.settle_and_close(await ledger.hold(asked(100)), paid(100))
        waiting = asyncio.create_task(ledger.hold(asked(60), wait=13 * 3600))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        clock.pass_seconds(12 * 3600)
        assert (await waiting).amount == 60

    async def test_for_the_money_of_the_dead(self, ledger: Ledger, budgets: Budgets, clock: Clock) -> None:
        """Whoever waits gets what an owner that died still held, without anybody looking after it."""
        await budgets.set("acme", who="ann", total=100)
        await ledger.hold(asked(100))
        clock.pass_seconds(LEASE + 1)
        assert (await ledger.hold(asked(100), wait=30)).amount == 100

    async def test_no_longer_than_asked(self, ledger: Ledger, budgets: Budgets) -> None:
        """When the time is over, the refusal is the usual one and nothing is held."""
        await budgets.set("acme", who="ann", day=100)
        await ledger.hold(asked(100))
        with pytest.raises(BudgetExceeded):
            await ledger.hold(asked(60), wait=0.05)
        assert await ledger.pressure(SCOPE) == {"acme day": 100}


async def test_a_cancelled_hold_is_given_back(ledger: Ledger, budgets: Budgets) -> None:
    """A caller that is cancelled while its hold is on the way leaves nothing held behind."""
    await budgets.set("acme", who="ann", day=1000)
    tasks = [asyncio.create_task(ledger.hold(asked(100))) for _ in range(5)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
    await ledger.drain()
    assert (await ledger.verify()).open_holds == 0
    assert await ledger.pressure(SCOPE) == {"acme day": 0}


async def test_a_cancelled_settlement_is_recorded(ledger: Ledger) -> None:
    """Money that was spent is written down even when nobody waits for it any more."""
    hold = await ledger.hold(asked(100))
    task = asyncio.create_task(ledger.settle(hold, paid(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ledger.drain()
    assert sum(entry.spent for entry in await ledger.recent()) == 60


async def test_a_lowered_cap(ledger: Ledger, budgets: Budgets) -> None:
    """Lowering a cap below what is held is recorded, stops new holds, and disturbs none under way."""
    await budgets.set("acme", who="ann", day=1000)
    hold = await ledger.hold(asked(500))
    await budgets.set("acme", who="bob", day=100)
    assert await ledger.pressure(SCOPE) == {"acme day": 500}
    with pytest.raises(BudgetExceeded):
        await ledger.hold(asked(1))
    await ledger.sent(hold, sending(500))
    await ledger.settle_and_close(hold, paid(90))
    await ledger.hold(asked(10))
    assert await balanced(ledger)


async def test_a_new_cap_knows_the_past(ledger: Ledger, budgets: Budgets) -> None:
    """A cap set in the middle of a window counts what was spent and held in it before, below it as well."""
    await ledger.settle_and_close(await ledger.hold(asked(300)), paid(250))
    open_one = await ledger.hold(asked(100))
    await ledger.hold(asked(1000, scope="acme-else/studio"))
    await budgets.set("acme", who="ann", day=1000, total=2000)
    assert await ledger.pressure(SCOPE) == {"acme day": 35, "acme total": 17}
    await ledger.settle_and_close(open_one, paid(50))
    await ledger.hold(asked(700))
    with pytest.raises(BudgetExceeded):
        await ledger.hold(asked(1))
    assert await balanced(ledger)


async def test_another_zone_in_the_middle_of_a_day(ledger: Ledger, budgets: Budgets) -> None:
    """A budget moved to another zone forgets nothing that was spent in the zone's current day."""
    await budgets.set("acme", who="ann", day=1000)
    open_one = await ledger.hold(asked(400))
    await budgets.set("acme", who="ann", zone="Asia/Tokyo")
    with pytest.raises(BudgetExceeded):
        await ledger.hold(asked(601))
    await ledger.hold(asked(600))
    await ledger.settle_and_close(open_one, paid(100))
    assert await ledger.pressure(SCOPE) == {"acme day": 70}
    assert await balanced(ledger)


async def test_what_is_left_unknown_by_its_owner(ledger: Ledger) -> None:
    """A settlement of unknown billing is listed until it is settled for good."""
    hold = await ledger.hold(asked(100))
    await ledger.sent(hold, sending(100))
    await ledger.settle(hold, Settlement(attempt=FIRST, billed=Billed.UNKNOWN, outcome=Cause.CONNECTION_LOST))
    assert [unknown.at_risk for unknown in await ledger.unknowns()] == [100]
    assert await ledger.unknowns("elsewhere") == []
    await ledger.settle(hold, paid(55))
    assert await ledger.unknowns() == []
    await ledger.close(hold)
    assert await balanced(ledger)


async def test_a_lost_database_is_waited_for(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step whose confirmation is lost is repeated and still counts once."""
    write, failures = database.write_together, [True, True]

    async def lossy(together: object, item: object, *, durable: bool) -> object:
        result = await write(together, item, durable=durable)  # type: ignore[arg-type]
        if failures:
            failures.pop()
            raise StorageError("cut off", problem=StorageProblem.GONE, in_doubt=True)
        return result

    monkeypatch.setattr(database, "write_together", lossy)
    hold = await ledger.hold(asked(100))
    failures.append(True)
    await ledger.sent(hold, sending())
    failures.append(True)
    await ledger.settle(hold, paid(60, response_id="r"))
    failures.append(True)
    await ledger.close(hold)
    assert [entry.kind for entry in await ledger.recent()] == ["release", "settle", "hold"]
    assert await balanced(ledger)


async def test_a_full_disk_is_not_waited_for(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not pass by itself is reported at once."""
    calls: list[int] = []

    async def full(_together: object, _item: object, *, durable: bool) -> object:
        calls.append(1)
        raise StorageError("full", problem=StorageProblem.FULL)

    monkeypatch.setattr(database, "write_together", full)
    with pytest.raises(StorageError, match="full"):
        await ledger.hold(asked(100))
    assert len(calls) == 1


async def test_a_hold_of_many_rows(ledger: Ledger, budgets: Budgets) -> None:
    """A chunk's hold is settled row by row, each under its own request, and closes with what is left."""
    await budgets.set("acme", who="ann", day=100_000)
    hold = await ledger.hold(asked(10_000, per_image=100, request_id="chunk_1"))
    rows = [AttemptKey(number=1, request_id=f"row_{row:02}") for row in range(90)]
    await asyncio.gather(*(ledger.sent(hold, sending(100, key)) for key in rows))
    await asyncio.gather(*(ledger.settle(hold, paid(70, key, response_id=key.request_id)) for key in rows))
    assert (await ledger.settle(hold, paid(70, rows[3], response_id="row_03"))).kind is None
    assert await ledger.close(hold) == 10_000 - 90 * 70
    assert [entry.spent for entry in await ledger.entries_of("row_03") if entry.attempt] == [70]
    assert await balanced(ledger)


@pytest.mark.parametrize("deadline", [0, -1, float("nan"), float("inf")])
def test_deadlines_that_are_none(deadline: float) -> None:
    """A hold has an end: a deadline without one is refused."""
    with pytest.raises(InvalidRequest):
        asked(100, deadline=deadline)


@pytest.mark.parametrize("wait", [0, -1, float("nan")])
async def test_not_waiting(ledger: Ledger, budgets: Budgets, wait: float) -> None:
    """Without a time to wait the refusal comes at once."""
    await budgets.set("acme", who="ann", day=100)
    await ledger.hold(asked(100))
    with pytest.raises(BudgetExceeded):
        await ledger.hold(asked(1), wait=wait)


async def test_connections_cut_in_the_middle(on_postgresql: str) -> None:
    """A server that keeps throwing connections out loses no step and doubles none."""

    async def spend(ledger: Ledger, name: str) -> None:
        for turn in range(10):
            hold = await ledger.hold(asked(100, request_id=f"{name}_{turn}"))
            await ledger.sent(hold, sending())
            await ledger.settle(hold, paid(60, response_id=f"{name}_{turn}"))
            await ledger.close(hold)

    async def cut(spending: asyncio.Future[list[None]]) -> int:
        cuts = 0
        async with await psycopg.AsyncConnection.connect(on_postgresql, autocommit=True) as connection:
            while not spending.done():
                others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE " + (
                    "datname = current_database() AND pid <> pg_backend_pid()"
                )
                row = await (await connection.execute(others)).fetchone()
                cuts += row[0] if row else 0
                await asyncio.sleep(0.1)
        return cuts

    async with await Database.open(on_postgresql) as database:
        ledger = Ledger(database, patience=60.0)
        await Budgets(database).set("acme", who="ann", day=100_000)
        spending = asyncio.gather(*(spend(ledger, f"req_{number}") for number in range(20)))
        cuts = await cut(spending)
        await spending
        assert cuts > 0
        (line,) = await ledger.statement([])
        assert (line.calls, line.spent) == (200, 200 * 60)
        assert (await ledger.verify()).open_holds == 0
        assert await balanced(ledger)


async def test_growing_is_not_repeated_in_doubt(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Growth whose confirmation was lost is reported instead of being held twice."""
    hold, write = await ledger.hold(asked(100)), database.write_together

    async def lossy(together: object, item: object, *, durable: bool) -> object:
        await write(together, item, durable=durable)  # type: ignore[arg-type]
        raise StorageError("cut off", problem=StorageProblem.GONE, in_doubt=True)

    monkeypatch.setattr(database, "write_together", lossy)
    with pytest.raises(StorageError):
        await ledger.grow(hold, 50)
    monkeypatch.undo()
    assert await ledger.close(hold) == 150


async def test_a_full_disk_while_settling(tmp_path: Path) -> None:
    """A settlement the disk has no room for is a typed error; the hold stays, and room lets it be settled."""
    async with await Database.open(tmp_path / "x.db") as database:
        ledger = Ledger(database)
        hold = await ledger.hold(asked(100))
        await ledger.sent(hold, sending())
        with no_more_room(1):
            with pytest.raises(StorageError) as refusal:
                await ledger.settle(hold, paid(60))
            with pytest.raises(StorageError):
                await ledger.hold(asked(100))
        assert refusal.value.problem is StorageProblem.FULL
        assert (await ledger.settle(hold, paid(60))).spent == 60
        assert await balanced(ledger)
