"""Batch jobs: life cycle, both modes, rows that fail, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import orjson
import pytest

from gemini_emulator import Emulator, serve

PRO, LITE = "gemini-3-pro-image", "gemini-3.1-flash-lite-image"
START = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
LAST = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}


@pytest.fixture
def world() -> Iterator[tuple[Emulator, httpx2.Client]]:
    """A fresh emulator of 2026-11-22 whose clock may be pushed."""
    with (
        serve(as_of="2026-11-22", pictures="flat", signature_bytes=600) as emulator,
        httpx2.Client(base_url=emulator.url, headers={"x-goog-api-key": "key-abcd"}) as http,
    ):
        yield emulator, http


def _request(prompt: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}


def _create(
    http: httpx2.Client, rows: int = 3, fault: str | None = None, model: str = LITE
) -> dict[str, Any]:
    requests = [{"request": _request(f"fox {row}"), "metadata": {"key": f"k{row}"}} for row in range(rows)]
    body = {"batch": {"displayName": "d", "inputConfig": {"requests": {"requests": requests}}}}
    headers = {"x-emulator-fault": fault} if fault else {}
    answer = http.post(f"/v1beta/models/{model}:batchGenerateContent", json=body, headers=headers)
    job: dict[str, Any] = answer.raise_for_status().json()
    return job


def _create_from_file(
    http: httpx2.Client, lines: list[dict[str, Any]], fault: str | None = None
) -> dict[str, Any]:
    content = b"\n".join(orjson.dumps(line) for line in lines)
    url = http.post("/upload/v1beta/files", json={}, headers=START).headers["x-goog-upload-url"]
    name = http.post(url, content=content, headers=LAST).json()["file"]["name"]
    headers = {"x-emulator-fault": fault} if fault else {}
    body = {"batch": {"inputConfig": {"fileName": name}, "displayName": "d"}}
    job: dict[str, Any] = http.post(
        f"/v1beta/models/{LITE}:batchGenerateContent", json=body, headers=headers
    ).json()
    return job


def _finished(http: httpx2.Client, job: dict[str, Any]) -> dict[str, Any]:
    for _ in range(10):
        found: dict[str, Any] = http.get(f"/v1beta/{job['name']}").json()
        if found.get("done"):
            return found
    raise AssertionError(f"still {found['metadata']['state']} after ten polls")


def _rows(done: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = done["response"]["inlinedResponses"]["inlinedResponses"]
    return rows


def test_states_advance_when_looked_at(world: tuple[Emulator, httpx2.Client]) -> None:
    """PENDING, RUNNING, RUNNING, SUCCEEDED at the third poll, with counts as strings."""
    _, http = world
    job = _create(http)
    looks = [job, *(http.get(f"/v1beta/{job['name']}").json() for _ in range(3))]
    states = [look["metadata"]["state"] for look in looks]
    assert states == [f"BATCH_STATE_{name}" for name in ("PENDING", "RUNNING", "RUNNING", "SUCCEEDED")]
    assert job["metadata"]["batchStats"] == {"requestCount": "3", "pendingRequestCount": "3"}


def test_rows_are_charged_at_half_price(world: tuple[Emulator, httpx2.Client]) -> None:
    """Each row's usage at the batch rates, in the batch lane, under its own response id."""
    emulator, http = world
    rows = _rows(_finished(http, _create(http, rows=2)))
    expected = []
    for row in rows:
        usage = row["response"]["usageMetadata"]
        hidden = usage["candidatesTokenCount"] - 1120
        expected.append(
            (row["response"]["responseId"], usage["promptTokenCount"] * 125 + 1120 * 15_000 + hidden * 750)
        )
    assert [(entry.id, entry.total) for entry in emulator.bill().entries] == expected
    assert {entry.lane for entry in emulator.bill().entries} == {"batch"}


