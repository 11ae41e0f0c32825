"""Idempotency-Key over HTTP: paid once, told again, refused for another request, or waited for."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import pytest

FOX: dict[str, Any] = {"prompt": "a red fox", "model": "auto"}
ROUTES = ["/v1/images/generations", "/router/v1/images"]


def post(site, path: str = ROUTES[0], *, key: str, body: Any = None, **headers: str) -> httpx.Response:
    headers = {"idempotency-key": key, **headers}
    sent = dict(body or FOX)
    if path == "/router/v1/images":
        sent.pop("model", None)
    return httpx.post(f"{site.url}{path}", json=sent, headers=headers, timeout=60)


def pictures(answer: httpx.Response) -> list[str]:
    body = answer.json()
    return [one["b64_json"] for one in body.get("data") or body["images"]]


def paid(site) -> int:
    return len(site.emulator.bill().entries)


@pytest.mark.parametrize("path", ROUTES)
def test_the_same_request_gets_the_stored_answer(site, path) -> None:
    """Same key, same request: the same pictures, said to be a replay, and one payment."""
    first, again = (post(site, path, key="order-1") for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["x-image-router-cost-usd"] == "0"
    assert pictures(first) == pictures(again)
    assert paid(site) == 1


@pytest.mark.parametrize("path", ROUTES)
def test_another_request_under_the_key_is_refused(site, path) -> None:
    """422, nothing is asked of the provider."""
    post(site, path, key="order-1")
    answer = post(site, path, key="order-1", body={**FOX, "prompt": "a blue fox"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "idempotency_conflict"
    assert paid(site) == 1


def test_a_request_passed_on_to_google_is_paid_once(site) -> None:
    """The native route keeps keys as well: its stored answer has the same picture in Google's shape."""
    path = f"{site.url}/v1beta/models/gemini-3-pro-image:generateContent"
    body = {"contents": [{"parts": [{"text": "a red fox"}]}]}
    headers = {"idempotency-key": "order-1"}
    first, again = (httpx.post(path, json=body, headers=headers, timeout=60) for _ in range(2))
    assert again.headers["idempotent-replayed"] == "true"
    shown = [
        [
            part["inlineData"]["data"]
            for part in one.json()["candidates"][0]["content"]["parts"]
            if "inlineData" in part
        ]
        for one in (first, again)
    ]
    assert shown[0] == shown[1] != []
    other = {"contents": [{"parts": [{"text": "a blue fox"}]}]}
    assert httpx.post(path, json=other, headers=headers, timeout=60).status_code == 422
    assert paid(site) == 1


def test_a_stored_refusal_is_told_again(site) -> None:
    """What the provider refused for its content is not asked twice."""
    site.emulator.faults.add("prompt_blocked", times=1)
    first, again = (post(site, key="order-1") for _ in range(2))
    assert (first.status_code, again.status_code) == (400, 400)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json()["error"] == again.json()["error"]


def test_a_failure_frees_the_key(site) -> None:
    """What may succeed the next time is not remembered."""
    site.emulator.faults.add("invalid_argument", times=1)
    assert post(site, key="order-1").status_code >= 400
    answer = post(site, key="order-1")
    assert answer.status_code == 200
    assert "idempotent-replayed" not in answer.headers


def test_a_request_in_flight_is_a_conflict_or_waited_for(site) -> None:
    """At once 409 with Retry-After; with Prefer: wait=30 the answer of the one that was first."""
    site.emulator.faults.add("slow;seconds=3", times=1)
    with ThreadPoolExecutor() as pool:
        made = pool.submit(post, site, key="order-1")
        while not site.emulator.requests():
            time.sleep(0.01)
        busy = post(site, key="order-1")
        waited = post(site, key="order-1", prefer="wait=30")
        answer = made.result()
    assert (busy.status_code, busy.headers["retry-after"]) == (409, "5")
    assert busy.headers["x-should-retry"] == "true"
    assert waited.headers["idempotent-replayed"] == "true"
    assert pictures(waited) == pictures(answer)
    assert paid(site) == 1


def test_keys_of_other_scopes_are_other_keys(site) -> None:
    """Two scopes use the same word for different requests."""
    first = post(site, key="order-1", body={**FOX, "scope": "acme/a"})
    other = post(site, key="order-1", body={**FOX, "prompt": "a mug", "scope": "acme/b"})
    assert (first.status_code, other.status_code) == (200, 200)
    assert paid(site) == 2


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ([("Idempotency-Key", "")], "0 characters"),
        ([("Idempotency-Key", "k" * 256)], "256 characters"),
        ([("Idempotency-Key", b"\xfcber")], "printable ASCII"),
        ([("Idempotency-Key", "a"), ("Idempotency-Key", "b")], "2 times"),
        ([("Idempotency-Key", "a"), ("Prefer", "wait=soon")], "whole number of seconds"),
    ],
)
def test_odd_headers_are_refused_before_anything_is_spent(site, headers, words) -> None:
    """400 that names the header."""
    answer = httpx.post(f"{site.url}/v1/images/generations", json=FOX, headers=headers, timeout=60)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    assert paid(site) == 0


def test_the_longest_key_is_taken(site) -> None:
    """255 characters are a key."""
    assert post(site, key="k" * 255).status_code == 200
