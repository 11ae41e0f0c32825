"""Decisions, quotes and explanations as plain JSON. Money is exact dollars as text.

The shape of an explanation is published in data/schemas/explain.schema.json.
"""

from __future__ import annotations

from typing import Any

from image_router.core.decision import Candidate, Compression, Decision, Dropped, Parameters
from image_router.core.hints import hints_of
from image_router.core.money import usd_text
from image_router.core.rates import CostLine, Quote, QuoteLine
from image_router.engine.explaining import Explanation

Json = dict[str, Any]


def explanation_view(explanation: Explanation) -> Json:
    """The decision, then what would be sent."""
    return {
        **decision_view(explanation.decision),
        "payload": explanation.payload,
        "endpoint": explanation.endpoint,
        "sdk_call": explanation.sdk_call,
        "text_call": {"endpoint": explanation.text_call.endpoint, "payload": explanation.text_call.payload}
        if explanation.text_call
        else None,
    }


def decision_view(decision: Decision) -> Json:
    guard = decision.guard
    return {
        "rule": decision.rule,
        "reason": decision.reason,
        "candidates": [candidate_view(candidate) for candidate in decision.candidates],
        "dropped": [dropped_view(dropped) for dropped in decision.dropped],
        "images": decision.request.n,
        "lane": decision.request.lane,
        "ceiling_usd": usd_text(decision.ceiling),
        "policy": decision.policy,
        "rate_card": decision.rate_card.isoformat(),
        "as_of": decision.as_of.isoformat(),
        "guard": {
            "pressure_percent": guard.pressure_percent,
            "chosen": guard.chosen,
            "served": guard.served,
            "detail": guard.detail,
            "at_percent": guard.at_percent,
            "scope": guard.scope,
            "set_by": guard.set_by,
        }
        if guard
        else None,
        "compression": compression_view(decision.compression) if decision.compression else None,
        "warnings": list(decision.warnings),
        "hints": [hint.words for hint in hints_of(decision)],
    }


def compression_view(step: Compression) -> Json:
    """The text call before dispatch: planned, done, refused or skipped. Both prompts are in the result."""
    return {
        "model": step.model.id if step.model else None,
        "tokens": step.tokens,
        "target": step.target,
        "quote": quote_view(step.quote) if step.quote else None,
        "saving_usd": usd_text(max(0, step.saving)),
        "needed_by": list(step.needed_by),
        "skipped": step.skipped or None,
        "refused": step.refused or None,
        "prompt": step.prompt,
    }


def candidate_view(candidate: Candidate) -> Json:
    return {
        "tier": candidate.tier,
        "model": candidate.model.id,
        "parameters": parameters_view(candidate.parameters),
        "quote": quote_view(candidate.quote),
        "reason": candidate.reason,
        "adapted": [{"kind": change.kind, "detail": change.detail} for change in candidate.adapted],
    }


def parameters_view(parameters: Parameters) -> Json:
    return {
        "thinking_level": parameters.thinking,
        "size": parameters.size,
        "aspect_ratio": parameters.aspect,
    }


def dropped_view(dropped: Dropped) -> Json:
    return {
        "tier": dropped.tier,
        "model": dropped.model,
        "reason": dropped.reason,
        "detail": dropped.detail,
    }


def line_view(line: QuoteLine | CostLine) -> Json:
    """Units × rate, as expected or as charged."""
    return {
        "what": line.kind,
        "unit": line.unit,
        "rate_usd": usd_text(line.rate),
        "units": line.units,
        "amount_usd": usd_text(line.amount),
    }


def quote_view(quote: Quote) -> Json:
    return {
        "lines": [
            {
                **line_view(line),
                "ceiling_units": line.ceiling_units,
                "ceiling_usd": usd_text(line.ceiling),
            }
            for line in quote.lines
        ],
        "images": quote.images,
        "per_image_usd": usd_text(quote.per_image),
        "expected_usd": usd_text(quote.total),
        "ceiling_usd": usd_text(quote.ceiling),
        "list_price_usd": usd_text(quote.list_price),
        "rate_card": quote.card.isoformat(),
    }
