"""Plain JSON: exact dollars, digests instead of bytes, and the published shape of an explanation."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from desk import ARTICLE, TODAY, png, router
from image_router.core.errors import ContentRefused, NoEligibleTier, ProviderError
from image_router.engine.decision_views import explanation_view, quote_view
from image_router.engine.views import chain_view, error_view, result_view
from image_router.facts import SHIPPED
from image_router.testing import Script, lost, refused

SCHEMA = json.loads((SHIPPED / "schemas" / "explain.schema.json").read_text())


def plain(view: dict[str, Any]) -> dict[str, Any]:
    """What a reader of the JSON text gets."""
    text = json.dumps(view)
    read: dict[str, Any] = json.loads(text)
    return read


@pytest.mark.parametrize("day", [ARTICLE, TODAY])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"purpose": "draft"},
        {"purpose": "hero", "pressure": 95},
        {"purpose": "contextual_edit", "references": [png()], "text": "SALE"},
        {"model": "gemini-3-pro-image-preview", "retired": "substitute"},
        {"tier": "nano_banana", "size": "4K", "allow": ["smaller_size"]},
    ],
)
async def test_an_explanation_keeps_its_schema(fields: dict[str, Any], day: Any) -> None:
    """Every explanation is JSON of the published shape."""
    view = plain(explanation_view(await router(day=day)[0].explain("a fox", **fields)))
    jsonschema.validate(view, SCHEMA, cls=jsonschema.Draft202012Validator)


async def test_what_an_explanation_says() -> None:
    """Rule, candidates in order with their quotes, what was dropped and why, and what would be sent."""
    view = plain(explanation_view(await router()[0].explain("a fox", purpose="hero")))
    assert (view["rule"], view["as_of"], view["rate_card"]) == ("hero", "2026-11-22", "2026-10-08")
    head = view["candidates"][0]
    assert (head["tier"], head["model"]) == ("imagen_4_standard", "gemini-nano-banana-2.1")
    assert head["parameters"] == {"thinking_level": "high", "size": "1K", "aspect_ratio": None}
    assert {drop["tier"]: drop["reason"] for drop in view["dropped"]}["nano_banana_pro"]
    assert view["payload"]["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "HIGH"}


async def test_money_is_exact() -> None:
    """Amounts are exact dollars as text, and the lines add up to their sums."""
    view = plain(quote_view(await router(day=ARTICLE)[0].quote("a fox", n=3)))
    assert view["lines"][0] == {
        "what": "image output", "unit": "token", "rate_usd": "0.00003", "units": 3870, "amount_usd": "0.1161",
        "ceiling_units": 3870, "ceiling_usd": "0.1161",
    }  # fmt: skip
    assert sum(Decimal(line["amount_usd"]) for line in view["lines"]) == Decimal(view["expected_usd"])
    assert sum(Decimal(line["ceiling_usd"]) for line in view["lines"]) == Decimal(view["ceiling_usd"])
    assert Decimal(view["per_image_usd"]) * 3 == Decimal(view["expected_usd"])


async def test_a_result() -> None:
    """Images without their bytes, failures with their errors, attempts with their costs, and the sum."""
    result = await router(Script().then_paint().fail(refused(), times=4))[0].generate("a fox", n=2)
    view = plain(result_view(result, files={result.image.index: "fox.png"}))
    (image,), (failure,) = view["images"], view["failures"]
    assert (image["file"], image["sha256"], image["width"]) == ("fox.png", result.image.digest, 1408)
    assert "data" not in image
    assert failure["error"]["code"] == "content_refused"
    assert sum(Decimal(a["cost"]["total_usd"]) for a in view["attempts"]) == Decimal(view["cost_usd"])


async def test_a_chain() -> None:
    """Reference and variants in order, a failed one with its prompt and error."""
    result = await router()[0].chain("Mira", ["a", "b"])
    view = plain(chain_view(result))
    assert view["reference"]["sha256"] == result.reference.digest
    assert [variant["model"] for variant in view["variants"]] == ["gemini-3-pro-image"] * 2
    assert (view["manifest"], view["warnings"]) == (None, [])


async def test_errors() -> None:
    """An error says its code and words, and what it knows beside: drops, the nearest request, money spent."""
    with pytest.raises(NoEligibleTier) as caught:
        await router()[0].decide("a fox", tier="nano_banana", size="4K")
    view = plain(error_view(caught.value))
    assert (view["code"], view["nearest"]) == ("no_eligible_tier", "size 1K (served by nano_banana)")
    assert {drop["reason"] for drop in view["dropped"]} == {"size", "pinned_elsewhere"}
    with pytest.raises(ProviderError) as failed:
        await router(Script().fail(lost(), times=2))[0].generate("a fox")
    view = plain(error_view(failed.value))
    assert (view["code"], view["cost_usd"], len(view["attempts"])) == ("ambiguous_outcome", "0", 2)
    assert Decimal(view["at_risk_usd"]) > 0
    assert plain(error_view(ContentRefused("no")))["message"] == "no"
