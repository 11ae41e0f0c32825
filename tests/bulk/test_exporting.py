"""Runs into folders and buckets: originals untouched, every row told, nothing written over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from bulk.made_rows import rows_of, started
from gemini_emulator import Emulator
from image_router.bulk.chunks import run_chunk
from image_router.bulk.exporting import Exported, Exporting, name_of
from image_router.bulk.manifests import Manifests, line_of
from image_router.bulk.parts import Bulk
from image_router.core.errors import AssetError
from image_router.core.runs import PlannedRow, Run
from image_router.storage.objects import Folder, ObjectStore
from image_router.storage.stores import open_store
from s3_server import s3, store_at

__all__ = ["s3"]


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_store(tmp_path / "out")
    return store_at(request.getfixturevalue("s3"), tmp_path.name)


def named(rows: Iterator[PlannedRow], *names: str) -> Iterator[PlannedRow]:
    """The same as rows of a template with these pictures."""
    for place, row in enumerate(rows):
        name = names[place % len(names)]
        yield replace(row, ask=replace(row.ask, fields={"picture": name, "sku": row.subject}))


async def made(bulk: Bulk, **ask: Any) -> Run:
    rows = named(rows_of(bulk, **ask), "reference", "front", "back")
    return await run_chunk(bulk.bench, (await started(bulk, rows)).id, number=1)


async def exported(bulk: Bulk, run: Run, to: ObjectStore, **said: Any) -> Exported:
    return await Exporting(runs=bulk.bench.runs, blobs=bulk.bench.assets.blobs, to=to, **said).export(run)


async def lines(to: ObjectStore, name: str = "manifest.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await to.get(name) or b"").splitlines()]


def found(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


async def names(to: ObjectStore) -> list[str]:
    return sorted([listed.name async for listed in to.list("pictures")])


async def test_pictures_are_under_names_that_people_read(bulk: Bulk, place: ObjectStore) -> None:
    run = await made(bulk)
    done = await exported(bulk, run, place)
    assert (done.rows, done.pictures, done.sheets, done.without) == (6, 6, 2, [])
    mug = name_of("mug 0")
    assert [name for name in await names(place) if name.startswith(f"pictures/{mug}/")] == [
        f"pictures/{mug}/back.jpg",
        f"pictures/{mug}/front.jpg",
        f"pictures/{mug}/reference.jpg",
        f"pictures/{mug}/sheet.html",
    ]
    for line in await lines(place):
        data = await place.get(line["file"])
        assert data is not None
        assert hashlib.sha256(data).hexdigest() == line["sha256"]


async def test_the_manifest_tells_lineage_and_adds_up_to_what_was_spent(
    bulk: Bulk, emulator: Emulator, place: ObjectStore
) -> None:
    run = await made(bulk)
    await exported(bulk, run, place)
    told = await lines(place)
    reference, front = told[0], told[1]
    assert reference["made_from"] == []
    assert front["made_from"] == [{"row": 1, "sha256": reference["sha256"], "source": None}]
    assert (front["picture"], front["fields"]) == ("front", {"sku": "mug 0"})
    assert (front["media_type"], front["width"] > 0, front["state"]) == ("image/jpeg", True, "done")
    spent = sum(Decimal(line["cost_usd"]) + Decimal(line["at_risk_usd"]) for line in told)
    assert spent * 10**9 == emulator.bill().total


async def test_parquet_says_the_same_with_exact_dollars(bulk: Bulk, place: ObjectStore) -> None:
    run = await made(bulk)
    done = await exported(bulk, run, place)
    assert done.manifests == ("manifest.jsonl", "manifest.parquet")
    data = await place.get("manifest.parquet")
    assert data is not None
    for row, line in zip(parquet.read_table(BytesIO(data)).to_pylist(), await lines(place), strict=True):
        money = {name: Decimal(line[name]) for name in line if name.endswith("_usd")}
        assert row == {**line, **money, "fields": list(line["fields"].items())}


async def test_again_writes_what_is_missing_and_nothing_else(bulk: Bulk, place: ObjectStore) -> None:
    run = await made(bulk)
    await exported(bulk, run, place)
    before = await names(place)
    gone = next(name for name in before if name.endswith("front.jpg"))
    await place.delete(gone)
    done = await exported(bulk, run, place)
    assert done.pictures == 6
    assert await names(place) == before


async def test_another_picture_of_that_name_stays(bulk: Bulk, place: ObjectStore) -> None:
    """What was retouched by hand, or made by another run, is not written over."""
    run = await made(bulk, subjects=1)
    name = f"pictures/{name_of('mug 0')}/front.jpg"
    await place.put(name, b"retouched")
    await exported(bulk, run, place)
    assert await place.get(name) == b"retouched"
    line = (await lines(place))[1]
    assert line["file"] == name.replace(".jpg", f"-{line['sha256'][:12]}.jpg")
    assert (await exported(bulk, run, place)).pictures == 3


async def test_rows_without_a_picture_are_told_with_their_reason(
    bulk: Bulk, emulator: Emulator, tmp_path: Path
) -> None:
    emulator.faults.add("prompt_blocked", times=1)
    rows = named(rows_of(bulk, subjects=2), "reference", "front", "back")
    bench = replace(bulk.bench, at_once=1)
    run = await run_chunk(bench, (await started(bulk, rows)).id, number=1)
    to = open_store(tmp_path / "out")
    done = await exported(bulk, run, to)
    assert (done.rows, done.pictures, done.sheets) == (6, 3, 1)
    told = await lines(to)
    assert [line["state"] for line in told] == ["failed"] * 3 + ["done"] * 3
    assert [line["cause"] for line in told[:3]] == ["content_refused", "reference", "reference"]
    assert all(line["message"] and line["file"] is None for line in told[:3])


async def test_a_picture_that_is_gone_is_told_and_the_others_are_exported(bulk: Bulk, tmp_path: Path) -> None:
    run = await made(bulk)
    to = open_store(tmp_path / "out")
    (first, *_) = await bulk.runs.rows(run.id)
    assert first.asset is not None
    await bulk.bench.assets.blobs.delete(first.asset)
    done = await exported(bulk, run, to)
    assert done.pictures == 5
    assert len(done.without) == 1
    assert "row 1" in done.without[0]
    assert (await lines(to))[0]["missing"] in done.without[0]
    sheet = (tmp_path / "out" / "pictures" / name_of("mug 0") / "sheet.html").read_text()
    assert "2 of 3" in sheet
    assert "reference is done: " in sheet


async def test_a_sheet_shows_a_subject_in_one_page(bulk: Bulk, tmp_path: Path) -> None:
    run = await made(bulk, subjects=1, name="<b>mug</b>")
    await exported(bulk, run, open_store(tmp_path / "out"))
    (sheet,) = found(tmp_path, "out/pictures/*/sheet.html")
    html = sheet.read_text()
    assert html.count('<img src="data:image/webp;base64,') == 3
    assert "<b>mug" not in html
    assert all((sheet.parent / name).exists() for name in ("reference.jpg", "front.jpg", "back.jpg"))
    assert 'href="front.jpg"' in html


async def test_sheets_and_parquet_can_be_left_out(bulk: Bulk, tmp_path: Path) -> None:
    run = await made(bulk, subjects=1)
    done = await exported(bulk, run, open_store(tmp_path / "out"), sheets=False, parquet=False)
    assert (done.sheets, done.manifests) == (0, ("manifest.jsonl",))
    assert not found(tmp_path, "out/**/*.html")


async def test_pictures_called_alike_are_kept_apart(bulk: Bulk, tmp_path: Path) -> None:
    rows = (replace(row, subject="mugs") for row in named(rows_of(bulk, subjects=3, variants=0), "picture"))
    run = await run_chunk(bulk.bench, (await started(bulk, rows)).id, number=1)
    done = await exported(bulk, run, open_store(tmp_path / "out"))
    assert done.pictures == 3
    pictures = {path.name for path in found(tmp_path, "out/pictures/mugs/*.jpg")}
    assert pictures == {"picture.jpg", "picture-row-2.jpg", "picture-row-3.jpg"}


async def test_a_long_manifest_is_written_in_parts(bulk: Bulk, tmp_path: Path) -> None:
    run = await made(bulk)
    to, seen = open_store(tmp_path / "out"), []
    writing = Manifests(run, to, parquet=False, part=4)
    exporting = Exporting(runs=bulk.bench.runs, blobs=bulk.bench.assets.blobs, to=to)
    for filed in await exporting._filed(run, await bulk.runs.rows(run.id)):
        await writing.add(filed.entry)
        seen.append(line_of(run, filed.entry)["row"])
    assert await writing.close() == ("manifest.jsonl", "manifest-2.jsonl")
    parts = await lines(to) + await lines(to, "manifest-2.jsonl")
    assert [line["row"] for line in parts] == seen == [1, 2, 3, 4, 5, 6]


async def test_a_place_that_takes_nothing_is_an_error(bulk: Bulk, tmp_path: Path) -> None:
    run = await made(bulk, subjects=1)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(AssetError, match="cannot be used"):
        await exported(bulk, run, open_store(tmp_path / "file" / "out"))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("M-100.b_2", "M-100.b_2"),
        ("Red Mug", "Red-Mug-"),
        ("Käse", "Kase-"),
        ("../../etc", "etc-"),
        ("杯", ""),
    ],
)
def test_names_are_readable_where_they_can_be(words: str, name: str) -> None:
    assert name_of(words).startswith(name)
    assert (name_of(words) == name) == (words == name)


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_fit_every_store_and_differ_where_their_words_do(one: str, other: str) -> None:
    for words in (one, other):
        place = open_store("nowhere")
        assert place._place(f"pictures/{name_of(words)}/front.jpg").parts[1] == "pictures"  # type: ignore[attr-defined]
    assert (name_of(one) == name_of(other)) == (one == other)


class Flaky(Folder):
    """A store that answers with an error now and then."""

    fails = 3

    async def put(self, name: str, data: bytes, *, replace: bool = False) -> bool:
        self.fails -= 1
        if self.fails == 0:
            raise AssetError(f"the store {self.where} cannot be used for {name}: 503 Slow Down")
        return await super().put(name, data, replace=replace)


async def test_an_export_that_broke_off_is_finished_by_the_next(bulk: Bulk, tmp_path: Path) -> None:
    run, to = await made(bulk), Flaky(tmp_path / "out")
    with pytest.raises(AssetError, match="503"):
        await exported(bulk, run, to)
    done = await exported(bulk, run, to)
    assert (done.rows, done.pictures) == (6, 6)
    assert len(await lines(to)) == 6
    assert len(found(tmp_path, "out/pictures/*/*.jpg")) == 6


async def test_a_bucket_is_reached_by_the_platforms_own_variables(
    bulk: Bulk, s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One without TLS too, as on a local network, where AWS_ALLOW_HTTP says so."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "a-secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    address = f"s3://pictures/{tmp_path.name}"
    run = await made(bulk, subjects=1)
    with pytest.raises(AssetError) as caught:
        await exported(bulk, run, open_store(address))
    assert "a-secret" not in str(caught.value)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    assert (await exported(bulk, run, open_store(address))).pictures == 3