def test_a_file_of_rows_gives_a_file_of_results(world: tuple[Emulator, httpx2.Client]) -> None:
    """Rows keep their keys; both spellings are read; a row with an unknown field fails alone with code 3."""
    _, http = world
    lines = [
        {
            "key": "good",
            "request": {**_request("a fox"), "generation_config": {"response_modalities": ["IMAGE"]}},
        },
        {"key": "slip", "request": {**_request("a fox"), "config": {}}},
    ]
    done = _finished(http, _create_from_file(http, lines))
    name = done["response"]["responsesFile"]
    assert name == done["metadata"]["output"]["responsesFile"] == f"files/batch-{done['name'][8:]}"
    raw = http.get(f"/v1beta/{name}:download", params={"alt": "media"}).content
    results = {row["key"]: row for row in map(orjson.loads, raw.splitlines())}
    assert "candidates" in results["good"]["response"]
    assert results["slip"]["error"]["code"] == 3
    assert done["metadata"]["batchStats"] == {
        "requestCount": "2", "successfulRequestCount": "1", "failedRequestCount": "1",
    }  # fmt: skip


def test_the_list_shows_jobs_without_their_rows(world: tuple[Emulator, httpx2.Client]) -> None:
    """Newest first, paged, no inlinedResponses."""
    _, http = world
    jobs = [_create(http, rows=1) for _ in range(3)]
    _finished(http, jobs[0])
    first = http.get("/v1beta/batches", params={"pageSize": 2}).json()
    second = http.get("/v1beta/batches", params={"pageSize": 2, "pageToken": first["nextPageToken"]}).json()
    listed = first["operations"] + second["operations"]
    assert [job["name"] for job in listed] == [job["name"] for job in reversed(jobs)]
    assert all("response" not in job and "output" not in job["metadata"] for job in listed)


def test_a_job_can_be_cancelled_and_deleted(world: tuple[Emulator, httpx2.Client]) -> None:
    """Cancelled is done; deleted is gone; another key's job was never there."""
    _, http = world
    job = _create(http)
    assert http.get(f"/v1beta/{job['name']}", headers={"x-goog-api-key": "another"}).status_code == 404
    assert http.post(f"/v1beta/{job['name']}:cancel").json() == {}
    cancelled = http.get(f"/v1beta/{job['name']}").json()
    assert (cancelled["done"], cancelled["metadata"]["state"]) == (True, "BATCH_STATE_CANCELLED")
    assert http.delete(f"/v1beta/{job['name']}").json() == {}
    assert http.get(f"/v1beta/{job['name']}").status_code == 404


def test_imagen_has_no_batch(then: Any) -> None:
    """404: not supported for batchGenerateContent."""
    answer = then.post("/v1beta/models/imagen-4.0-generate-001:batchGenerateContent", {})
    assert answer.status_code == 404
    assert "not supported for batchGenerateContent" in answer.json()["error"]["message"]


def test_an_empty_job_is_refused(world: tuple[Emulator, httpx2.Client]) -> None:
    """400 for no rows, 403 for a file that is not there, 400 for a line that is no JSON."""
    _, http = world
    path = f"/v1beta/models/{LITE}:batchGenerateContent"
    assert http.post(path, json={"batch": {"displayName": "d"}}).status_code == 400
    gone = {"batch": {"inputConfig": {"fileName": "files/nowhere"}}}
    assert http.post(path, json=gone).status_code == 403


def test_the_hundred_and_first_job_is_throttled(world: tuple[Emulator, httpx2.Client]) -> None:
    """429 with Help alone, as reported for batch creation."""
    _, http = world
    for _ in range(100):
        _create(http, rows=1, fault="batch_stuck")
    with pytest.raises(httpx2.HTTPStatusError) as caught:
        _create(http, rows=1)
    assert caught.value.response.status_code == 429
    assert [detail["@type"][-4:] for detail in caught.value.response.json()["error"]["details"]] == ["Help"]


def test_a_stuck_job_expires_and_costs_nothing(world: tuple[Emulator, httpx2.Client]) -> None:
    """PENDING for two days, then EXPIRED without rows."""
    emulator, http = world
    job = _create(http, fault="batch_stuck")
    for hours in (1, 46):
        emulator.advance(hours * 3600)
        assert http.get(f"/v1beta/{job['name']}").json()["metadata"]["state"] == "BATCH_STATE_PENDING"
    emulator.advance(2 * 3600)
    expired = http.get(f"/v1beta/{job['name']}").json()
    assert (expired["done"], expired["metadata"]["state"]) == (True, "BATCH_STATE_EXPIRED")
    assert "response" not in expired
    assert emulator.bill().total == 0


