"""What a volume costs, as plain JSON and as CSV. Money is exact dollars as text, to the nano-dollar."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from fractions import Fraction
from typing import Any

from image_router.core.dominance import Dominated
from image_router.core.economics import Market, Projection, blend
from image_router.core.money import usd_text
from image_router.core.types import Lane, Tier

_WHOLE = 100


def projection_view(plan: Projection, market: Market, *, beaten: tuple[Dominated, ...]) -> dict[str, Any]:
    """A volume on each tier alone and on the mix, and the tiers that are not worth their price."""
    saved, percent = batch_saving(plan, market)
    return {
        "images": plan.images,
        "as_of": market.day.isoformat(),
        "rate_card": market.card.day.isoformat(),
        "size": market.size,
        "lane": market.lane,
        "basis": market.basis,
        "mix": {str(tier): share_percent(plan, tier) for tier in plan.mix},
        "tiers": [
            {
                "tier": row.tier,
                "model": row.model.id,
                "size": row.size,
                "lane": row.lane,
                "per_image_usd": _plain(row.price),
                "total_usd": _plain(plan.total(row.price)),
                "note": row.note,
            }
            for row in plan.tiers
        ],
        "blend_usd": _plain(plan.blend),
        "blend_total_usd": _plain(plan.total(plan.blend)),
        "all_pro_costs_times": f"{float(plan.saving):.4f}",
        "batch_saves_usd": _plain(saved),
        "batch_saves_percent": f"{float(percent):.4f}",
        "dominated": [
            {"tier": one.tier, "model": one.model.id, "by": one.by.id, "better": list(one.better)}
            for one in beaten
        ],
    }


def _plain(amount: Fraction) -> str:
    """Dollars as text, to the nano-dollar."""
    return usd_text(int((2 * amount + 1) // 2))


def projection_csv(plan: Projection) -> str:
    """One row for each tier, the mix last."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["tier", "model", "share", "per_image_usd", "images", "total_usd"])
    for row in plan.tiers:
        amounts = (_plain(row.price), plan.images, _plain(plan.total(row.price)))
        writer.writerow([row.tier, row.model.id, share_percent(plan, row.tier), *amounts])
    blended = (_plain(plan.blend), plan.images, _plain(plan.total(plan.blend)))
    writer.writerow(["mix", "", _WHOLE, *blended])
    return out.getvalue()


def batch_saving(plan: Projection, market: Market) -> tuple[Fraction, Fraction]:
    """What the mix costs less in batch than interactively: nano-dollars for the volume, and percent."""
    dear, cheap = (blend(plan.mix, replace(market, lane=lane)) for lane in (Lane.INTERACTIVE, Lane.BATCH))
    return plan.total(dear - cheap), 100 * (dear - cheap) / dear


def share_percent(plan: Projection, tier: Tier) -> int | float:
    """A tier's part of the mix; whole where it is."""
    share = Fraction(100 * plan.mix.get(tier, 0), sum(plan.mix.values()))
    return int(share) if share.denominator == 1 else float(share)
