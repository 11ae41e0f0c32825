"""A ledger that was tampered with, torn or cut says where."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from image_router.core.errors import StorageError, StorageProblem
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database, Transaction
from image_router.storage.ledger import Ledger
from storage.ledgers import asked, paid, sending


@pytest.fixture
async def ledger(database: Database) -> Ledger:
    """Entries 1 to 6: hold, hold, settle and release of the first, settle and release of the second."""
    made = Ledger(database)
    await Budgets(database).set("acme", who="ann", total=10_000)
    first, second = await made.hold(asked(100)), await made.hold(asked(200))
    await made.sent(first, sending(100))
    await made.settle_and_close(first, paid(60))
    await made.settle_and_close(second, paid(150))
    return made


async def test_a_sound_ledger(ledger: Ledger) -> None:
    """An untouched ledger adds up, and its report can be kept elsewhere to compare."""
    report = await ledger.verify()
    assert report.sound
    assert (report.entries, report.holds, report.open_holds) == (6, 2, 0)
    assert report.last_digest == (await ledger.recent(limit=1))[0].digest


async def test_an_empty_ledger(database: Database) -> None:
    """Nothing adds up to nothing."""
    report = await Ledger(database).verify()
    assert (report.sound, report.entries, report.last_digest) == (True, 0, "")


@pytest.mark.parametrize(
    ("tampering", "entry", "words"),
    [
        ("UPDATE entries SET spent = spent - 1 WHERE id = 3", 3, "digest"),
        ("UPDATE entries SET model = 'other' WHERE id = 3", 3, "digest"),
        ("UPDATE entries SET lines = '[]' WHERE id = 3", 3, "digest"),
        ("UPDATE entries SET at = at + 1 WHERE id = 1", 1, "digest"),
        ("UPDATE entries SET outcome = 'no' WHERE id = 3", 3, "digest"),
        ("UPDATE entries SET response_id = 'no' WHERE id = 3", 3, "digest"),
        ("UPDATE entries SET kind = 'gift' WHERE id = 3", 1, "unreadable"),
        ("DELETE FROM entries WHERE id = 3", 4, "missing"),
        ("DELETE FROM entries WHERE id = 3", 4, "number"),
        ("DELETE FROM entries WHERE id = 6", 5, "remainder"),
        ("DELETE FROM entries WHERE id = 6", 5, "number of entries"),
        ("UPDATE holds SET settled = settled - 1 WHERE settled = 60", 4, "settled"),
        ("UPDATE holds SET remainder = 5 WHERE settled = 60", 4, "remainder"),
        ("UPDATE holds SET scope = 'acme/else' WHERE settled = 60", 4, "scope"),
        ("DELETE FROM holds WHERE settled = 60", 1, "missing"),
        ("UPDATE sends SET counted = 0 WHERE counted = 60", 4, "counts"),
        ("DELETE FROM sends WHERE counted = 60", 4, "no row"),
        ("UPDATE balances SET settled = 0", None, "says"),
        ("UPDATE balances SET held = 1", None, "says"),
    ],
)
async def test_tampering_is_found(ledger: Ledger, tampering: str, entry: int | None, words: str) -> None:
    """Whatever is changed behind the ledger's back is reported with the entry it shows in."""

    def tamper(tx: Transaction) -> None:
        assert tx.connection.execute(text(tampering)).rowcount == 1

    await ledger.db.write(tamper)
    report = await ledger.verify()
    assert not report.sound
    assert any(found.entry == entry and words in found.what for found in report.discrepancies), report


@pytest.mark.parametrize("page", [1, 2, 3])
async def test_pages_hide_nothing(database: Database, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    """However a ledger is cut into pages, every hold is looked at once, and what is wrong is found."""
    monkeypatch.setattr("image_router.storage.verify._PAGE", page)
    made = Ledger(database)
    await Budgets(database).set("acme", who="ann", total=10_000)
    holds = [await made.hold(asked(100)) for _ in range(5)]
    for hold in holds[:3]:
        await made.sent(hold, sending(100))
        await made.settle_and_close(hold, paid(60))
    report = await made.verify()
    assert (report.sound, report.entries, report.holds, report.open_holds) == (True, 11, 5, 2)

    def tamper(tx: Transaction) -> None:
        tx.connection.execute(text("UPDATE holds SET settled = settled + 1"))

    await database.write(tamper)
    found = [one.what for one in (await made.verify()).discrepancies]
    assert sorted(what.split()[1] for what in found if "says settled" in what) == sorted(h.id for h in holds)


async def test_words_in_place_of_an_amount(tmp_path: Path) -> None:
    """SQLite takes anything into a column of numbers: it is reported, not stumbled over."""
    async with await Database.open(tmp_path / "ledger.db") as database:
        made = Ledger(database)
        await made.settle_and_close(await made.hold(asked(100)), paid(60))
        await database.write(
            lambda tx: tx.connection.execute(text("UPDATE entries SET spent = 'much' WHERE id = 2"))
        )
        (found,) = (await made.verify()).discrepancies
        assert "'much' and -60 are no amounts" in found.what


async def test_a_hold_out_of_nowhere(ledger: Ledger) -> None:
    """A hold that no entry speaks of is reported."""

    def forge(tx: Transaction) -> None:
        tx.connection.execute(
            text("UPDATE entries SET hold_id = 'forged' WHERE hold_id = (SELECT min(id) FROM holds)")
        )

    await ledger.db.write(forge)
    found = [one.what for one in (await ledger.verify()).discrepancies]
    assert any("has no entries" in what for what in found)
    assert any("its hold forged is missing" in what for what in found)


async def test_a_torn_file(tmp_path: Path) -> None:
    """A damaged file is a typed error that says to keep it, not a wrong sum."""
    path = tmp_path / "torn.db"
    async with await Database.open(path) as database:
        made = Ledger(database)
        for _ in range(30):
            await made.settle_and_close(await made.hold(asked(100)), paid(60))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    with pytest.raises(StorageError) as damaged:
        async with await Database.open(path) as database:
            await Ledger(database).verify()
    assert damaged.value.problem is StorageProblem.CORRUPT


async def test_a_cut_file(tmp_path: Path) -> None:
    """A file that lost its end is damaged, too."""
    path = tmp_path / "cut.db"
    async with await Database.open(path) as database:
        made = Ledger(database)
        for _ in range(30):
            await made.settle_and_close(await made.hold(asked(100)), paid(60))
    path.write_bytes(path.read_bytes()[: 4096 * 6])
    with pytest.raises(StorageError) as damaged:
        async with await Database.open(path) as database:
            await Ledger(database).verify()
    assert damaged.value.problem is StorageProblem.CORRUPT
