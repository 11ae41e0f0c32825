"""Pictures are stored once, unchanged, with all that is known of them; what goes, goes on purpose."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

import made
from image_router.core.budget import SECOND
from image_router.core.causes import Billed
from image_router.core.errors import AssetError, InvalidRequest
from image_router.core.holds import AttemptKey, HoldRequest, Sending, Settlement
from image_router.core.storing import StoreMode
from image_router.core.types import Conversation, Purpose, Turn, TurnPart
from image_router.storage.asset_queries import Query
from image_router.storage.asset_values import Asset, Made
from image_router.storage.assets import Assets
from image_router.storage.blobs import BLOBS, LANDING, Blobs, Fault
from image_router.storage.cache import Cache
from image_router.storage.database import Database
from image_router.storage.exporting import export
from image_router.storage.keeping import Keeper
from image_router.storage.landing import Note, insert_asset
from image_router.storage.ledger import Ledger
from image_router.storage.objects import Folder, now_micros
from image_router.storage.steps import settling, take_steps
from image_router.storage.storing_rules import StoringRule, StoringRules, rule_for
from image_router.storage.work import Works
from image_router.storage.work_rows import Claimed, Work

DAY = 86_400 * SECOND


@pytest.fixture
async def assets(database: Database, tmp_path: Path) -> AsyncIterator[Assets]:
    shelf = Assets(database, Blobs(Folder(tmp_path / "store")), rules=StoringRules(database))
    yield shelf
    await shelf.aclose()


@pytest.fixture
def keeper(assets: Assets) -> Keeper:
    return Keeper(assets)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


async def keep(assets: Assets, one: Made) -> Asset:
    """Land, write the row, be done with it, thumbnail included."""
    landed = await assets.land(one)
    assert landed is not None
    await assets.db.write(lambda tx: insert_asset(tx, landed))
    await assets.done(landed)
    await assets.aclose()
    return landed.asset


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def blob(store: Path, data: bytes) -> Path:
    digest = made.digest_of(data)
    return store / BLOBS / digest[:2] / digest


def age(store: Path, days: int = 3) -> None:
    """Make every file of the store look old."""
    long_ago = now_micros() / SECOND - days * 86_400
    for path in files(store):
        os.utime(path, (long_ago, long_ago))


async def test_a_picture_is_kept_to_the_byte_and_loaded_equal(assets: Assets, store: Path) -> None:
    """What is loaded equals what was made: bytes, cost, usage, and a conversation that can go on."""
    one = made.made()
    asset = await keep(assets, one)
    assert await assets.load(asset.id) == one.image
    assert blob(store, one.image.data).read_bytes() == one.image.data
    assert await assets.read(asset) == one.image.data


async def test_the_row_says_what_is_known(assets: Assets) -> None:
    """Request, decision, cost and size are to be had without touching the store."""
    one = made.made(
        "a mug", text="MONDAY", purpose=Purpose.HERO, scope="acme/x", key="k-1", cache_key="ab", index=2, n=3
    )
    await keep(assets, one)
    asset = await assets.get("req_1.2")
    assert (asset.scope, asset.purpose, asset.work_key, asset.cache_key) == ("acme/x", "hero", "k-1", "ab")
    assert (asset.tier, asset.model, asset.cost, asset.index) == (
        one.image.tier,
        one.image.model,
        made.PRICE,
        2,
    )
    assert (asset.pixels, asset.bytes) == (one.image.pixels, len(one.image.data))
    assert asset.details is not None
    assert (asset.details.prompt, asset.details.text, asset.details.words) == (
        "a mug",
        "MONDAY",
        "here it is",
    )
    assert (asset.details.rule, asset.details.policy) == (one.decision.rule, one.decision.policy)


async def test_the_same_bytes_are_stored_once(assets: Assets, store: Path) -> None:
    """Two requests, one picture: two rows, one file."""
    await keep(assets, made.made(request_id="req_1"))
    before = len(files(store / BLOBS))
    await keep(assets, made.made(request_id="req_2"))
    assert len(files(store / BLOBS)) == before
    assert len(await assets.list()) == 2


async def test_a_row_written_twice_is_once(assets: Assets) -> None:
    """A confirmation that was lost may be asked for again."""
    landed = await assets.land(made.made())
    assert landed is not None
    for _ in range(2):
        await assets.db.write(lambda tx: insert_asset(tx, landed))
    assert len(await assets.list()) == 1


async def test_both_pictures_of_a_call_sent_twice_are_kept(assets: Assets) -> None:
    """After an unknown outcome both may come, and both are paid."""
    await keep(assets, made.made(seed=1))
    await keep(assets, made.made(seed=2))
    pictures = {asset.id: await assets.read(asset) for asset in await assets.list()}
    assert len(pictures) == 2
    assert pictures["req_1.0"] == made.png(1)
    assert set(pictures.values()) == {made.png(1), made.png(2)}


async def test_a_thumbnail_is_made_beside_the_request(assets: Assets) -> None:
    """WebP of at most 320 pixels, marked as derived, recorded when it is done."""
    asset = await keep(assets, made.made())
    known = await assets.get(asset.id)
    assert known.thumbnail is not None
    small = await assets.thumbnail(asset.id)
    assert made.digest_of(small) == known.thumbnail
    with Image.open(BytesIO(small)) as image:
        assert (image.format, image.size) == ("WEBP", (320, 240))
        assert made.digest_of(made.png()) in image.info["xmp"].decode()


async def test_a_missing_thumbnail_is_made_when_it_is_asked_for(assets: Assets, store: Path) -> None:
    """It can always be derived again."""
    asset = await keep(assets, made.made())
    first = await assets.thumbnail(asset.id)
    blob(store, first).unlink()
    assert await assets.thumbnail(asset.id) == first


async def test_a_picture_that_cannot_be_decoded_is_kept_without_thumbnail(
    assets: Assets, caplog: pytest.LogCaptureFixture
) -> None:
    """The bytes were paid for, whatever they are."""
    one = made.made()
    odd = b"\x89PNG odd"
    image = replace(one.image, data=odd, digest=made.digest_of(odd), conversation=None)
    asset = await keep(assets, replace(one, image=image))
    assert await assets.read(asset) == odd
    assert "has no thumbnail" in caplog.text


async def test_lineage_is_told_both_ways(assets: Assets) -> None:
    """A variant names its reference, and the reference its variants; an edit names what it went on from."""
    parent = await keep(assets, made.made("the hero", request_id="req_1"))
    turn = Turn(role="model", parts=(TurnPart(data=made.png(), media_type="image/png", signature="s"),))
    talk = Conversation(
        model="gemini-3-pro-image",
        family=made.WORLD.catalog.models["gemini-3-pro-image"].family,
        turns=(turn,),
    )
    await keep(
        assets,
        made.made(
            "on a horse", seed=1, request_id="req_2", references=(made.reference(made.png(), "hero.png"),)
        ),
    )
    await keep(
        assets,
        made.made("now at night", seed=2, request_id="req_3", conversation=talk, model="gemini-3-pro-image"),
    )
    family = await assets.family(parent.id)
    assert [child.request_id for child in family.children] == ["req_2", "req_3"]
    variant, edit = [(await assets.family(f"req_{n}.0")).parents[0] for n in (2, 3)]
    assert (variant.digest, variant.role, variant.name) == (parent.digest, "object", "hero.png")
    assert (edit.digest, edit.role) == (parent.digest, "turn")


async def test_lists_are_filtered_and_paged(assets: Assets) -> None:
    """Newest first, by scope with all below it, model, purpose and time; pages do not overlap."""
    moments = iter(range(1_000_000, 9_000_000, 1_000_000))
    assets._clock = lambda: next(moments)
    for n, scope in enumerate(("acme", "acme/a", "acme/b", "acmeother", "acme/a/key")):
        landed = await assets.land(made.made(seed=n, request_id=f"req_{n}", scope=scope))
        assert landed is not None
        await assets.db.write(lambda tx, landed=landed: insert_asset(tx, landed))

    async def ids(**query: object) -> list[str]:
        return [asset.request_id for asset in await assets.list(Query(**query))]  # type: ignore[arg-type]

    assert await ids() == ["req_4", "req_3", "req_2", "req_1", "req_0"]
    assert await ids(scope="acme") == ["req_4", "req_2", "req_1", "req_0"]
    assert await ids(scope="acme/a") == ["req_4", "req_1"]
    assert await ids(since=2_000_000, until=4_000_000) == ["req_2", "req_1"]
    assert await ids(model="nobody") == []
    assert await ids(request_id="req_3", purpose=Purpose.ECONOMY) == ["req_3"]
    assert await ids(limit=2) == ["req_4", "req_3"]
    assert await ids(limit=2, before="req_3.0") == ["req_2", "req_1"]
    with pytest.raises(AssetError, match="no page can follow"):
        await ids(before="nobody")


async def test_a_picture_is_found_by_the_beginning_of_its_digest(assets: Assets) -> None:
    """As people copy digests: eight digits or more."""
    asset = await keep(assets, made.made())
    assert asset.digest is not None
    assert (await assets.get(asset.digest[:8])).id == asset.id
    for name in (asset.digest[:7], "nobody", "0" * 64):
        with pytest.raises(AssetError, match="no picture"):
            await assets.get(name)


@pytest.mark.parametrize(("mode", "rows"), [(StoreMode.METADATA, 1), (StoreMode.NONE, 0)])
async def test_a_scope_can_keep_less(assets: Assets, store: Path, mode: StoreMode, rows: int) -> None:
    """Metadata alone, or nothing: no bytes either way, and no note on the way."""
    await assets.rules.set("acme", StoringRule(store=mode))
    landed = await assets.land(made.made(scope="acme/x"))
    assert (landed is not None) == bool(rows)
    if landed is not None:
        await assets.db.write(lambda tx: insert_asset(tx, landed))
        await assets.done(landed)
        for read in (assets.load("req_1.0"), assets.read((await assets.list())[0])):
            with pytest.raises(AssetError, match="keeps metadata alone"):
                await read
    assert len(await assets.list()) == rows
    assert files(store) == []


def test_the_nearest_rule_counts() -> None:
    """A scope has its own rule or that of the nearest scope above it."""
    none, days = StoringRule(store=StoreMode.NONE), StoringRule(keep_days=9)
    rules = {"acme": none, "acme/a/b": days}
    found = [rule_for(scope, rules) for scope in ("acme", "acme/a", "acme/a/b", "acme/a/b/c", "acmeother")]
    assert found == [none, none, days, days, None]


async def test_a_rule_is_seen_by_others_soon_and_can_be_taken_back(database: Database) -> None:
    """Another process reads the rules again after a few seconds."""
    time = 0.0
    here, there = StoringRules(database), StoringRules(database, clock=lambda: time)
    assert (await there.of("acme")).store is StoreMode.ALL
    await here.set("acme", StoringRule(store=StoreMode.NONE))
    assert (await here.of("acme/x")).store is StoreMode.NONE
    assert (await there.of("acme")).store is StoreMode.ALL
    time = 6.0
    assert (await there.of("acme")).store is StoreMode.NONE
    await here.set("acme", None)
    assert (await here.of("acme/x")).store is StoreMode.ALL


@pytest.mark.parametrize("days", [0, -1, 40_000])
def test_a_retention_that_makes_no_sense_is_refused(days: int) -> None:
    """One day to a hundred years."""
    with pytest.raises(InvalidRequest, match="keep_days"):
        StoringRule(keep_days=days)


async def test_damage_is_found_and_named(assets: Assets, keeper: Keeper, store: Path) -> None:
    """Missing blobs at a glance, changed ones when every byte is read."""
    for n in range(3):
        await keep(assets, made.made(seed=n, request_id=f"req_{n}"))
    assert [one async for one in keeper.check(deep=True)] == []
    blob(store, made.png(0)).unlink()
    blob(store, made.png(1)).write_bytes(b"x" * len(made.png(1)))
    shallow = [(one.fault, one.assets) async for one in keeper.check()]
    deep = {(one.fault, one.assets) async for one in keeper.check(deep=True)}
    assert shallow == [(Fault.MISSING, ("req_0.0",))]
    assert deep == {(Fault.MISSING, ("req_0.0",)), (Fault.CORRUPT, ("req_1.0",))}


async def test_gc_deletes_only_what_nobody_needs(assets: Assets, keeper: Keeper, store: Path) -> None:
    """A dry run first, then the same for good; referenced, noted and fresh bytes stay."""
    await keep(assets, made.made(seed=1, request_id="req_1"))
    await assets.land(made.made(seed=2, request_id="req_2"))
    await assets.blobs.put(made.digest_of(b"nobody's"), b"nobody's")
    assert (await keeper.gc()).waiting == 1
    age(store)
    dry = await keeper.gc()
    assert (dry.dry_run, dry.blobs, dry.bytes, dry.waiting) == (True, 1, 8, 0)
    assert blob(store, b"nobody's").exists()
    assert (await keeper.gc(dry_run=False)).blobs == 1
    assert not blob(store, b"nobody's").exists()
    assert (await keeper.gc(dry_run=False)).blobs == 0
    for seed in (1, 2):
        assert await assets.blobs.read(made.digest_of(made.png(seed))) == made.png(seed)


async def test_gc_puts_back_what_an_interrupted_run_had_thrown_away(
    assets: Assets, keeper: Keeper, store: Path
) -> None:
    """Trash that is needed after all returns; the rest goes."""
    await keep(assets, made.made())
    await assets.blobs.put(made.digest_of(b"junk"), b"junk")
    for data in (made.png(), b"junk"):
        await assets.blobs.throw_away(made.digest_of(data))
    assert (await keeper.gc(dry_run=False)).taken_back == 1
    assert blob(store, made.png()).exists()
    assert files(store / "trash") == []


async def test_storing_beside_gc_loses_nothing(assets: Assets, keeper: Keeper, store: Path) -> None:
    """The same bytes come again just while they are being thrown away as garbage."""
    for round_ in range(10):
        await assets.blobs.put(made.digest_of(made.png()), made.png())
        age(store)
        request = f"req_{round_}"
        await asyncio.gather(keeper.gc(dry_run=False), keep(assets, made.made(request_id=request)))
        assert (await assets.load(f"{request}.0")).data == made.png()
        await keeper.remove(f"{request}.0")


async def test_retention_removes_bytes_and_keeps_the_facts(
    assets: Assets, keeper: Keeper, store: Path
) -> None:
    """After its days a picture is gone; who made it, for how much, stays; so do younger ones."""
    await assets.rules.set("acme", StoringRule(keep_days=30))
    for n, (scope, days) in enumerate((("acme/x", 31), ("acme", 29), ("other", 400))):
        assets._clock = lambda days=days: now_micros() - days * DAY
        await keep(assets, made.made(seed=n, request_id=f"req_{n}", scope=scope))
    assert await keeper.retain() == 1
    assert await keeper.retain() == 0
    gone = await assets.get("req_0.0")
    assert (gone.removed_why, gone.cost, gone.details is not None) == ("kept for 30 days", made.PRICE, True)
    with pytest.raises(AssetError, match=r"was removed on 20.* \(kept for 30 days\)"):
        await assets.load("req_0.0")
    age(store)
    assert (await keeper.gc(dry_run=False)).blobs > 0
    assert not blob(store, made.png(0)).exists()
    assert [(await assets.load(f"req_{n}.0")).data for n in (1, 2)] == [made.png(1), made.png(2)]


async def test_forgetting_a_scope_erases_words_and_pictures_and_keeps_amounts(
    assets: Assets, keeper: Keeper, database: Database, tmp_path: Path
) -> None:
    """Nothing of the prompt or the picture is left in database or store; the ledger is as it was."""
    secret = "the unreleased Zebrafish sneaker"
    ledger = Ledger(database)
    asked = HoldRequest(
        request_id="req_1",
        owner="me",
        scope="acme/x",
        amount=made.PRICE,
        per_image=made.PRICE,
        model="m",
        tier=None,
        purpose=Purpose.ECONOMY,
    )
    hold, call = await ledger.hold(asked), AttemptKey(number=1)
    await ledger.sent(hold, Sending(attempt=call, at_risk=made.PRICE))
    works = Works(database, assets)
    work = Work(scope="acme/x", key="k", fingerprint="ab")
    claim = await works.claim(work, "req_1")
    assert isinstance(claim, Claimed)
    source = made.reference(made.png(9), "Zebrafish.png")
    one = made.made(secret, scope="acme/x", key="k", cache_key="cd", references=(source,))
    landed = await assets.land(one)
    assert landed is not None
    record = await works.record_of(work, made.result(one))
    settlement = Settlement(attempt=call, billed=Billed.YES, cost=one.image.cost, images=1)

    def book(tx):  # type: ignore[no-untyped-def]
        take_steps(tx, [settling(hold, settlement)])
        insert_asset(tx, landed)
        Cache(database, assets).insert(tx, landed)
        works.finish(tx, claim, record=record, cost=made.PRICE)

    await database.write(book)
    await assets.done(landed)
    await assets.aclose()
    await keep(assets, made.made("another's", seed=7, request_id="req_2", scope="acme", references=(source,)))
    entries = await ledger.recent()
    forgotten = await keeper.forget("acme/x")
    assert (forgotten.assets, forgotten.works) == (1, 1)
    assert await ledger.recent() == entries
    assert (await ledger.verify()).sound
    asset = await assets.get("req_1.0")
    assert (asset.cost, asset.details, asset.removed_why) == (made.PRICE, None, "forgotten")
    left = {path.name: path.read_bytes() for path in files(tmp_path / "store")}
    assert made.digest_of(made.png()) not in left
    assert set(left) >= {made.digest_of(made.png(9)), made.digest_of(made.png(7))}
    assert not any(b"Zebrafish" in data for data in left.values())
    dump = await database.read(lambda tx: _everything(tx))
    assert "ebrafish" not in dump.replace("Zebrafish.png", "", 1)
    assert await Cache(database, assets).get("acme/x", "cd") is None
    with pytest.raises(AssetError, match="was forgotten"):
        await works.claim(work, "req_3")
    assert (await keeper.forget("acme/x")).assets == 0


def _everything(tx) -> str:  # type: ignore[no-untyped-def]
    """All rows of all tables, records unpacked, as one text."""
    import zlib

    from image_router.storage.schema import metadata

    found = []
    for table in metadata.tables.values():
        for row in tx.connection.execute(table.select()):
            found += [zlib.decompress(v).decode() if isinstance(v, bytes) else str(v) for v in row]
    return "\n".join(found)


async def test_removing_one_picture_spares_what_others_need(
    assets: Assets, keeper: Keeper, store: Path
) -> None:
    """The same bytes under another asset stay."""
    await keep(assets, made.made(request_id="req_1"))
    await keep(assets, made.made(request_id="req_2"))
    await keeper.remove("req_1.0")
    assert (await assets.load("req_2.0")).data == made.png()
    await keeper.remove("req_2.0")
    assert files(store / BLOBS) == []
    with pytest.raises(AssetError, match="removed by hand"):
        await assets.load("req_1.0")


async def test_an_export_is_pictures_and_a_line_for_each(
    assets: Assets, keeper: Keeper, tmp_path: Path
) -> None:
    """Bytes unchanged, missing ones explained; running again writes the same."""
    await keep(
        assets, made.made(seed=1, request_id="req_1", references=(made.reference(made.png(5), "a.png"),))
    )
    await keep(assets, made.made(seed=2, request_id="req_2"))
    await keeper.remove("req_2.0")
    for _ in range(2):
        done = await export(assets, tmp_path / "out")
        assert (done.pictures, len(done.without)) == (1, 1)
    lines = [json.loads(line) for line in done.manifest.read_text().splitlines()]
    there = {line["id"]: line for line in lines}
    written = tmp_path / "out" / there["req_1.0"]["file"]
    assert (written.read_bytes(), written.suffix) == (made.png(1), ".png")
    assert there["req_1.0"]["cost_usd"] == "0.039"
    assert there["req_1.0"]["made_from"] == [
        {"sha256": made.digest_of(made.png(5)), "role": "object", "name": "a.png"}
    ]
    assert there["req_2.0"]["file"] is None
    assert "removed by hand" in there["req_2.0"]["missing"]


async def test_an_export_does_not_overwrite_what_is_another_file(assets: Assets, tmp_path: Path) -> None:
    """Somebody's file of that name stays."""
    await keep(assets, made.made())
    await export(assets, tmp_path / "out")
    picture = next(path for path in files(tmp_path / "out") if path.suffix == ".png")
    picture.write_bytes(b"mine")
    with pytest.raises(AssetError, match="is another picture"):
        await export(assets, tmp_path / "out")
    assert picture.read_bytes() == b"mine"


