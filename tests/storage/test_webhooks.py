"""The outbox in the database: posted once for each address, claimed by one, tried until it is told."""

from __future__ import annotations

import asyncio
import json

import pytest

from image_router.core.router_keys import KeyRules
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database
from image_router.storage.ledger import Ledger
from image_router.storage.router_keys import RouterKeys
from image_router.storage.webhooks import Outbox, post
from image_router.storage.webhooks_tables import (
    DeliveryQuery,
    DeliveryState,
    HookEvent,
    Notice,
    Told,
)
from storage.ledgers import asked

URL = "https://shop.example/hook"
DONE = Told(state=DeliveryState.DELIVERED, status=204)


def notice(scope: str = "acme/shop", *, url: str | None = URL) -> Notice:
    return Notice(scope=scope, event=HookEvent.JOB_SUCCEEDED, subject="job_1", payload="{}", url=url)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)


async def test_a_notice_goes_to_every_address_that_wants_it(outbox) -> None:
    """Endpoints of its scope and above that want the event, and its own address; each address once."""
    own = await outbox.add_endpoint("acme/shop", URL, events=HookEvent, who="ann")
    above = await outbox.add_endpoint(
        "acme", "https://acme.example/", events=[HookEvent.JOB_SUCCEEDED], who="ann"
    )
    await outbox.add_endpoint("acme", "https://failures.example/", events=[HookEvent.JOB_FAILED], who="ann")
    await outbox.add_endpoint("acme/other", "https://other.example/", events=HookEvent, who="ann")
    await outbox.post(notice())
    found = {(one.url, one.endpoint_id) for one in await outbox.listed(DeliveryQuery())}
    assert found == {(URL, own.id), ("https://acme.example/", above.id)}


async def test_a_notice_is_posted_with_what_it_tells_or_not_at_all(database, outbox) -> None:
    """Where the transaction fails, nobody is told."""

    def fails(tx) -> None:
        post(tx, notice())
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(fails)
    assert await outbox.listed(DeliveryQuery()) == []


async def test_a_delivery_is_claimed_by_one_alone(database, outbox) -> None:
    """Of ten processes that ask at once, one tries it."""
    await outbox.post(notice())
    found = await asyncio.gather(*(Outbox(database).claim(5) for _ in range(10)))
    (delivery,) = [one for some in found for one in some]
    assert (delivery.tries, delivery.state) == (1, DeliveryState.PENDING)
    await outbox.told(delivery, DONE)
    (stored,) = await outbox.listed(DeliveryQuery(subject="job_1"))
    assert (stored.state, stored.status) == (DeliveryState.DELIVERED, 204)


async def test_a_try_of_a_dead_process_is_made_again_under_the_same_id(database, outbox) -> None:
    """After the lease another takes it; what the first one says later does not count."""
    await outbox.post(notice())
    (lost,) = await Outbox(database, lease=-1.0).claim(1)
    (again,) = await outbox.claim(1)
    assert (again.id, again.tries) == (lost.id, 2)
    await outbox.told(lost, DONE)
    assert (await outbox.get(lost.id)).state is DeliveryState.PENDING


async def test_a_failed_try_waits_and_a_resent_delivery_begins_anew(outbox) -> None:
    """It is not due before its time; sending it again keeps its id and forgets the tries."""
    await outbox.post(notice())
    (delivery,) = await outbox.claim(1)
    await outbox.told(delivery, Told(state=DeliveryState.PENDING, status=500, trouble="HTTP 500", wait=60))
    assert await outbox.claim(1) == []
    await outbox.resend(delivery.id)
    (again,) = await outbox.claim(1)
    assert (again.id, again.tries, again.status) == (delivery.id, 1, 500)


async def test_an_endpoint_that_is_gone_is_switched_off(outbox) -> None:
    """What else is on its way to it is given up, and it is told of nothing any more."""
    endpoint = await outbox.add_endpoint("acme", URL, events=HookEvent, who="ann")
    for _ in range(2):
        await outbox.post(notice(url=None))
    first, *_ = await outbox.claim(1)
    await outbox.told(first, Told(state=DeliveryState.FAILED, status=410, trouble="HTTP 410", gone=True))
    states = {one.state for one in await outbox.listed(DeliveryQuery())}
    assert states == {DeliveryState.FAILED}
    await outbox.post(notice(url=None))
    assert await outbox.claim(5) == []
    assert (await outbox.endpoints())[0].off_why == "HTTP 410"
    assert await outbox.remove_endpoint(endpoint.id) is True
    assert await outbox.remove_endpoint(endpoint.id) is False


async def test_two_secrets_sign_while_one_is_rotated(outbox) -> None:
    """The nearest scope's secrets count; the old one beside the new one only for its grace."""
    assert await outbox.secrets_of("acme/shop") == ()
    first = (await outbox.rotate("acme", who="ann", grace=60)).secret
    assert await outbox.secrets_of("acme/shop") == (first,)
    second = (await outbox.rotate("acme", who="ann", grace=60)).secret
    assert await outbox.secrets_of("acme/shop") == (second, first)
    third = (await outbox.rotate("acme", who="ann", grace=0)).secret
    assert await outbox.secrets_of("acme") == (third,)
    own = (await outbox.rotate("acme/shop", who="ann", grace=0)).secret
    assert await outbox.secrets_of("acme/shop/key-1") == (own,)
    assert {len(secret) for secret in (first, second, third, own)} == {32}


async def test_old_deliveries_are_deleted(outbox) -> None:
    """Only those that ended, after their time."""
    await outbox.post(notice())
    (delivery,) = await outbox.claim(1)
    await outbox.told(delivery, DONE)
    await outbox.post(notice("acme/other"))
    await outbox.expire(keep=3600)
    assert len(await outbox.listed(DeliveryQuery())) == 2
    await outbox.expire(keep=-1)
    assert [one.scope for one in await outbox.listed(DeliveryQuery())] == ["acme/other"]


async def test_a_revoked_key_is_told_once(database, outbox) -> None:
    """In the transaction that revokes it; revoking again tells nothing."""
    await outbox.add_endpoint("acme", URL, events=[HookEvent.KEY_REVOKED], who="ann")
    keys = RouterKeys(database)
    made = await keys.create(KeyRules(name="ci", scope="acme/shop"), who="ann")
    for _ in range(2):
        await keys.revoke(made.key.id, who="bob")
    (delivery,) = await outbox.listed(DeliveryQuery())
    told = json.loads(delivery.payload)
    assert (told["type"], told["data"]["revoked_by"]) == ("key.revoked", "bob")
    assert made.secret.text not in delivery.payload


async def test_a_budget_that_passes_a_threshold_is_told(database, outbox) -> None:
    """With the hold that passed it, once in a window."""
    await outbox.add_endpoint("acme", URL, events=[HookEvent.BUDGET_ALERT], who="ann")
    await Budgets(database).set("acme", who="ann", day=1_000, alerts=(50,))
    ledger = Ledger(database)
    for amount in (600, 100):
        await ledger.hold(asked(amount))
    (delivery,) = await outbox.listed(DeliveryQuery())
    told = json.loads(delivery.payload)["data"]
    assert (told["scope"], told["percent"], told["held_usd"]) == ("acme", 50, "0.0000006")
