"""A folder and a bucket keep the same promises: wholly or not at all, create only, nothing foreign."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import made
from image_router.core.errors import AssetError, ConfigError
from image_router.storage.assets import Assets
from image_router.storage.blobs import BLOBS, TRASH, BlobFault, Blobs, Fault
from image_router.storage.database import Database
from image_router.storage.exporting import export
from image_router.storage.files import PART
from image_router.storage.keeping import Keeper
from image_router.storage.landing import Note
from image_router.storage.objects import Folder, ObjectStore, now_micros
from image_router.storage.stores import open_store
from image_router.storage.storing_rules import StoringRules
from s3_server import s3, store_at

__all__ = ["s3"]


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty store."""
    if request.param == "folder":
        return open_store(tmp_path / "store")
    return store_at(request.getfixturevalue("s3"), tmp_path.name)


async def names(store: ObjectStore, folder: str) -> list[str]:
    return sorted([listed.name async for listed in store.list(folder)])


async def test_what_is_put_is_had_again(store: ObjectStore) -> None:
    """Bytes, size and listing agree; what is not there is none."""
    assert await store.put("blobs/ab/one", b"picture")
    assert (await store.get("blobs/ab/one"), await store.size("blobs/ab/one")) == (b"picture", 7)
    assert (await store.get("blobs/ab/two"), await store.size("blobs/ab/two")) == (None, None)
    assert await names(store, "blobs") == ["blobs/ab/one"]
    assert await names(store, "nowhere") == []


async def test_putting_without_replace_keeps_the_first(store: ObjectStore) -> None:
    """Of many writers of one name exactly one wins, and nobody overwrites it."""
    won = await asyncio.gather(*(store.put("blobs/x", b"%d" % n) for n in range(8)))
    assert won.count(True) == 1
    assert await store.get("blobs/x") == b"%d" % won.index(True)
    assert await store.put("blobs/x", b"new", replace=True)
    assert await store.get("blobs/x") == b"new"


async def test_moving_and_deleting(store: ObjectStore) -> None:
    """Moved is at the other name alone; deleting twice is fine."""
    await store.put("blobs/x", b"1")
    assert await store.move("blobs/x", "trash/x")
    assert not await store.move("blobs/x", "trash/x")
    assert (await store.get("blobs/x"), await store.get("trash/x")) == (None, b"1")
    await store.delete("trash/x")
    await store.delete("trash/x")
    assert await names(store, "trash") == []


async def test_a_blob_is_checked_when_it_is_read(store: ObjectStore) -> None:
    """Damaged bytes are never handed out; the error names digest, place and size."""
    blobs, data = Blobs(store), made.png()
    digest = made.digest_of(data)
    await blobs.put(digest, data)
    assert await blobs.read(digest) == data
    await store.put(f"{BLOBS}/{digest[:2]}/{digest}", data[:-1] + b"?", replace=True)
    with pytest.raises(BlobFault, match="is damaged") as caught:
        await blobs.read(digest)
    assert (caught.value.fault, caught.value.digest) == (Fault.CORRUPT, digest)


async def test_a_missing_blob_is_named(store: ObjectStore) -> None:
    """Nothing is made up for what is gone."""
    with pytest.raises(BlobFault, match="is missing") as caught:
        await Blobs(store).read("ab" * 32)
    assert caught.value.fault is Fault.MISSING


async def test_a_blob_of_another_length_is_replaced(store: ObjectStore) -> None:
    """Storing a picture again heals what was cut off."""
    blobs, data = Blobs(store), made.png()
    digest = made.digest_of(data)
    await store.put(f"{BLOBS}/{digest[:2]}/{digest}", data[:100])
    await blobs.put(digest, data)
    assert await blobs.read(digest) == data


async def test_what_is_in_the_trash_is_still_found(store: ObjectStore) -> None:
    """A reader who needs a blob just thrown away brings it back."""
    blobs, data = Blobs(store), made.png()
    digest = made.digest_of(data)
    await blobs.put(digest, data)
    await blobs.throw_away(digest)
    assert await names(store, TRASH) == [f"{TRASH}/{digest}"]
    assert await blobs.read(digest) == data
    assert await names(store, TRASH) == []


