"""What a stream of OpenAI's says before its first picture, and when something goes wrong."""

from __future__ import annotations

import json
from typing import Any

import httpx2 as httpx
import openai
import pytest

IMAGES = "/v1/images/generations"
FOX: dict[str, Any] = {"prompt": "a red fox", "model": "auto:hero", "stream": True}


def sent(site, body: Any = None, **headers: str) -> httpx.Response:
    return httpx.post(f"{site.url}{IMAGES}", json={**FOX, **(body or {})}, headers=headers, timeout=60)


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    """Name and data of each event."""
    blocks = [block.splitlines() for block in answer.text.split("\n\n") if block.startswith("event:")]
    return [(name.removeprefix("event: "), json.loads(data[6:])) for name, data in blocks]


def test_what_is_known_at_the_first_byte_stands_in_the_headers(site) -> None:
    """Before the provider has answered; what it cost comes with the data."""
    answer = sent(site)
    head = {name: answer.headers[f"x-image-router-{name}"] for name in ("tier", "model", "quote-usd")}
    name, data = events(answer)[-1]
    assert name == "image_generation.completed"
    assert head["model"] == data["image_router"]["images"][0]["model"]
    assert float(head["quote-usd"]) > 0
    assert answer.headers["x-image-router-cache"] == "miss"
    assert "x-image-router-cost-usd" not in answer.headers


def test_a_replay_says_so_before_its_pictures(site) -> None:
    """The same header as of an answer that is sent whole; the same picture, paid once."""
    first, again = (sent(site, **{"idempotency-key": "order-1"}) for _ in range(2))
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert [data["b64_json"] for _, data in events(first)] == [d["b64_json"] for _, d in events(again)]
    assert len(site.emulator.bill().entries) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"max_cost": "0.0001"}, 400, "cost_limit_exceeded"),
        ({"model": "gemini-2.5-flash-image"}, 404, "model_retired"),
    ],
)
def test_what_fails_before_anything_is_decided_is_no_stream(site, body, status, code) -> None:
    """There is still a status to say it with."""
    answer = sent(site, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert not site.emulator.bill().entries


def test_a_key_of_another_request_is_no_stream(site) -> None:
    """422, as without a stream."""
    sent(site, **{"idempotency-key": "order-1"})
    answer = sent(site, {"prompt": "a blue fox"}, **{"idempotency-key": "order-1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_conflict")


def test_an_error_under_way_is_an_event_of_the_published_shape(site) -> None:
    """`event: error` with type, code, message and param, and our own view beside it."""
    site.emulator.faults.add("image_safety")
    (name, data), *more = events(sent(site))
    assert (name, data["type"], more) == ("error", "error", [])
    assert set(data["error"]) == {"message", "type", "param", "code"}
    assert (data["error"]["type"], data["error"]["code"]) == (
        "image_generation_user_error",
        "content_refused",
    )
    assert data["image_router"]["error"]["code"] == "content_refused"


def test_the_sdk_raises_what_fails_before_the_stream_by_its_status(site) -> None:
    """A BadRequestError, as for a request without a stream."""
    client = openai.OpenAI(base_url=f"{site.url}/v1", api_key="anything")
    with client, pytest.raises(openai.BadRequestError):
        client.images.generate(prompt="a", stream=True, extra_body={"max_cost": "0.0001"})
