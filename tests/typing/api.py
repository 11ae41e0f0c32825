"""The types of the public surface, checked by mypy and never run."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import assert_type

from image_router import (
    MODEL_REGISTRY,
    Decision,
    GeneratedImage,
    ImageRequest,
    ImageResult,
    ImageRouter,
    ImageRouterError,
    Purpose,
    Settings,
    Size,
    blocking,
    character_consistency_chain,
    load_settings,
    route_image,
    route_tier,
)
from image_router.core.rates import Quote
from image_router.engine.chains import ChainFailure, ChainResult
from image_router.engine.explaining import Explanation
from image_router.testing import Script, ScriptedProvider


async def asynchronous() -> None:
    async with ImageRouter(offline=True, as_of="2026-04-09") as router:
        assert_type(router, ImageRouter)
        result = await router.generate("a fox", purpose="hero", size=Size.K2, max_cost=Decimal("0.2"))
        assert_type(result, ImageResult)
        assert_type(result.image, GeneratedImage)
        assert_type(result.image.data, bytes)
        assert_type(result.cost, int)
        assert_type(await router.decide(ImageRequest(prompt="a fox")), Decision)
        assert_type(await router.explain("a fox", profile="print_desk"), Explanation)
        assert_type(await router.quote("a fox", n=3), Quote)
        assert_type(await router.edit("at night", previous=result.image), ImageResult)
        assert_type(await router.edit("at night", image="a.png"), ImageResult)
        assert_type(
            await router.edit("at night", image=b"", references=["b.png", ("c.png", "style")]), ImageResult
        )
        many = await router.generate_many(["a", ImageRequest(prompt="b")], concurrency=2)
        assert_type(many, tuple[ImageResult | ImageRouterError, ...])
        chain = await router.chain("Mira", ["on a bike"], folder=Path("mira"))
        assert_type(chain, ChainResult)
        assert_type(chain.variants, tuple[GeneratedImage | ChainFailure, ...])


def synchronous() -> None:
    with blocking.ImageRouter(Settings(home=Path())) as router:
        assert_type(router.generate("a fox"), ImageResult)
        assert_type(router.explain("a fox"), Explanation)
        assert_type(router.quote("a fox"), Quote)
        assert_type(router.chain("Mira", ["on a bike"]), ChainResult)
        assert_type(router.edit("at night", image="a.png"), ImageResult)


def own_provider() -> None:
    assert_type(ImageRouter(via=ScriptedProvider(Script())), ImageRouter)


def classic() -> None:
    assert_type(route_tier({"purpose": "hero"}), str)
    assert_type(route_image("a fox", {"purpose": "hero"}), bytes | None)
    assert_type(character_consistency_chain("Mira", ["on a bike"]), list[bytes])
    registry: Mapping[str, str] = MODEL_REGISTRY
    assert_type(registry["nano_banana"], str)
    assert_type(Purpose("hero"), Purpose)
    assert_type(load_settings(offline=True), Settings)
