"""Jobs over real HTTP: answered later with what the synchronous call would have given."""

from __future__ import annotations

import asyncio
import base64
import io
import time
from typing import Any

import httpx2 as httpx
import pytest
from PIL import Image

from image_router.books import open_books
from image_router.core.storing import StoreMode
from image_router.storage.storing_rules import StoringRule

FOX: dict[str, Any] = {"prompt": "a red fox", "model": "auto"}
ASYNC = {"prefer": "respond-async"}
PATIENT = {"prefer": "wait=60"}


@pytest.fixture
def client(site):
    with httpx.Client(base_url=site.url, timeout=90) as client:
        yield client


def picture() -> str:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def ended(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    return client.get(job["urls"]["self"], headers=PATIENT).json()


def paid(site) -> int:
    return len(site.emulator.bill().entries)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/images/generations", FOX),
        ("/v1/images/edits", {"prompt": "make it blue", "image": picture()}),
        ("/router/v1/jobs", {**FOX, "n": 2}),
        ("/router/v1/jobs", {"prompt": "make it blue", "image": picture(), "output_format": "webp"}),
    ],
)
def test_a_job_gives_what_the_call_would_have_given(client, site, path, body) -> None:
    """202 with its address; then the same fields as the synchronous answer, paid once."""
    made = client.post(path, json=body, headers=ASYNC)
    assert (made.status_code, made.headers["preference-applied"]) == (202, "respond-async")
    job = made.json()
    assert made.headers["location"] == job["urls"]["self"]
    assert ended(client, job)["status"] == "succeeded"
    count = body.get("n", 1)
    assert paid(site) == count
    result = client.get(job["urls"]["result"])
    sync_path = "/v1/images/edits" if "image" in body else "/v1/images/generations"
    direct = client.post(sync_path, json=body)
    assert result.status_code == direct.status_code == 200
    assert result.json().keys() == direct.json().keys()
    assert result.json()["image_router"].keys() == direct.json()["image_router"].keys()
    assert result.json()["usage"] == direct.json()["usage"]
    formats = [_format(one["b64_json"]) for one in result.json()["data"]]
    assert formats == [_format(one["b64_json"]) for one in direct.json()["data"]]
    assert len(formats) == count


def _format(encoded: str) -> str | None:
    return Image.open(io.BytesIO(base64.b64decode(encoded))).format


def test_a_job_tells_its_progress_and_its_cost(client, site) -> None:
    """While it runs it says how far it is; at the end it costs what the provider charged."""
    site.emulator.faults.add("slow;seconds=3", times=1)
    job = client.post("/router/v1/jobs", json={**FOX, "n": 2, "metadata": {"order": "7"}}).json()
    assert (job["status"], job["progress"]) == ("queued", {"images": 2, "done": 0, "failed": 0})
    early = client.get(job["urls"]["result"])
    assert (early.status_code, early.headers["retry-after"]) == (409, "2")
    assert early.json()["error"]["code"] == "job_running"
    seen = job
    while seen["progress"]["done"] == 0:
        time.sleep(0.05)
        seen = client.get(job["urls"]["self"]).json()
    done = ended(client, job)
    assert done["progress"] == {"images": 2, "done": 2, "failed": 0}
    assert done["metadata"] == {"order": "7"}
    assert round(float(done["cost_usd"]) * 10**9) == site.emulator.bill().total


