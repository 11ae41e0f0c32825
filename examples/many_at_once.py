"""Twelve product pictures side by side; failures stand beside the pictures, each with its cost.

IMAGE_ROUTER_OFFLINE=1 python examples/many_at_once.py
"""

import asyncio

from image_router import ImageRequest, ImageResult, ImageRouter, Purpose
from image_router.core.money import show_usd

COLOURS = ("red", "teal", "navy", "coral", "mint", "plum")
REQUESTS = [
    ImageRequest(prompt=f"a {colour} ceramic {thing} on a studio backdrop", purpose=Purpose.ECONOMY)
    for colour in COLOURS
    for thing in ("mug", "vase")
]


async def main() -> None:
    async with ImageRouter() as router:
        results = await router.generate_many(REQUESTS, concurrency=6)
    made = [result for result in results if isinstance(result, ImageResult)]
    print(f"{len(made)} of {len(REQUESTS)} for {show_usd(sum(result.cost for result in made))}")
    for request, result in zip(REQUESTS, results, strict=True):
        if not isinstance(result, ImageResult):
            print(f"failed: {request.prompt}: {result}")


asyncio.run(main())
