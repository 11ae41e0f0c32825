"""Two gateways on one database: who is killed at a job, or at a key, loses nothing and pays nothing twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import pytest

import postgres_server
from gateway.short_leases import starting
from image_router.testing import emulated

FOX: dict[str, Any] = {"prompt": "a red fox", "model": "auto"}
PATIENT = {"prefer": "wait=60"}


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with postgres_server.private(options=postgres_server.FAST) as (url, _):
        yield url


@pytest.fixture
def emulator():
    with emulated() as emulator:
        yield emulator


@pytest.fixture(params=["sqlite", "postgresql"])
def start(request, tmp_path, emulator):
    """Starts a gateway; all of a test share home, pictures and database."""
    settings = {"home": str(tmp_path / "home"), "api_key": "a-key", "base_url": emulator.url}
    if request.param == "postgresql":
        settings["database"] = request.getfixturevalue("postgresql")
    with starting(settings, tmp_path / "log") as start:
        yield start


def until(look: Any, wanted: Any) -> Any:
    """What a look gives as soon as it is wanted."""
    end = time.monotonic() + 60
    while not wanted(found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"still {found}")
        time.sleep(0.05)
    return found


def ended(gateway, job: dict[str, Any]) -> dict[str, Any]:
    path = f"{gateway.url}/router/v1/jobs/{job['id']}"
    for _ in range(3):
        job = httpx.get(path, headers=PATIENT, timeout=90).json()
        if job["finished_at"]:
            break
    return job


def stopped_at_a_job(start, emulator, *, seconds: int, **settings: Any) -> dict[str, Any]:
    """A slow job whose gateway is told to stop in the middle of it, as the next gateway sees its end."""
    first = start(**settings)
    emulator.faults.add(f"slow;seconds={seconds}", times=1)
    job = httpx.post(f"{first.url}/router/v1/jobs", json=FOX).json()
    until(emulator.requests, bool)
    first.terminate()
    return ended(start(), job)


def test_a_job_outlives_its_worker(start, emulator) -> None:
    """kill -9 after one of two pictures: another gateway keeps it and sends only the other one again."""
    first = start()
    emulator.faults.script("ok", "slow;seconds=120")
    job = httpx.post(f"{first.url}/router/v1/jobs", json={**FOX, "n": 2}).json()
    until(lambda: httpx.get(f"{first.url}/router/v1/jobs/{job['id']}").json()["progress"]["done"], bool)
    first.kill()
    second = start()
    done = ended(second, job)
    assert (done["status"], done["turns"] > 1) == ("succeeded", True)
    assert done["progress"] == {"images": 2, "done": 2, "failed": 0}
    result = httpx.get(f"{second.url}/router/v1/jobs/{job['id']}/result").json()
    assert len({image["b64_json"] for image in result["data"]}) == 2
    # The call that was under way at the kill may be billed: on_ambiguous = once sends it again, once.
    assert len(emulator.requests()) == 3


def test_a_worker_that_is_told_to_stop_ends_its_job(start, emulator) -> None:
    """SIGTERM lets what is under way end within the drain: one payment, one turn."""
    done = stopped_at_a_job(start, emulator, seconds=2)
    assert (done["status"], done["turns"]) == ("succeeded", 1)
    assert len(emulator.bill().entries) == 1


def test_a_worker_that_must_stop_gives_its_job_back(start, emulator) -> None:
    """What takes longer than the drain is given back, and another begins it again."""
    done = stopped_at_a_job(start, emulator, seconds=120, limits={"drain": 1})
    assert (done["status"], done["turns"]) == ("succeeded", 2)
    assert len(emulator.requests()) == 2


def test_a_key_outlives_the_gateway_that_had_it(start, emulator) -> None:
    """While the dead one's lease runs others get a 409; who waits gets the picture, sent again once."""
    first, second = start(), start()
    key = {"idempotency-key": "order-7"}
    emulator.faults.add("slow;seconds=120", times=1)
    with ThreadPoolExecutor() as pool:
        lost = pool.submit(httpx.post, f"{first.url}/v1/images/generations", json=FOX, headers=key)
        until(emulator.requests, bool)
        first.kill()
        with pytest.raises(httpx.TransportError):
            lost.result()
    path = f"{second.url}/v1/images/generations"
    busy = httpx.post(path, json=FOX, headers=key)
    assert (busy.status_code, busy.headers["retry-after"]) == (409, "5")
    other = httpx.post(path, json={**FOX, "n": 2}, headers=key)
    assert other.status_code == 422
    made = httpx.post(path, json=FOX, headers={**key, **PATIENT}, timeout=90)
    assert made.status_code == 200
    again = httpx.post(path, json=FOX, headers=key)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["data"] == made.json()["data"]
    assert len(emulator.requests()) == 2


def test_one_of_two_gateways_does_a_job_and_both_know_it(start, emulator) -> None:
    """Ten jobs, two gateways: each is paid once, and either gives the result."""
    gateways = [start(), start()]
    jobs = [
        httpx.post(
            f"{gateways[number % 2].url}/router/v1/jobs", json={**FOX, "prompt": f"fox {number}"}
        ).json()
        for number in range(10)
    ]
    for number, job in enumerate(jobs):
        done = ended(gateways[(number + 1) % 2], job)
        assert (done["status"], done["turns"]) == ("succeeded", 1)
        urls = {httpx.get(f"{one.url}/router/v1/jobs/{job['id']}/result").status_code for one in gateways}
        assert urls == {200}
    assert len(emulator.bill().entries) == 10