def test_a_failed_job_gives_the_error_of_the_call(client, site) -> None:
    """Its result is the very answer, status included, that the call would have had."""
    site.emulator.faults.add("prompt_blocked", times=1)
    job = client.post("/v1/images/generations", json=FOX, headers=ASYNC).json()
    done = ended(client, job)
    assert (done["status"], done["error"]["status"]) == ("failed", 400)
    result = client.get(job["urls"]["result"])
    assert result.status_code == 400
    assert result.json()["error"]["type"] == "image_generation_user_error"
    assert result.json()["error"]["code"] == done["error"]["code"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({**FOX, "stream": True}, "stream"),
        ({**FOX, "explain": True}, "explain"),
        ({**FOX, "mask": "x"}, "mask"),
        ({**FOX, "model": "no-such-model"}, "model"),
        ({**FOX, "metadata": {"a": 1}}, "metadata"),
        ({**FOX, "webhook": "ftp://shop.example"}, "webhook"),
        ({**FOX, "webhook": "https://127.0.0.1/hook"}, "webhook"),
        ({**FOX, "webhook": "https://user:word@shop.example/"}, "webhook"),
        ({**FOX, "webhook": "https://shop.example/hook"}, "webhook"),
    ],
)
def test_what_a_job_cannot_give_is_refused_at_once(client, site, body, param) -> None:
    """A 4xx that names the field; no job is made and nothing is spent."""
    answer = client.post("/router/v1/jobs", json=body)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["param"] == param
    assert client.get("/router/v1/jobs").json()["jobs"] == []
    assert paid(site) == 0


def test_a_scope_that_keeps_nothing_has_no_jobs(client, site) -> None:
    """Its results could not be kept until they are fetched."""

    async def keep_nothing() -> None:
        async with open_books(home=site.home, offline=True) as books:
            await books.rules.set("default", StoringRule(store=StoreMode.NONE))

    asyncio.run(keep_nothing())
    answer = client.post("/router/v1/jobs", json=FOX)
    assert answer.status_code == 400
    assert "keeps none" in answer.json()["error"]["message"]


def test_a_running_job_is_cancelled(client, site) -> None:
    """Its call is given up, it ends as cancelled, and has no result."""
    site.emulator.faults.add("slow;seconds=30", times=1)
    job = client.post("/router/v1/jobs", json=FOX).json()
    while not site.emulator.requests():
        time.sleep(0.02)
    asked = client.post(job["urls"]["cancel"]).json()
    assert asked["cancelling"] is True
    done = ended(client, job)
    assert (done["status"], done["cancelling"]) == ("cancelled", False)
    assert float(done["cost_usd"]) > 0
    assert client.get(job["urls"]["result"]).json()["error"]["code"] == "job_cancelled"
    assert client.post(job["urls"]["cancel"]).json()["status"] == "cancelled"


def test_a_key_names_one_job(client, site) -> None:
    """Same key and request: the same job, replayed; another request: 422; another header: 400."""
    key = {"idempotency-key": "order-7"}
    first = client.post("/router/v1/jobs", json=FOX, headers=key)
    again = client.post("/router/v1/jobs", json=FOX, headers=key)
    assert first.json()["id"] == again.json()["id"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = client.post("/router/v1/jobs", json={**FOX, "n": 2}, headers=key)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_conflict")
    assert client.post("/router/v1/jobs", json=FOX, headers={"idempotency-key": ""}).status_code == 400
    assert ended(client, first.json())["status"] == "succeeded"
    direct = client.post("/v1/images/generations", json=FOX, headers=key)
    assert direct.headers["idempotent-replayed"] == "true"
    assert paid(site) == 1


def test_jobs_are_listed_in_pages(client) -> None:
    """Newest first, filtered by status, on from the last one seen."""
    ids = [client.post("/router/v1/jobs", json=FOX).json() for _ in range(3)]
    for job in ids:
        ended(client, job)
    page = client.get("/router/v1/jobs", params={"limit": 2, "status": "succeeded"}).json()
    assert [job["id"] for job in page["jobs"]] == [ids[2]["id"], ids[1]["id"]]
    assert page["has_more"] is True
    rest = client.get("/router/v1/jobs", params={"after": ids[1]["id"]}).json()
    assert ([job["id"] for job in rest["jobs"]], rest["has_more"]) == ([ids[0]["id"]], False)
    assert client.get("/router/v1/jobs", params={"status": "done"}).status_code == 400
    assert client.get("/router/v1/jobs/job_unknown").status_code == 404
