"""A plan as plain JSON. Money is exact dollars as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from image_router.core.money import usd_text
from image_router.core.run_plan import Estimate, Sums

Json = dict[str, Any]


def plan_view(sums: Sums, estimates: Sequence[Estimate], *, problems: Iterable[Json]) -> Json:
    """Counts, ways, the quote with its lines, times, and the first lines that are left out."""
    seconds = {estimate.way: estimate for estimate in estimates}
    return {
        "rows": sums.rows,
        "to_make": sums.priced,
        "duplicates": sums.duplicates,
        "finished": sums.finished,
        "lines_left_out": sums.lines_left_out,
        "notes": dict(sums.notes.most_common()),
        "purposes": sums.purposes,
        "ways": [
            {
                "tier": share.way.tier,
                "model": share.way.model,
                "lane": share.way.lane,
                "rows": share.rows,
                "quote_usd": usd_text(share.quote),
                "ceiling_usd": usd_text(share.ceiling),
                "seconds_at_least": seconds[share.way].seconds,
                "because": seconds[share.way].because,
            }
            for share in sums.shares
        ],
        "quote": {
            "lines": [
                {
                    "model": line.model,
                    "what": line.kind,
                    "unit": line.unit,
                    "units": line.units,
                    "rate_usd": usd_text(line.rate),
                    "amount_usd": usd_text(line.amount),
                }
                for line in sums.lines
            ],
            "total_usd": usd_text(sums.quote),
            "ceiling_usd": usd_text(sums.ceiling),
        },
        "problems": list(problems),
    }
