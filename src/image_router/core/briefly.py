"""Deciding where somebody wishes that a long prompt is shortened first. Pure."""

from __future__ import annotations

from dataclasses import replace

from image_router.core.brevity import Compress
from image_router.core.decision import Compression, Decision, Snapshot
from image_router.core.errors import CostLimitExceeded, NoEligibleTier, RequestError
from image_router.core.relaxing import decide_or_suggest
from image_router.core.routing import NOTHING_KNOWN, World, decide
from image_router.core.types import Adaptation, ImageRequest


def decide_briefly(request: ImageRequest, world: World, *, snapshot: Snapshot = NOTHING_KNOWN) -> Decision:
    """decide(), and whether the prompt is shortened first where that is wanted.

    Raises as decide_or_suggest; what cannot be served either way is refused for the prompt as it was asked.
    """
    wish = _wish(request, world)
    if wish is None:
        return decide_or_suggest(request, world, snapshot=snapshot)
    try:
        plain: Decision | RequestError = decide(request, world, snapshot=snapshot)
    except (NoEligibleTier, CostLimitExceeded) as error:
        plain = error
    from image_router.core.compressing import planned  # and what must stay word for word: few shorten

    step = planned(request, world, snapshot=snapshot, wish=wish, plain=plain)
    if isinstance(step, Decision):
        return step
    if isinstance(plain, CostLimitExceeded):
        raise plain
    decision = plain if isinstance(plain, Decision) else _suggested(request, world, snapshot, step)
    return replace(decision, compression=step)


def may_shorten(request: ImageRequest, world: World) -> bool:
    """Whether the words of the prompt themselves count."""
    return _wish(request, world) is not None


def _wish(request: ImageRequest, world: World) -> Compress | None:
    said = request.compress
    if said is None and Adaptation.COMPRESS_PROMPT in request.allow | world.policy.adapt:
        said = Compress()
    return None if said is None or said.off else said


def _suggested(request: ImageRequest, world: World, snapshot: Snapshot, step: Compression) -> Decision:
    """The refusal of the prompt as it was asked, which also says why it is not shortened."""
    try:
        return decide_or_suggest(request, world, snapshot=snapshot)
    except NoEligibleTier as error:
        raise NoEligibleTier(
            f"{error}\nthe prompt is not shortened: {step.skipped}",
            dropped=error.dropped,
            nearest=error.nearest,
        ) from None
