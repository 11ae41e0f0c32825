"""Large pictures pass through a gateway that keeps none, in files instead of memory."""

from __future__ import annotations

import base64
import hashlib

import httpx2 as httpx
import pytest

from image_router.providers import rest, spooling
from image_router.providers.spooling import Extractor, Spooled


@pytest.fixture
def spooled(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Every picture counts as large; of each answer, whether its pictures were in files."""
    seen: list[bool] = []
    restored = Extractor.restored

    def noted(self, reply):
        full = restored(self, reply)
        seen.append(all(isinstance(image.data, Spooled) for image in full.images))
        return full

    monkeypatch.setattr(rest, "SPOOLED_FROM", 1000)
    monkeypatch.setattr(rest, "BLOCK", 2000)
    monkeypatch.setattr(spooling, "_SHORT", 100)
    monkeypatch.setattr(Extractor, "restored", noted)
    return seen


def _asked(site, **more):
    body = {"model": "auto", "prompt": "a red fox", **more}
    return httpx.post(f"{site.url}/v1/images/generations", json=body, timeout=30)


def _digests(answer: httpx.Response) -> list[tuple[str, str]]:
    """Of each picture: what came, and what it is said to be."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    came = (hashlib.sha256(base64.b64decode(one["b64_json"])).hexdigest() for one in body["data"])
    return list(zip(came, (one["sha256"] for one in body["image_router"]["images"]), strict=True))


def test_what_is_passed_on_is_what_came(site_of, spooled) -> None:
    """The bytes of two pictures from files are those that were inspected, and all is told of them."""
    answer = _asked(site_of(store="none"), n=2)
    for came, told in _digests(answer):
        assert came == told
    assert answer.json()["image_router"]["images"][0]["bytes"] > 1000
    assert spooled == [True, True]


@pytest.mark.parametrize(
    ("store", "more"),
    [("all", {}), ("none", {"output_format": "jpeg"}), ("none", {"stream": True})],
    ids=["kept", "converted", "streamed"],
)
def test_whoever_needs_the_whole_picture_has_it_in_memory(site_of, spooled, store, more) -> None:
    assert _asked(site_of(store=store), **more).status_code == 200
    assert spooled == []


def test_an_idempotent_request_is_answered_with_the_same_bytes(site_of, spooled) -> None:
    site = site_of(store="all")
    headers = {"idempotency-key": "once"}
    body = {"model": "auto", "prompt": "a red fox"}
    first, again = (
        httpx.post(f"{site.url}/v1/images/generations", json=body, headers=headers, timeout=30)
        for _ in range(2)
    )
    assert again.headers["idempotent-replayed"] == "true"
    assert _digests(first) == _digests(again)
    assert spooled == []
