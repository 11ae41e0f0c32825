"""Two gateways of two workers each on one PostgreSQL: keys, caps, idempotency and breakers agree, and a
worker that is killed loses and double-pays nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import NullPool, create_engine, text

from harness.gateway_kills import Plan, measured
from harness.gateways import Together, new_key, together
from image_router.books import open_books
from image_router.core.money import USD, parse_usd
from image_router.engine.circuits import FRESH
from image_router.storage.budgets import Budgets
from image_router.storage.key_ring import BOUND
from image_router.storage.router_keys import RouterKeys

FOX = {"prompt": "a fox"}
PRO = {"prompt": "a fox", "model": "gemini-3-pro-image"}
CONNECTIONS = 8
"""So many that each of two workers gets some of them."""


@pytest.fixture(scope="module")
def site() -> Iterator[Together]:
    with together() as running:
        yield running


async def _statuses(site: Together, secret: str) -> set[int]:
    asked = [gateway.status(secret) for gateway in site.gateways for _ in range(CONNECTIONS)]
    return set(await asyncio.gather(*asked))


async def test_a_key_that_is_revoked_is_revoked_everywhere(site) -> None:
    """No worker of any gateway takes it a second later; all took it before."""
    key_id, secret = await new_key(site, "acme/keys")
    assert await _statuses(site, secret) == {200}
    async with open_books(site.settings) as books:
        await RouterKeys(books.db).revoke(key_id, who="harness")
    await asyncio.sleep(BOUND)
    assert await _statuses(site, secret) == {401}


async def test_a_cap_is_everybodys(site) -> None:
    """64 callers at once on both gateways: some are served, the rest refused, and never was more held and
    settled than the cap."""
    cap = USD // 4
    _, secret = await new_key(site, "acme/cap")
    async with open_books(site.settings) as books:
        await Budgets(books.db).set("acme/cap", who="harness", total=cap)
    asked = [site.gateways[n % 2].post(secret, {**FOX, "cache": "bypass"}) for n in range(64)]
    answers = await asyncio.gather(*asked)
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {200, 429}
    assert 0 < _highest(site, "acme/cap") <= cap
    async with open_books(site.settings) as books:
        (standing,) = await Budgets(books.db).standing("acme/cap")
    assert standing.held == 0
    costs = [answer.body["image_router"]["cost_usd"] for answer in answers if answer.status == 200]
    assert standing.settled == sum(parse_usd(cost, name="cost") for cost in costs)


def _highest(site: Together, scope: str) -> int:
    """The most that was settled and held at any moment, by the entries in their order."""
    engine = create_engine(site.address.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    query = "SELECT e.spent + e.held FROM entries e JOIN holds h ON h.id = e.hold_id WHERE h.scope = :scope"
    most = now = 0
    with engine.connect() as connection:
        for change in connection.execute(text(f"{query} ORDER BY e.id"), {"scope": scope}).scalars():
            now += change
            most = max(most, now)
    engine.dispose()
    return most


async def test_a_key_pays_once_wherever_it_is_sent(site) -> None:
    """The same Idempotency-Key at both gateways at once: one call is paid, both get the same picture."""
    _, secret = await new_key(site, "acme/once")
    before = len(site.emulator.bill())
    asked = [gateway.post(secret, FOX, key="order-1") for gateway in site.gateways for _ in range(4)]
    answers = await asyncio.gather(*asked)
    assert {answer.status for answer in answers} == {200}
    assert len({tuple(answer.pictures) for answer in answers}) == 1
    assert len(site.emulator.bill()) == before + 1


async def test_what_one_finds_shut_the_other_leaves_alone(site) -> None:
    """A model whose day is used up is refused by the other gateway without asking the provider."""
    _, secret = await new_key(site, "acme/breaker")
    one, two = site.gateways
    assert (await two.post(secret, PRO)).status == 200
    site.emulator.fail([{"fault": "rate_limit_day", "model": PRO["model"], "times": 1}])
    assert (await one.post(secret, PRO)).status == 429
    await asyncio.sleep(FRESH)
    answers = await asyncio.gather(*(two.post(secret, PRO) for _ in range(CONNECTIONS)))
    assert {answer.status for answer in answers} <= {429, 503}


async def test_a_killed_worker_costs_nobody_anything(site) -> None:
    """kill -9 under load: the supervisor starts another, every caller gets its picture, nothing is lost or
    paid twice beyond what on_ambiguous allows, and the books are the provider's bill."""
    verdict = await measured(site, Plan(pieces=40, kills=2))
    assert verdict.faults == [], str(verdict)
    assert len(verdict.done) == 40
    assert verdict.restarted == len(verdict.killed) == 2
    assert verdict.statuses.keys() <= {200, 0, 409, 503}