async def test_a_whole_life_of_a_picture(store: ObjectStore, tmp_path: Path) -> None:
    """Landed, booked, loaded, exported, removed and swept away: alike in a folder and in a bucket."""
    async with await Database.open(tmp_path / "image-router.db") as db:
        assets = Assets(db, Blobs(store), rules=StoringRules(db))
        one = made.made(references=(made.reference(made.png(5)),))
        landed = await assets.land(one)
        assert landed is not None
        stranded = [found async for found in assets.stranded(older=-2)]
        assert [found.note for found in stranded] == [
            Note(
                asset=landed.asset,
                image=one.image,
                request=one.decision.request,
                attempt=one.attempt,
                hold_id=one.hold_id,
                parents=landed.parents,
            )
        ]
        assert await assets.adopt(stranded[0], lambda tx, note: None)
        await assets.aclose()
        assert await assets.load("req_1.0") == one.image
        assert (await export(assets, tmp_path / "out")).pictures == 1
        keeper = Keeper(assets)
        assert (await keeper.gc(grace=-2, dry_run=False)).blobs == 0
        await store.put(f"{BLOBS}/ab/{'ab' * 32}", b"junk")
        assert (await keeper.gc(grace=-2, dry_run=False)).blobs == 1
        await keeper.remove("req_1.0")
        assert [name async for name in store.list(BLOBS)] == []


async def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    """Names come from digests; anything else is a mistake of ours."""
    with pytest.raises(ValueError, match="no name"):
        await Folder(tmp_path).get("../secret")


async def test_leftovers_of_writers_are_not_listed_and_are_tidied(tmp_path: Path) -> None:
    """What a killed writer left half written is nobody's picture, and goes when it is old."""
    folder = Folder(tmp_path)
    await folder.put("blobs/x", b"1")
    (tmp_path / "blobs" / f"{PART}1234").write_bytes(b"half")
    assert await names(folder, "blobs") == ["blobs/x"]
    assert await folder.tidy(now_micros() - 60_000_000) == 0
    assert await folder.tidy(now_micros() + 60_000_000) == 1
    assert await names(folder, "blobs") == ["blobs/x"]


LIMITED = """
import asyncio, sys, signal, resource
from image_router.storage.stores import open_store
from image_router.core.errors import AssetError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    asyncio.run(open_store(sys.argv[1]).put("blobs/x", b"p" * 5000))
except AssetError as error:
    print(error)
"""


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    """What does not fit is refused in words, and no half file is left under any name."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "File too large" in done.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    """A store that cannot be one says so."""
    (tmp_path / "store").write_text("a file")
    with pytest.raises(AssetError, match="cannot be used"):
        await Folder(tmp_path / "store").put("blobs/x", b"1")


async def test_a_folder_that_cannot_be_listed_is_no_empty_one(tmp_path: Path) -> None:
    """What is listed decides what is deleted, so a failure to list is an error."""
    (tmp_path / "landing").write_text("a file where a folder should be")
    with pytest.raises(AssetError, match="Not a directory"):
        await names(Folder(tmp_path), "landing")


async def test_a_bucket_that_is_not_there_is_an_error(s3: str) -> None:
    """The address is named, the credentials are not."""
    options = {
        "endpoint": s3,
        "access_key_id": "who",
        "secret_access_key": "hush-hush",
        "region": "us-east-1",
        "allow_http": "true",
    }
    with pytest.raises(AssetError, match="s3://nobody/here cannot be used") as caught:
        await open_store("s3://nobody/here", options=options).put("x", b"1")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("address", ["ftp://host/x", "s3://", "https://bucket/x"])
def test_an_address_that_is_no_place_for_pictures_is_refused(address: str) -> None:
    """The error lists what can be written."""
    with pytest.raises(ConfigError, match="s3://bucket/folder"):
        open_store(address)


def test_file_urls_are_folders(tmp_path: Path) -> None:
    """A file URL gets our own synced writes, not the driver's unsynced ones."""
    store = open_store(f"file://{tmp_path}/my%20pictures")
    assert isinstance(store, Folder)
    assert store.where == f"{tmp_path}/my pictures"


def test_buckets_are_loaded_when_asked_for_alone() -> None:
    """Who stores in a folder does not load the bucket driver."""
    code = "import sys, image_router.storage.assets; print('obstore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
