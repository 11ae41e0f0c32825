"""The article's four names on top of the router: route_tier, route_image, the chain, MODEL_REGISTRY.

The only place that answers None or leaves something out instead of raising; each time it logs why.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from image_router import facts
from image_router.blocking import ImageRouter
from image_router.config import load_settings
from image_router.core.article import route_tier
from image_router.core.catalog import ModelState
from image_router.core.errors import ImageRouterError, InvalidRequest
from image_router.core.types import ImageRequest, Purpose, Tier
from image_router.wiring import today

log = logging.getLogger("image_router.classic")

_ARTICLE = frozenset({"purpose", "text_heavy", "reference_images", "budget_consumed_pct"})
_OURS = frozenset(field.name for field in fields(ImageRequest)) | {"profile"}


def route_image(prompt: str, constraints: Mapping[str, Any] | None = None) -> bytes | None:
    """One image for the article's constraints, or None with the reason in the log.

    Decided by the engine's policy on the configured provider (a key, or IMAGE_ROUTER_OFFLINE=1). Further
    constraints are the router's own fields, such as size and aspect; unknown ones are logged and ignored.
    """
    try:
        with ImageRouter() as router:
            result = router.generate(prompt, **_asked(constraints or {}))
    except ImageRouterError as error:
        log.error("no image for %.60r: %s", prompt, error)
        return None
    return result.image.data


def character_consistency_chain(character_prompt: str, variant_prompts: Sequence[str]) -> list[bytes]:
    """The variants that came, in order; failed ones are left out and logged. [] when the reference fails."""
    try:
        with ImageRouter() as router:
            result = router.chain(character_prompt, _listed(variant_prompts))
    except ImageRouterError as error:
        log.error("no chain for %.60r: %s", character_prompt, error)
        return []
    for failure in result.failures:
        log.error("%s of the chain failed: %s", failure.key, failure.error)
    return [image.data for image in result.images]


def _listed(prompts: object) -> list[str]:
    if isinstance(prompts, str) or not isinstance(prompts, Iterable):
        raise InvalidRequest(f"variant_prompts {prompts!r} is no list of prompts")
    return list(prompts)


def _asked(constraints: object) -> dict[str, Any]:
    """The article's constraints as the router's arguments."""
    if not isinstance(constraints, Mapping):
        raise InvalidRequest(f"constraints {constraints!r} is no dictionary")
    if unknown := constraints.keys() - _ARTICLE - _OURS:
        log.warning("constraints that are not known are ignored: %s", ", ".join(sorted(map(str, unknown))))
    return {
        **{name: value for name, value in constraints.items() if name in _OURS},
        "purpose": _purpose(constraints.get("purpose")),
        "text_heavy": bool(constraints.get("text_heavy")),
        "references": constraints.get("reference_images") or constraints.get("references") or (),
        "pressure": _percent(constraints.get("budget_consumed_pct")),
    }


def _percent(value: object) -> int:
    try:
        return int(float(str(value or 0)))
    except (ValueError, OverflowError):
        raise InvalidRequest(f"budget_consumed_pct {value!r} is no number of percent") from None


def _purpose(name: object) -> Purpose:
    """The article knows any purpose; those it does not name are economy."""
    return next((purpose for purpose in Purpose if purpose == name), Purpose.ECONOMY)


@lru_cache(maxsize=8)
def _serving(day: date, home: Path, states: tuple[tuple[str, ModelState], ...]) -> dict[str, str]:
    catalog = facts.load_catalog(home, dict(states))
    return {tier.value: entry.model for tier in Tier if (entry := catalog.serving(tier, day))}


class ModelRegistry(Mapping[str, str]):
    """Tier → model id, read-only: today's, or of the `as_of` setting (2026-04-09: the article's six)."""

    @property
    def _ids(self) -> dict[str, str]:
        settings = load_settings()
        states = tuple(sorted(settings.model_states.items()))
        return _serving(settings.as_of or today(), settings.home, states)

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
