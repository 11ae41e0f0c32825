"""Explain, quote, then make: the same request three times, and money only the third time.

IMAGE_ROUTER_OFFLINE=1 python examples/ask_before_spending.py
"""

from pathlib import Path

from image_router.blocking import ImageRouter
from image_router.core.money import show_usd

WISH = {"prompt": "a perfume bottle on a studio backdrop", "purpose": "hero", "text": "NOCTURNE"}

with ImageRouter() as router:
    decision = router.explain(**WISH).decision
    print(f"{decision.head.tier} on {decision.head.model.id}: {decision.reason}")
    for dropped in decision.dropped:
        print(f"  not {dropped.tier}: {dropped.detail}")

    quote = router.quote(**WISH)
    print(f"expected {show_usd(quote.total)}, at most {show_usd(decision.ceiling)}")

    result = router.generate(**WISH, max_total="0.25")
    path = Path(f"bottle{result.image.extension}")
    path.write_bytes(result.image.data)
    print(f"{path}: {result.image.pixels}, charged {show_usd(result.cost)}")
