"""POST /router/v1/images: the library's fields in, all that is known of the result out."""

from __future__ import annotations

import base64
import hashlib

import pytest

from gateway.talk import Talk


@pytest.fixture
def talk(site) -> Talk:
    return Talk(site.url)


async def test_a_picture_comes_with_everything_that_is_known_of_it(talk) -> None:
    """Bytes, digest, cost in lines, decision, and the id under which it is kept."""
    told = await talk("POST", "/router/v1/images", {"prompt": "a fox", "purpose": "economy"})
    assert told.status == 200
    (image,) = told.json["images"]
    assert hashlib.sha256(base64.b64decode(image["b64_json"])).hexdigest() == image["sha256"]
    assert told.json["decision"]["candidates"][0]["tier"] == image["tier"]
    assert told.headers["x-image-router-cost-usd"] == told.json["cost_usd"]
    kept = await talk("GET", f"/router/v1/assets/{image['asset_id']}")
    assert kept.json["sha256"] == image["sha256"]


async def test_a_link_instead_of_bytes(talk) -> None:
    """response_format=url: the address shows the very picture."""
    told = await talk("POST", "/router/v1/images", {"prompt": "a fox", "response_format": "url"})
    (image,) = told.json["images"]
    assert image["b64_json"] is None
    shown = await Talk("")("GET", image["url"])
    assert hashlib.sha256(shown.body).hexdigest() == image["sha256"]


async def test_an_edit_goes_on_in_the_conversation_of_a_kept_picture(talk, site) -> None:
    """`previous` names a picture made before; the provider sees the earlier turns."""
    first = (await talk("POST", "/router/v1/images", {"prompt": "a fox"})).json["images"][0]
    body = {"prompt": "now at night", "previous": first["asset_id"]}
    told = await talk("POST", "/router/v1/images", body)
    assert told.status == 200
    sent = site.emulator.requests()[-1]
    assert len(sent["body"]["contents"]) == 3


async def test_a_picture_made_here_is_a_reference_by_its_id(talk) -> None:
    """file_id, with the role it has."""
    first = (await talk("POST", "/router/v1/images", {"prompt": "Mira"})).json["images"][0]
    asked = {
        "prompt": "Mira on a bike",
        "references": [{"file_id": first["asset_id"], "role": "character"}],
        "response_format": "url",
    }
    made = (await talk("POST", "/router/v1/images", asked)).json["images"][0]
    shown = await talk("GET", f"/router/v1/assets/{made['asset_id']}")
    (parent,) = shown.json["made_from"]
    assert (parent["sha256"], parent["role"]) == (first["sha256"], "character")
    first = await talk("GET", f"/router/v1/assets/{first['asset_id']}")
    assert first.json["used_for"] == [made["asset_id"]]


async def test_the_same_key_is_paid_once(talk, site) -> None:
    """Idempotency-Key or the field `key`: the same work, the same bytes."""
    asked = {"prompt": "a fox", "response_format": "url"}
    one = await talk("POST", "/router/v1/images", asked, idempotency_key="k1")
    two = await talk("POST", "/router/v1/images", {**asked, "key": "k1"})
    assert one.json["images"][0]["sha256"] == two.json["images"][0]["sha256"]
    assert len(site.emulator.bill().entries) == 1
    both = await talk("POST", "/router/v1/images", {**asked, "key": "k1"}, idempotency_key="k2")
    assert (both.status, both.json["error"]["param"]) == (400, "key")


async def test_too_dear_is_refused_before_money(talk, site) -> None:
    """max_cost below every candidate: 400 with the numbers."""
    told = await talk("POST", "/router/v1/images", {"prompt": "a fox", "max_cost": "0.0001"})
    assert told.status == 400
    assert "0.0001" in told.json["error"]["message"]
    assert not site.emulator.bill().entries
