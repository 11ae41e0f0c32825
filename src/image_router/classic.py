"""The article's four names on top of the router: route_tier, route_image, the chain, MODEL_REGISTRY.

The only place that answers None or leaves something out instead of raising; each time it logs why.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Any, Final

from image_router import facts
from image_router.blocking import ImageRouter
from image_router.config import load_settings
from image_router.core.article import route_tier
from image_router.core.errors import ChainError, ImageRouterError
from image_router.core.types import Purpose, Tier
from image_router.wiring import today

log = logging.getLogger("image_router.classic")

_PLAIN = frozenset({"purpose", "text_heavy", "reference_images", "budget_consumed_pct"})


def route_image(prompt: str, constraints: Mapping[str, Any] | None = None) -> bytes | None:
    """One image for the article's constraints, or None with the reason in the log.

    Decided by the engine's policy on the configured provider (a key, or IMAGE_ROUTER_OFFLINE=1). Further
    constraints are the router's own fields, such as size and aspect.
    """
    asked = dict(constraints or {})
    fields = {name: value for name, value in asked.items() if name not in _PLAIN}
    try:
        with ImageRouter() as router:
            result = router.generate(
                prompt,
                purpose=_purpose(asked.get("purpose")),
                text_heavy=bool(asked.get("text_heavy")),
                references=tuple(asked.get("reference_images") or ()),
                pressure=int(asked.get("budget_consumed_pct", 0)),
                **fields,
            )
    except ImageRouterError as error:
        log.error("no image for %r: %s", prompt[:60], error)
        return None
    return result.image.data


def character_consistency_chain(character_prompt: str, variant_prompts: Sequence[str]) -> list[bytes]:
    """The variants that came, in order; failed ones are left out and logged. [] when the reference fails."""
    try:
        with ImageRouter() as router:
            result = router.chain(character_prompt, list(variant_prompts))
    except (ChainError, ImageRouterError) as error:
        log.error("no chain for %r: %s", character_prompt[:60], error)
        return []
    for failure in result.failures:
        log.error("%s of the chain failed: %s", failure.key, failure.error)
    return [image.data for image in result.images]


def _purpose(name: object) -> Purpose:
    """The article knows any purpose; those it does not name are economy."""
    return next((purpose for purpose in Purpose if purpose == name), Purpose.ECONOMY)


class ModelRegistry(Mapping[str, str]):
    """Tier → model id, read-only: today's, or of the `as_of` setting (2026-04-09: the article's six)."""

    @cached_property
    def _ids(self) -> dict[str, str]:
        settings = load_settings()
        day: date = settings.as_of or today()
        catalog = facts.load_catalog(settings.home, settings.model_states)
        serving = {tier: catalog.serving(tier, day) for tier in Tier}
        return {tier.value: entry.model for tier, entry in serving.items() if entry}

    def __getitem__(self, tier: str) -> str:
        return self._ids[tier]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"ModelRegistry({self._ids!r})"


MODEL_REGISTRY: Final = ModelRegistry()

__all__ = ["MODEL_REGISTRY", "character_consistency_chain", "route_image", "route_tier"]
