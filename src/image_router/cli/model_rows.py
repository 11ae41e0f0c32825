"""The capability and price matrix as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from image_router.engine.model_rows import Known, rows


def as_markdown(facts: Known) -> str:
    """The matrix as two Markdown tables: prices and life, then capabilities."""
    found = rows(facts)
    prices = [
        (
            f"`{r.model.id}`",
            _code(r.serves),
            r.life,
            _code(r.successor and [r.successor]),
            r.list_prices,
            r.batch_prices,
        )
        for r in found
    ]
    abilities = [
        (
            f"`{r.model.id}`",
            ", ".join(r.model.sizes) + (f" ({r.claimed})" if r.claimed else ""),
            str(len(r.model.pixels)),
            str(r.model.references.total),
            r.model.text_rendering.value,
            r.model.context,
            ", ".join(r.model.thinking) or "–",
            ", ".join(r.model.grounding) or "–",
            r.model.watermark,
        )
        for r in found
    ]
    return (
        _table(("Model", "Serves", "Life", "Successor", "List price an image", "Batch"), prices)
        + "\n"
        + _table(
            (
                "Model",
                "Sizes",
                "Ratios",
                "References",
                "Text",
                "Context",
                "Thinking",
                "Grounding",
                "Watermark",
            ),
            abilities,
        )
    )


def _code(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names or ()) or "–"


def _table(head: tuple[str, ...], body: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
