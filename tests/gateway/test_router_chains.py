"""Chains over HTTP: made in the background, one job for each picture, taken up again where they broke off."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from gateway.conftest import DAY, started
from gateway.talk import Talk, holder
from image_router.gateway.api import gateway
from image_router.gateway.opening import Choices
from image_router.testing import emulated

CHAINS = "/router/v1/chains"
MIRA = {"prompt": "Mira, a courier with green hair", "variants": ["on a bike", "at the sea"]}


@pytest.fixture
def talk(site) -> Talk:
    return Talk(site.url)


async def _over(talk: Talk, chain: dict[str, Any]) -> dict[str, Any]:
    """The chain when it is over and its jobs are too."""
    while True:
        told = (await talk("GET", f"{CHAINS}/{chain['id']}")).json
        items = [told["reference"], *told["variants"]]
        if told["status"] != "running" and not {one["status"] for one in items} & {"queued", "running"}:
            return told
        await asyncio.sleep(0.1)


async def test_every_picture_of_a_chain_is_kept_with_where_it_came_from(talk, site) -> None:
    """A reference, then each variant from it; the cost is that of their jobs."""
    made = await talk("POST", CHAINS, MIRA)
    assert made.status == 202
    assert made.headers["location"].endswith(made.json["id"])
    told = await _over(talk, made.json)
    assert (told["status"], told["progress"]) == ("succeeded", {"images": 3, "done": 3, "failed": 0})
    reference = (await talk("GET", f"/router/v1/assets/{told['reference']['asset_id']}")).json
    assert sorted(reference["used_for"]) == sorted(one["asset_id"] for one in told["variants"])
    assert float(told["cost_usd"]) > 0
    assert len(site.emulator.bill().entries) == 3


async def test_what_failed_is_made_by_resuming_and_only_that_is_paid(talk, site) -> None:
    """Where one variant failed the chain is partial; taken up again, it makes the one that is missing."""
    site.emulator.faults.add("region", model="gemini-3-pro-image", times=1)
    told = await _over(talk, (await talk("POST", CHAINS, MIRA)).json)
    assert told["status"] == "partial"
    (missing,) = [one for one in told["variants"] if one["status"] == "failed"]
    assert missing["error"]["code"]
    paid = len(site.emulator.bill().entries)
    again = await talk("POST", f"{CHAINS}/{told['id']}/resume")
    assert (again.status, again.json["status"]) == (202, "running")
    done = await _over(talk, again.json)
    kept = {one["key"]: one["asset_id"] for one in told["variants"] if one["asset_id"]}
    assert kept.items() <= {one["key"]: one["asset_id"] for one in done["variants"]}.items()
    assert done["status"] == "succeeded"
    assert len(site.emulator.bill().entries) == paid + 1


async def test_whoever_prefers_to_wait_is_answered_at_its_end(talk) -> None:
    """One request instead of many looks."""
    chain = (await talk("POST", CHAINS, {**MIRA, "variants": ["at sea"]})).json
    told = await talk("GET", f"{CHAINS}/{chain['id']}", prefer="wait=60")
    assert told.json["status"] == "succeeded"


async def test_a_finished_chain_has_nothing_to_resume(talk) -> None:
    """409, in words."""
    told = await _over(talk, (await talk("POST", CHAINS, {**MIRA, "variants": ["at sea"]})).json)
    assert (await talk("POST", f"{CHAINS}/{told['id']}/resume")).status == 409


async def test_a_cancelled_chain_makes_no_more(talk, site) -> None:
    """What waits is not made; what came before stays, and resuming makes the rest."""
    chain = (await talk("POST", CHAINS, MIRA)).json
    assert (await talk("POST", f"{CHAINS}/{chain['id']}/cancel")).json["status"] == "cancelled"
    told = await _over(talk, chain)
    assert told["progress"]["done"] < 3
    await talk("POST", f"{CHAINS}/{chain['id']}/resume")
    assert (await _over(talk, chain))["status"] == "succeeded"


async def test_the_same_key_names_the_same_chain(talk) -> None:
    """Sent twice it is one chain; another chain under the key is a 422."""
    one = await talk("POST", CHAINS, MIRA, idempotency_key="mira")
    two = await talk("POST", CHAINS, MIRA, idempotency_key="mira")
    assert one.json["id"] == two.json["id"]
    assert two.headers["idempotent-replayed"] == "true"
    other = await talk("POST", CHAINS, {**MIRA, "variants": ["asleep"]}, idempotency_key="mira")
    assert other.status == 422
    await _over(talk, one.json)


async def test_a_chain_goes_on_where_another_process_takes_over(tmp_path) -> None:
    """Begun by one gateway and finished by the next; three pictures, three payments."""
    with ExitStack() as both:
        emulator = both.enter_context(emulated(as_of=DAY))
        home = {"home": tmp_path / "home", "offline": True, "emulator_url": emulator.url, "as_of": DAY}
        with ExitStack() as first:
            talk = Talk(started(partial(gateway, Choices(open=True), **home), first))
            chain = (await talk("POST", CHAINS, MIRA)).json
            await asyncio.to_thread(first.close)
        talk = Talk(started(partial(gateway, Choices(open=True), **home), both))
        assert (await _over(talk, chain))["status"] == "succeeded"
        assert len(emulator.bill().entries) == 3


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"prompt": "Mira"}, 400),
        ({**MIRA, "variants": [" "]}, 400),
        ({**MIRA, "n": 2}, 400),
        ({**MIRA, "purpose": "hero"}, 400),
        ({**MIRA, "max_total": "0.0001"}, 400),
        ({**MIRA, "previous": "req_0.0"}, 400),
    ],
)
async def test_what_is_no_chain_is_refused_before_money(talk, site, body, status) -> None:
    """Nothing is put in line."""
    assert (await talk("POST", CHAINS, body)).status == status
    assert (await talk("GET", CHAINS)).json["chains"] == []


async def test_chains_of_others_are_not_there(locked) -> None:
    """404 for every operation, and the list leaves them out."""
    mine, other = await holder(locked), await holder(locked, scope="other")
    chain = (await mine("POST", CHAINS, MIRA)).json
    for method, tail in (("GET", ""), ("POST", "/cancel"), ("POST", "/resume")):
        assert (await other(method, f"{CHAINS}/{chain['id']}{tail}")).status == 404
    assert (await other("GET", CHAINS)).json["chains"] == []
    assert [one["id"] for one in (await mine("GET", CHAINS)).json["chains"]] == [chain["id"]]
    assert (await _over(mine, chain))["status"] == "succeeded"
