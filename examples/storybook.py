"""One character on three pages, in a folder that can be run again and makes only what is missing.

IMAGE_ROUTER_OFFLINE=1 python examples/storybook.py
"""

import asyncio

from image_router import ImageRouter
from image_router.core.money import show_usd

HERO = "Mira, a fox courier with a teal scarf, plain backdrop"
PAGES = ["Mira rides a bicycle in the rain", "Mira reads a map in the snow", "Mira drinks tea by the sea"]


async def main() -> None:
    async with ImageRouter() as router:
        quote = await router.quote_chain(HERO, PAGES)
        print(f"{quote.images} pictures, expected {show_usd(quote.total)}")
        book = await router.chain(HERO, PAGES, folder="storybook")
    for page, failure in ((failure.prompt, failure.error) for failure in book.failures):
        print(f"failed: {page}: {failure}")
    print(f"{len(book.images)} pages in storybook/, {show_usd(book.cost)} this time, see {book.manifest}")


asyncio.run(main())
