"""Webhooks over real HTTP: signed, repeated until they are taken, never to where they must not go."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx2 as httpx
import pytest

from gateway.hook_receiver import Receiver, receiving, verified
from image_router.books import open_books
from image_router.core.router_keys import KeyRules
from image_router.gateway import webhooks_sending as sending
from image_router.gateway.surfaces import Refusal
from image_router.gateway.webhooks_rules import check_url
from image_router.storage.webhooks_tables import Delivery, DeliveryState, HookEvent

FOX: dict[str, Any] = {"prompt": "a red fox", "model": "auto"}
SECRETS = "/router/v1/webhooks/secrets"
ENDPOINTS = "/router/v1/webhooks/endpoints"
DELIVERIES = "/router/v1/webhooks/deliveries"


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def site(site_of, monkeypatch):
    """Where private addresses may be told, and tries follow one another fast."""
    monkeypatch.setattr(sending, "FIRST", 0.1)
    monkeypatch.setattr(sending, "POLL", 0.05)
    return site_of(webhooks_private=True)


@pytest.fixture
def client(site):
    with httpx.Client(base_url=site.url, timeout=60) as client:
        yield client


def secret_of(client: httpx.Client, **body: Any) -> str:
    answer = client.post(SECRETS, json=body)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    secret: str = answer.json()["secret"]
    return secret


def settled(client: httpx.Client, **query: str) -> dict[str, Any]:
    """The newest delivery, as soon as it is over."""
    while True:
        (delivery, *_) = client.get(DELIVERIES, params=query).json()["deliveries"]
        if delivery["status"] != "pending":
            found: dict[str, Any] = delivery
            return found
        time.sleep(0.05)


def test_a_finished_job_is_told_signed(client, receiver: Receiver) -> None:
    """Standard Webhooks headers, a small payload with links, and a signature that fits."""
    secret = secret_of(client)
    job = client.post(
        "/router/v1/jobs", json={**FOX, "webhook": receiver.url, "metadata": {"order": "7"}}
    ).json()
    (message,) = receiver.wait(1)
    payload = verified(message, secret)
    assert payload["type"] == "job.succeeded"
    data = payload["data"]
    assert (data["id"], data["metadata"], data["status"]) == (job["id"], {"order": "7"}, "succeeded")
    assert client.get(data["urls"]["result"]).json()["data"][0]["b64_json"]
    assert len(message["body"]) < 2000
    with pytest.raises(ValueError, match="no signature"):
        verified({**message, "body": message["body"] + b" "}, secret)
    assert settled(client, subject=job["id"])["http_status"] == 204


def test_it_is_repeated_until_it_is_taken(client, receiver: Receiver) -> None:
    """Three failures of three kinds, then success: the same id and body every time, a fresh time."""
    secret = secret_of(client)
    receiver.statuses = [500, 429, 302]
    job = client.post("/router/v1/jobs", json={**FOX, "webhook": receiver.url}).json()
    messages = receiver.wait(4)
    assert len({message["headers"]["webhook-id"] for message in messages}) == 1
    assert len({message["body"] for message in messages}) == 1
    for message in messages:
        verified(message, secret)
    delivery = settled(client, subject=job["id"])
    assert (delivery["status"], delivery["tries"]) == ("delivered", 4)
    assert delivery["id"] == messages[0]["headers"]["webhook-id"]


@pytest.mark.parametrize(
    ("fault", "event"), [("prompt_blocked", "job.failed"), ("slow;seconds=30", "job.cancelled")]
)
def test_every_end_of_a_job_is_told(client, site, receiver: Receiver, fault, event) -> None:
    """Failures say why, in code and words."""
    secret = secret_of(client)
    site.emulator.faults.add(fault, times=1)
    job = client.post("/router/v1/jobs", json={**FOX, "webhook": receiver.url}).json()
    if event == "job.cancelled":
        while not site.emulator.requests():
            time.sleep(0.02)
        client.post(job["urls"]["cancel"])
    payload = verified(receiver.wait(1)[0], secret)
    assert payload["type"] == event
    assert (payload["data"]["error"] is None) == (event == "job.cancelled")


def test_endpoints_are_told_of_the_events_they_want(client, receiver: Receiver) -> None:
    """An endpoint of the scope hears of jobs that name no webhook, until it is removed."""
    secret = secret_of(client)
    made = client.post(ENDPOINTS, json={"url": receiver.url, "events": ["job.succeeded"]})
    assert made.status_code == 201
    assert client.get(ENDPOINTS).json()["endpoints"] == [made.json()]
    client.post("/v1/images/generations", json=FOX, headers={"prefer": "respond-async"})
    assert verified(receiver.wait(1)[0], secret)["type"] == "job.succeeded"
    path = f"{ENDPOINTS}/{made.json()['id']}"
    assert [client.delete(path).status_code for _ in range(2)] == [204, 404]
    assert client.get(ENDPOINTS).json()["endpoints"] == []


def test_two_secrets_are_active_while_one_is_rotated(client, receiver: Receiver) -> None:
    """Receivers with the old and with the new secret both find a signature that fits; then only the new."""
    old = secret_of(client)
    new = secret_of(client, grace_seconds=3600)
    client.post("/router/v1/jobs", json={**FOX, "webhook": receiver.url})
    (message,) = receiver.wait(1)
    assert verified(message, old) == verified(message, new)
    last = secret_of(client, grace_seconds=0)
    client.post("/router/v1/jobs", json={**FOX, "webhook": receiver.url})
    message = receiver.wait(2)[1]
    assert verified(message, last)
    with pytest.raises(ValueError, match="no signature"):
        verified(message, new)


def test_a_delivery_is_sent_again_on_demand(client, receiver: Receiver) -> None:
    """Under the same id, also after it was delivered."""
    secret_of(client)
    job = client.post("/router/v1/jobs", json={**FOX, "webhook": receiver.url}).json()
    receiver.wait(1)
    delivery = settled(client, subject=job["id"])
    again = client.post(f"{DELIVERIES}/{delivery['id']}/resend")
    assert (again.status_code, again.json()["tries"]) == (202, 0)
    first, second = receiver.wait(2)
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"]
    assert client.post(f"{DELIVERIES}/msg_unknown/resend").status_code == 404


def test_a_receiver_that_is_gone_is_left_alone(client, receiver: Receiver) -> None:
    """410 ends the delivery and switches the endpoint off."""
    secret_of(client)
    client.post(ENDPOINTS, json={"url": receiver.url})
    receiver.statuses = [410]
    job = client.post("/router/v1/jobs", json=FOX).json()
    receiver.wait(1)
    assert settled(client, subject=job["id"])["status"] == "failed"
    (endpoint,) = client.get(ENDPOINTS).json()["endpoints"]
    assert "410" in endpoint["off_why"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (ENDPOINTS, {}, "url"),
        (ENDPOINTS, {"url": "https://shop.example", "events": ["job.begun"]}, "events"),
        (ENDPOINTS, {"url": "https://shop.example", "events": []}, "events"),
        (ENDPOINTS, {"url": "https://shop.example", "scope": "nobody"}, "scope"),
        (ENDPOINTS, {"url": "https://shop.example", "what": 1}, "what"),
        (SECRETS, {"grace_seconds": -1}, "grace_seconds"),
    ],
)
def test_odd_requests_are_refused(client, path, body, param) -> None:
    """400 that names the field."""
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_only_admins_change_what_is_told(locked) -> None:
    """403 for others; deliveries of other scopes are not seen."""

    async def key() -> str:
        async with open_books(home=locked.home, offline=True) as books:
            made = await books.keys.create(KeyRules(name="ci", scope="acme"), who="ann")
            return made.secret.text

    headers = {"authorization": f"Bearer {asyncio.run(key())}"}
    with httpx.Client(base_url=locked.url, headers=headers) as client:
        assert client.post(SECRETS, json={}).status_code == 403
        assert client.post(ENDPOINTS, json={"url": "https://a.example"}).status_code == 403
        assert client.get(ENDPOINTS).status_code == 403
        assert client.get(DELIVERIES).json() == {"deliveries": []}
        assert client.get(DELIVERIES, params={"scope": "other"}).status_code == 403


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hook",
        "ftp://shop.example",
        "https://",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest",
        "https://localhost/",
        "https://db.internal/",
        "https://user:word@shop.example/",
        "https://shop.example/" + "a" * 2100,
        "nonsense",
        "https://[broken/",
    ],
)
def test_addresses_that_are_never_told(url) -> None:
    """Only public https addresses are, unless the operator allows others."""
    with pytest.raises(Refusal):
        check_url(url, private=False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/hook", "https://localhost/", "http://db.internal/"])
def test_private_addresses_where_they_are_allowed(url) -> None:
    """The setting webhooks_private lets them pass."""
    check_url(url, private=True)


def delivery(*, tries: int, age: float = 0.0) -> Delivery:
    now = time.time_ns() // 1000
    return Delivery(
        id="msg_1",
        scope="acme",
        event=HookEvent.JOB_FAILED,
        subject="job_1",
        endpoint_id=None,
        url="https://shop.example",
        payload="{}",
        state=DeliveryState.PENDING,
        created_at=now,
        begun_at=now - int(age * 1_000_000),
        next_at=now,
        ended_at=None,
        tries=tries,
        status=None,
        trouble=None,
    )


def test_waits_grow_and_are_spread() -> None:
    """Each is three times as long as the one before, up to six hours, and half of it is chance."""
    longest = [sending.wait_after(tries, dice=lambda: 1.0) for tries in range(1, 12)]
    assert longest[:4] == [5.0, 15.0, 45.0, 135.0]
    assert max(longest) == 6 * 3600
    assert sending.wait_after(2, dice=lambda: 0.0) == 7.5


def test_tries_end_after_a_day() -> None:
    """What cannot be delivered for a day has failed; before that it is tried again."""
    assert sending.judged(delivery(tries=3), 503).state is DeliveryState.PENDING
    told = sending.judged(delivery(tries=3, age=86_399), 503)
    assert (told.state, told.trouble) == (DeliveryState.FAILED, "HTTP 503")


def test_a_name_that_stands_for_a_private_address_is_not_told(site_of, monkeypatch, receiver) -> None:
    """The address is checked when the connection is made: nothing arrives, and the delivery says why."""
    monkeypatch.setattr(sending, "POLL", 0.05)
    monkeypatch.setattr("image_router.gateway.webhooks_rules._may_be_public", lambda host: True)
    site = site_of()
    with httpx.Client(base_url=site.url, timeout=60) as client:
        secret_of(client)
        port = receiver.url.split(":")[2].split("/")[0]
        job = client.post("/router/v1/jobs", json={**FOX, "webhook": f"https://localhost:{port}/"}).json()
        trouble = None
        while trouble is None:
            found = client.get(DELIVERIES, params={"subject": job["id"]}).json()["deliveries"]
            trouble = found[0]["trouble"] if found else None
            time.sleep(0.05)
    assert "not public" in trouble
    assert receiver.messages == []
