"""Kept pictures as plain JSON."""

from __future__ import annotations

from typing import Any

from image_router.core.budget import moment_text
from image_router.core.money import usd_text
from image_router.storage.asset_queries import Family
from image_router.storage.asset_values import Asset, Feedback


def asset_view(asset: Asset) -> dict[str, Any]:
    """All that is known of a picture but its bytes."""
    details = asset.details
    return {
        "id": asset.id,
        "request_id": asset.request_id,
        "made_at": moment_text(asset.made_at),
        "scope": asset.scope,
        "purpose": asset.purpose,
        "tier": asset.tier,
        "model": asset.model,
        "cost_usd": usd_text(asset.cost),
        "sha256": asset.digest,
        "bytes": asset.bytes,
        "media_type": asset.media_type,
        "width": asset.pixels.width,
        "height": asset.pixels.height,
        "key": asset.work_key,
        "response_id": asset.response_id,
        "c2pa": asset.provenance.c2pa,
        "xmp": asset.provenance.xmp,
        "source_type": asset.provenance.source_type,
        "stored": asset.stored and asset.removed_at is None,
        "removed": asset.removed_why,
        "prompt": details.prompt if details else None,
        "shortened_prompt": details.shortened if details else None,
        "rule": details.rule if details else None,
        "policy": details.policy if details else None,
        "quote_usd": usd_text(details.quoted) if details and details.quoted is not None else None,
        "asked_size": (details.size or None) if details else None,
        "asked_aspect": (details.aspect or None) if details else None,
        "warnings": list(details.warnings) if details else [],
        "feedback": _feedback_view(asset.feedback) if asset.feedback else None,
    }


def _feedback_view(said: Feedback) -> dict[str, Any]:
    return {"verdict": said.verdict, "who": said.who, "at": moment_text(said.at)}


def family_view(family: Family) -> dict[str, Any]:
    """A picture with what it was made from and what was made from it."""
    parents = [{"sha256": each.digest, "role": each.role, "name": each.name} for each in family.parents]
    return {**asset_view(family.asset), "made_from": parents, "used_for": [one.id for one in family.children]}
