"""Our own API, what spends nothing: explain, quote, catalog, prices, llms.txt."""

from __future__ import annotations

from importlib.resources import files

import jsonschema
import orjson
import pytest

from gateway.talk import Talk, holder
from image_router.core.types import Tier


@pytest.fixture
def talk(site) -> Talk:
    return Talk(site.url)


async def test_explain_answers_the_published_shape_and_spends_nothing(talk, site) -> None:
    """The body is the library's fields; the answer keeps the schema of explain."""
    asked = {"prompt": "a fox", "purpose": "hero", "aspect": "16:9", "max_cost": 0.5, "n": 2}
    told = await talk("POST", "/router/v1/explain", asked)
    assert told.status == 200
    schema = files("image_router") / "data" / "schemas" / "explain.schema.json"
    jsonschema.validate(told.json, orjson.loads(schema.read_bytes()))
    assert told.json["images"] == 2
    assert told.json["payload"]["generationConfig"]["imageConfig"]["aspectRatio"] == "16:9"
    assert not site.emulator.bill().entries


async def test_explain_assumes_the_pressure_it_is_told(talk) -> None:
    """At 95 % of a budget the guard serves a cheaper tier and says so."""
    told = await talk(
        "POST", "/router/v1/explain", {"prompt": "a fox", "purpose": "final_hero", "pressure": 95}
    )
    assert told.json["guard"]["pressure_percent"] == 95


async def test_a_quote_is_one_sum_with_its_lines(talk) -> None:
    """Three pictures cost three times one; the dearest possible price stands beside."""
    one = (await talk("POST", "/router/v1/quote", {"prompt": "a fox", "size": "1K"})).json
    three = (await talk("POST", "/router/v1/quote", {"prompt": "a fox", "size": "1K", "n": 3})).json
    assert three["images"] == 3
    assert three["per_image_usd"] == one["per_image_usd"]
    assert one["tier"] == "nano_banana"
    assert float(one["highest_usd"]) >= float(one["expected_usd"])


async def test_a_chain_is_quoted_as_a_whole(talk, site) -> None:
    """A reference and each variant with one reference input, nothing spent."""
    asked = {"prompt": "Mira, a courier", "variants": ["on a bike", "at sea"]}
    told = await talk("POST", "/router/v1/quote", asked)
    assert told.json["images"] == 3
    assert not site.emulator.bill().entries


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": "a fox", "purpos": "hero"}, "purpos"),
        ({"prompt": "a fox", "references": "a.png"}, "references"),
        ({"prompt": "a fox", "references": ["/etc/passwd"]}, "references"),
        ({"prompt": "a fox", "previous": "req_0.0"}, None),
        ({"prompt": "a fox", "size": "9K"}, None),
        ({"prompt": "a fox", "variants": []}, "variants"),
        ({"prompt": "a fox", "pressure": 101}, "pressure"),
        ({"prompt": "a fox", "variants": ["x"], "pressure": 5}, "pressure"),
    ],
)
async def test_what_is_wrong_is_named(talk, body, param) -> None:
    """A 4xx in our own shape, with the field where it is known."""
    told = await talk("POST", "/router/v1/quote", body)
    assert told.status in (400, 404)
    assert told.json["error"]["param"] == param
    assert told.json["error"]["message"]


async def test_the_catalog_describes_what_a_model_takes(talk) -> None:
    """Enum, range or boolean by name; what a model does not take is not there."""
    told = (await talk("GET", "/router/v1/catalog")).json
    assert {one["tier"] for one in told["tiers"]} == set(Tier)
    models = {model["id"]: model for model in told["models"]}
    pro = models["gemini-3-pro-image"]["parameters"]
    assert pro["size"] == {"type": "enum", "values": ["1K", "2K", "4K"], "default": "1K"}
    assert pro["references"]["max"] == 14
    assert "person_generation" not in pro
    assert pro["n"]["type"] == "range"
    assert models["gemini-3-pro-image"]["prices"]["interactive"]["list_price_usd"]["1K"] == "0.134"


async def test_a_model_is_found_by_its_id_alone_and_says_who_follows(talk) -> None:
    """A retired one names its successor; an unknown one is a 404 that names all there are."""
    told = await talk("GET", "/router/v1/catalog/imagen-4.0-generate-001")
    assert (told.json["state"], bool(told.json["successor"])) == ("retired", True)
    missing = await talk("GET", "/router/v1/catalog/gpt-image-2")
    assert missing.status == 404
    assert "gemini-3-pro-image" in missing.json["error"]["message"]


async def test_pricing_is_the_sheet_of_the_command_line(talk) -> None:
    """Constants with day, source and rates per million tokens."""
    told = (await talk("GET", "/router/v1/pricing")).json
    assert told["currency"] == "USD"
    assert {model["id"] for model in told["models"]} >= {"gemini-3-pro-image"}


async def test_llms_txt_needs_no_key_and_names_every_tier(locked) -> None:
    """A page for language models, with today's tiers and prices."""
    told = await Talk(locked.url)("GET", "/llms.txt")
    assert told.status == 200
    assert all(tier in told.body.decode() for tier in Tier)
    assert told.headers["content-type"].startswith("text/plain")


async def test_a_key_explains_what_it_may_do(locked) -> None:
    """Tiers that the key forbids are dropped; a scope that is not its own is a 403."""
    talk = await holder(locked, tiers=frozenset({Tier.NANO_BANANA}))
    told = await talk("POST", "/router/v1/explain", {"prompt": "a fox"})
    assert {one["tier"] for one in told.json["candidates"]} == {"nano_banana"}
    assert (await talk("POST", "/router/v1/explain", {"prompt": "a fox", "scope": "other"})).status == 403
    assert (await Talk(locked.url)("GET", "/router/v1/catalog")).status == 401