ROW_FAULTS = [
    ("batch_rows_fail;rows=1", [None, 13, None], 2),
    ("batch_rows_fail;code=3", [3, 3, 3], 0),
    ("batch_rows_cancelled;rows=0,2", [1, None, 1], 1),
]


@pytest.mark.parametrize(("fault", "codes", "charged"), ROW_FAULTS)
def test_a_succeeded_job_may_hold_failed_rows(
    world: tuple[Emulator, httpx2.Client], fault: str, codes: list[int | None], charged: int
) -> None:
    """SUCCEEDED although rows carry errors, and only the others are charged."""
    emulator, http = world
    done = _finished(http, _create(http, fault=fault))
    assert done["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
    assert [row.get("error", {}).get("code") for row in _rows(done)] == codes
    assert len(emulator.bill().entries) == charged


def test_rows_may_be_missing_or_out_of_order(world: tuple[Emulator, httpx2.Client]) -> None:
    """The metadata is the only way to tell which row is which."""
    _, http = world
    keys = {}
    for fault in ("batch_rows_missing;rows=0", "batch_out_of_order"):
        keys[fault] = [row["metadata"]["key"] for row in _rows(_finished(http, _create(http, fault=fault)))]
    assert list(keys.values()) == [["k1", "k2"], ["k2", "k1", "k0"]]


def test_a_row_may_be_refused_within_its_response(world: tuple[Emulator, httpx2.Client]) -> None:
    """batch_rows_answer puts an answer fault into one row; the refusal is free."""
    emulator, http = world
    done = _finished(http, _create(http, fault="batch_rows_answer;rows=1;fault=image_safety"))
    reasons = [row["response"]["candidates"][0]["finishReason"] for row in _rows(done)]
    assert reasons == ["STOP", "IMAGE_SAFETY", "STOP"]
    assert [entry.total > 0 for entry in emulator.bill().entries] == [True, False, True]


def test_a_job_may_fail_as_a_whole(world: tuple[Emulator, httpx2.Client]) -> None:
    """FAILED with an operation error, no rows, no charge."""
    emulator, http = world
    done = _finished(http, _create(http, fault="batch_fails"))
    assert done["metadata"]["state"] == "BATCH_STATE_FAILED"
    assert done["error"]["code"] == 13
    assert emulator.bill().total == 0


def test_a_result_file_may_be_gone(world: tuple[Emulator, httpx2.Client]) -> None:
    """SUCCEEDED and charged, and the download is a 403."""
    emulator, http = world
    lines = [{"key": "a", "request": _request("a fox")}]
    done = _finished(http, _create_from_file(http, lines, fault="batch_result_gone"))
    path = f"/v1beta/{done['response']['responsesFile']}:download"
    assert http.get(path, params={"alt": "media"}).status_code == 403
    assert emulator.bill().total > 0


def test_a_finished_job_may_be_unreadable(world: tuple[Emulator, httpx2.Client]) -> None:
    """GET answers 503 as long as the fault lasts."""
    emulator, http = world
    job = _create(http)
    emulator.faults.add("batch_unreadable", times=4)
    codes = [http.get(f"/v1beta/{job['name']}").status_code for _ in range(5)]
    assert codes == [503, 503, 503, 503, 200]


def test_a_broken_line_is_named(world: tuple[Emulator, httpx2.Client]) -> None:
    """Creation fails with the number of the first line that is no JSON."""
    _, http = world
    url = http.post("/upload/v1beta/files", json={}, headers=START).headers["x-goog-upload-url"]
    name = http.post(url, content=b'{"key":"a","request":{}}\n{oops', headers=LAST).json()["file"]["name"]
    body = {"batch": {"inputConfig": {"fileName": name}}}
    answer = http.post(f"/v1beta/models/{LITE}:batchGenerateContent", json=body)
    assert answer.status_code == 400
    assert "line 2" in answer.json()["error"]["message"]
