"""Jobs and files over real HTTP: against the emulator, and against servers that break off."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from gemini_emulator import Emulator, serve
from image_router.providers import batches
from image_router.providers.base import Unreachable
from image_router.providers.batch_wire import JobState, parse_row
from image_router.providers.batches import BatchApi, Declined, InDoubt, split_lines
from image_router.providers.rest import RestProvider
from raw_server import Line, line, raw, whole

KEY = "a-key-for-batches"
MODEL = "gemini-3-pro-image"


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with serve(as_of="2026-11-22", pictures="flat", signature_bytes=600, batch_polls=1) as emulator:
        yield emulator


@asynccontextmanager
async def api_at(url: str) -> AsyncIterator[BatchApi]:
    provider = RestProvider(KEY, base_url=url, real=False)
    try:
        yield BatchApi(provider, sleep=lambda seconds: _no_time())
    finally:
        await provider.aclose()


async def _no_time() -> None:
    return None


def _rows(path: Path, *words: str) -> Path:
    rows = [{"key": said, "request": {"contents": [{"parts": [{"text": said}]}]}} for said in words]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


async def test_a_file_becomes_a_job_whose_lines_come_back_by_key(server: Emulator, tmp_path: Path) -> None:
    async with api_at(server.url) as api:
        file = await api.upload(_rows(tmp_path / "rows.jsonl", "a fox", "a hen"), name="rows of a test")
        job = await api.create(MODEL, display_name="job 1", input_file=file.name)
        told = await api.get(job.name)
        assert told.state is JobState.SUCCEEDED
        assert told.result_file
        answers = {row.key: row.reply async for one in api.lines(told.result_file) if (row := parse_row(one))}
        assert set(answers) == {"a fox", "a hen"}
        assert all(reply.images for reply in answers.values())
        await api.forget(job.name)
        await api.forget(job.name)


async def test_an_upload_larger_than_a_piece_arrives_whole(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PIECE", 50)
    path = _rows(tmp_path / "rows.jsonl", *(f"a fox {n}" for n in range(9)))
    async with api_at(server.url) as api:
        file = await api.upload(path, name="rows")
    assert file.bytes == path.stat().st_size
    assert file.expires_at is not None


async def test_all_pages_of_the_list_are_read(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_PAGE", 2)
    async with api_at(server.url) as api:
        file = await api.upload(_rows(tmp_path / "rows.jsonl", "a fox"), name="rows")
        for number in range(5):
            await api.create(MODEL, display_name=f"listed {number}", input_file=file.name)
        found = [job.display_name async for job in api.jobs() if job.display_name.startswith("listed")]
    assert found == [f"listed {number}" for number in (4, 3, 2, 1, 0)]


async def test_a_job_that_is_cancelled_says_so(server: Emulator, tmp_path: Path) -> None:
    server.faults.add("batch_stuck", times=1)
    async with api_at(server.url) as api:
        file = await api.upload(_rows(tmp_path / "rows.jsonl", "a fox"), name="rows")
        job = await api.create(MODEL, display_name="stuck", input_file=file.name)
        await api.cancel(job.name)
        assert (await api.get(job.name)).state is JobState.CANCELLED


async def test_a_result_that_is_gone_is_declined_in_the_providers_words(
    server: Emulator, tmp_path: Path
) -> None:
    server.faults.add("batch_result_gone", times=1)
    async with api_at(server.url) as api:
        file = await api.upload(_rows(tmp_path / "rows.jsonl", "a fox"), name="rows")
        job = await api.create(MODEL, display_name="gone", input_file=file.name)
        told = await api.get(job.name)
        assert told.result_file
        with pytest.raises(Declined, match="403") as gone:
            [one async for one in api.lines(told.result_file)]
        assert gone.value.error.http_status == 403


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("rate_limit_help_only", Declined),
        ("overloaded", InDoubt),
        ("drop_after", InDoubt),
    ],
)
async def test_a_creation_is_refused_or_in_doubt(
    server: Emulator, tmp_path: Path, fault: str, error: type[Exception]
) -> None:
    server.faults.add(fault, method="batchGenerateContent", times=1)
    async with api_at(server.url) as api:
        file = await api.upload(_rows(tmp_path / "rows.jsonl", "a fox"), name="rows")
        with pytest.raises(error):
            await api.create(MODEL, display_name="refused", input_file=file.name)


@pytest.mark.parametrize("body", [b"[1", b"{}"])
async def test_a_creation_answered_with_nonsense_is_in_doubt(body: bytes) -> None:
    async with line(whole(body)) as server, api_at(_url(server)) as api:
        with pytest.raises(InDoubt):
            await api.create(MODEL, display_name="odd", input_file="files/x")


async def test_a_piece_that_is_lost_goes_again_from_where_the_provider_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PIECE", 4)
    path = tmp_path / "ten bytes"
    path.write_bytes(b"0123456789")
    done = orjson.dumps({"file": {"name": "files/a", "uri": "u", "state": "ACTIVE", "sizeBytes": "10"}})
    url = "\nx-goog-upload-url: http://elsewhere/upload/v1beta/files?upload_id=7"
    behaviours = (
        whole(b"", extra=url),
        whole(b"", extra="\nx-goog-upload-status: active"),
        raw("HTTP/1.1 200 OK\nContent-Length: 9", b"", close=True),
        whole(b"", extra="\nx-goog-upload-status: active\nx-goog-upload-size-received: 6"),
        whole(done, extra="\nx-goog-upload-status: final"),
    )
    async with line(*behaviours) as server, api_at(_url(server)) as api:
        file = await api.upload(path, name="x")
    assert file.name == "files/a"
    assert server.bodies[1:] == [b"0123", b"4567", b"", b"6789"]
    assert all(head.startswith(b"POST /upload/v1beta/files?upload_id=7 ") for head in server.heads[1:])
    assert b"upload, finalize" in server.heads[-1]


async def test_a_file_is_waited_for_until_it_is_ready(tmp_path: Path) -> None:
    def file(state: str) -> bytes:
        return orjson.dumps({"name": "files/a", "uri": "u", "state": state})

    url = "\nx-goog-upload-url: http://elsewhere/upload/v1beta/files?upload_id=7"
    answers = (
        whole(b"", extra=url),
        *(whole(file(state)) for state in ("PROCESSING", "PROCESSING", "ACTIVE")),
    )
    path = tmp_path / "x"
    path.write_bytes(b"x")
    async with line(*answers) as server, api_at(_url(server)) as api:
        assert (await api.upload(path, name="x")).active
    assert len(server.heads) == 4


async def test_a_result_that_breaks_off_is_told_from_one_that_ended() -> None:
    cut = raw("HTTP/1.1 200 OK\nContent-Length: 900", b'{"key": "1"}\n{"ke', close=True)
    came: list[bytes] = []
    async with line(cut) as server, api_at(_url(server)) as api:
        result = api.lines("files/batch-1")
        came.append(await anext(result))
        with pytest.raises(Unreachable):
            await anext(result)
    assert [json.loads(one) for one in came] == [{"key": "1"}]


async def test_lines_are_put_together_from_any_pieces() -> None:
    async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    found = [one async for one in split_lines(pieces(b"a", b"b\n\nc", b"", b"\r\nd\ne"))]
    assert found == [b"ab", b"c", b"d", b"e"]
    with pytest.raises(Unreachable, match="more than 3 bytes"):
        [one async for one in split_lines(pieces(b"ab", b"cd"), most=3)]


def _url(server: Line) -> str:
    return f"http://127.0.0.1:{server.port}"
