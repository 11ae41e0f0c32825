"""Jobs and router keys: whose they are, by whose rules and limits they run, and what stops them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any, TypeVar

import httpx2 as httpx
import pytest

from image_router.books import Books, open_books
from image_router.config import Limits
from image_router.core.router_keys import KeyRules
from image_router.core.types import Tier
from image_router.storage.jobs import LOST_AT_MOST, Jobs

FOX: dict[str, Any] = {"prompt": "a red fox", "model": "auto"}
JOBS = "/router/v1/jobs"
T = TypeVar("T")


@pytest.fixture
def site(site_of):
    """Everybody shows a key, and one job is done at a time."""
    return site_of(keys=True, limits=Limits(jobs=1, jobs_waiting=3))


def with_books(site, act: Callable[[Books], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_books(home=site.home, offline=True) as books:
            return await act(books)

    return asyncio.run(run())


@pytest.fixture
def holder(site):
    """Makes somebody with a new key: a client, and the key's id."""
    with ExitStack() as stack:

        def make(**rules: Any) -> tuple[httpx.Client, str]:
            wanted = KeyRules(**{"name": "ci", "scope": "acme", **rules})
            made = with_books(site, lambda books: books.keys.create(wanted, who="ann"))
            headers = {"authorization": f"Bearer {made.secret.text}"}
            client = httpx.Client(base_url=site.url, headers=headers, timeout=90)
            return stack.enter_context(client), made.key.id

        yield make


def busy(site, client: httpx.Client) -> dict[str, Any]:
    """A job that keeps the only place for some seconds."""
    site.emulator.faults.add("slow;seconds=4", times=1)
    job = client.post(JOBS, json=FOX).json()
    while not site.emulator.requests():
        time.sleep(0.02)
    return job


def ended(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    return client.get(job["urls"]["self"], headers={"prefer": "wait=60"}).json()


def test_jobs_belong_to_their_scope(holder) -> None:
    """Others see, fetch and cancel nothing of them; an admin does."""
    client, _ = holder()
    job = client.post(JOBS, json={**FOX, "scope": "acme/shop"}).json()
    stranger, _ = holder(scope="other")
    paths = [(stranger.get, ""), (stranger.get, "/result"), (stranger.post, "/cancel")]
    assert {call(f"{JOBS}/{job['id']}{end}").status_code for call, end in paths} == {404}
    assert stranger.get(JOBS).json()["jobs"] == []
    assert stranger.get(JOBS, params={"scope": "acme"}).status_code == 403
    admin, _ = holder(scope="root", admin=True)
    assert [one["id"] for one in admin.get(JOBS).json()["jobs"]] == [job["id"]]
    assert client.get(JOBS).json()["jobs"][0]["scope"] == "acme/shop"


def test_a_revoked_key_stops_its_queued_jobs(site, holder) -> None:
    """What waits fails with the words of the revoked key, unpaid."""
    client, key_id = holder()
    other, _ = holder()
    busy(site, other)
    job = client.post(JOBS, json=FOX).json()
    with_books(site, lambda books: books.keys.revoke(key_id, who="ann"))
    done = ended(other, job)
    assert (done["status"], done["error"]["status"], done["cost_usd"]) == ("failed", 401, "0")
    assert len(site.emulator.requests()) == 1


def test_a_job_runs_by_the_rules_of_its_making(site, holder) -> None:
    """A rule that comes later holds for later requests alone."""
    client, key_id = holder()
    busy(site, client)
    job = client.post(JOBS, json={**FOX, "model": "nano_banana_pro"}).json()
    only = frozenset({Tier.NANO_BANANA})
    with_books(site, lambda books: books.keys.set(key_id, who="ann", tiers=only))
    assert ended(client, job)["status"] == "succeeded"
    time.sleep(1.1)  # a changed key counts within a second
    refused = client.post(JOBS, json={**FOX, "model": "nano_banana_pro"})
    assert refused.status_code == 403


def test_a_job_waits_for_the_limits_of_its_key(site, holder) -> None:
    """Instead of a 429 it goes back in line, until the limit lets it in."""
    client, _ = holder(requests_per_minute=1)
    first, second = (client.post(JOBS, json=FOX).json() for _ in range(2))
    assert ended(client, first)["status"] == "succeeded"
    while client.get(second["urls"]["self"]).json()["turns"] == 0:
        time.sleep(0.05)
    waiting = client.get(second["urls"]["self"], headers={"prefer": "wait=1"}).json()
    assert (waiting["status"], waiting["error"]) == ("queued", None)
    assert client.post(second["urls"]["cancel"]).json()["status"] == "cancelled"
    assert len(site.emulator.requests()) == 1


def test_a_job_that_its_budget_cannot_pay_fails(site, holder) -> None:
    """Its result is the refusal that the call would have had."""
    with_books(site, lambda books: books.budgets.set("acme", who="ann", day=1_000))
    client, _ = holder()
    job = client.post(JOBS, json=FOX).json()
    done = ended(client, job)
    result = client.get(job["urls"]["result"])
    assert (done["status"], result.status_code) == ("failed", 429)
    assert result.json()["error"]["code"] == done["error"]["code"]
    assert site.emulator.requests() == []


def test_a_scope_has_so_many_jobs_in_line(site, holder) -> None:
    """Above the limit nothing more is taken, until some are over."""
    client, _ = holder()
    busy(site, client)
    named = {"idempotency-key": "order-7"}
    answers = [client.post(JOBS, json=FOX, headers=headers) for headers in ({}, named, {}, named)]
    assert [answer.status_code for answer in answers] == [202, 202, 429, 202]
    assert answers[2].json()["error"]["code"] == "too_many_jobs"
    assert answers[3].json()["id"] == answers[1].json()["id"]


def test_the_pictures_of_a_chain_stand_in_the_same_line(site, holder) -> None:
    """One of four pictures never fits; one of three does not beside a job."""
    client, _ = holder()
    asks = {n: {"prompt": "Mira", "variants": [f"place {i}" for i in range(n)]} for n in (2, 3)}
    never = client.post("/router/v1/chains", json=asks[3])
    assert (never.status_code, never.headers.get("retry-after")) == (429, None)
    assert client.post(JOBS, json=FOX).status_code == 202
    busy(site, client)
    later = client.post("/router/v1/chains", json=asks[2])
    assert (later.status_code, later.json()["error"]["code"]) == (429, "too_many_jobs")
    assert later.headers["retry-after"]
    assert client.get("/router/v1/chains").json()["chains"] == []


def test_a_job_that_kills_its_workers_is_given_up(site, holder) -> None:
    """After so many deaths nobody tries it again."""
    client, _ = holder()
    busy(site, client)
    job = client.post(JOBS, json=FOX).json()

    async def die_at_it(books: Books) -> None:
        jobs = Jobs(books.db, books.assets.blobs, lease=-1.0)
        for _ in range(LOST_AT_MOST + 1):
            assert [claim.job.id for claim in await jobs.claim(1)] == [job["id"]]

    with_books(site, die_at_it)
    done = ended(client, job)
    assert (done["status"], done["error"]["code"]) == ("failed", "job_given_up")
    assert len(site.emulator.requests()) == 1