async def test_a_full_disk_is_an_asset_error_and_nothing_can_be_adopted(
    assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room for the picture: the error says so, and what is left is a call without a picture."""
    real = os.fsync

    def full(handle: int) -> None:
        if os.fstat(handle).st_size > 1000 and not os.path.isdir(f"/proc/self/fd/{handle}"):
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    one = made.made(prompt="a fox " * 2)
    with pytest.raises(AssetError, match="No space left on device"):
        await assets.land(one)
    monkeypatch.undo()
    found = [one async for one in assets.stranded(older=0)]
    assert [await assets.adopt(one, lambda tx, note: None) for one in found] in ([], [False])
    assert await assets.list() == []


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
import made
from image_router.storage import objects
from image_router.storage.assets import Assets
from image_router.storage.blobs import Blobs
from image_router.storage.database import Database
from image_router.storage.objects import Folder
from image_router.storage.storing_rules import StoringRules

address, store, after = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
puts, real = [], Folder.put

async def put(self, name, data, *, replace=False):
    if len(puts) == after:
        os.kill(os.getpid(), signal.SIGKILL)
    puts.append(name)
    return await real(self, name, data, replace=replace)

Folder.put = put

async def main():
    async with await Database.open(address) as db:
        assets = Assets(db, Blobs(Folder(store)), rules=StoringRules(db))
        await assets.land(made.made(references=(made.reference(made.png(5)),)))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize(("after", "adopted"), [(0, None), (1, False), (3, False), (4, True)])
async def test_a_process_killed_while_landing(
    assets: Assets, address: str, *, store: Path, after: int, adopted: bool | None
) -> None:
    """Note, signature, reference, picture: once the picture is written it is adopted with its money; before
    that its note says that a call's outcome is unknown; before the note there is nothing."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, address, str(store), str(after)]
    done = await asyncio.to_thread(subprocess.run, command, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    settled: list[Note] = []
    found = [one async for one in assets.stranded(older=0)]
    results = [await assets.adopt(one, lambda tx, note: settled.append(note)) for one in found]
    assert results == ([] if adopted is None else [adopted])
    assert [note.attempt.cost.total for note in settled] == ([made.PRICE] if adopted else [])
    assert files(store / LANDING) == []
    if adopted:
        assert (await assets.load("req_1.0")).data == made.png()


async def test_notes_of_living_processes_are_left_alone(assets: Assets) -> None:
    """Only what is ten minutes old is taken for stranded, unless its owner is known to be dead."""
    await assets.land(made.made())
    assert [one async for one in assets.stranded()] == []
    assert [one async for one in assets.stranded(older=0, request_id="req_2")] == []
    assert len([one async for one in assets.stranded(older=0, request_id="req_1")]) == 1


async def test_a_stranded_picture_whose_settling_fails_stays_stranded(assets: Assets) -> None:
    """Row and money are one transaction: neither without the other, and another try is possible."""
    await assets.land(made.made())

    def fail(tx: object, note: Note) -> None:
        raise InvalidRequest("the ledger says no")

    for _ in range(2):
        found = [one async for one in assets.stranded(older=0)]
        with pytest.raises(InvalidRequest, match="says no"):
            await assets.adopt(found[0], fail)
    assert await assets.list() == []
