"""Words about what else could be asked for: neither warnings nor part of the decision."""

from __future__ import annotations

from collections.abc import Iterator

from image_router.core.decision import Decision
from image_router.core.types import Purpose, Size


def hints_of(decision: Decision) -> tuple[str, ...]:
    """What whoever asked may not know; nothing where there is nothing to say."""
    return tuple(_print_sizes(decision))


def _print_sizes(decision: Decision) -> Iterator[str]:
    """A final picture is often printed, and the default size is one for screens."""
    steps, head = list(Size), decision.head
    size = head.parameters.size
    larger = [each for each in steps[steps.index(size) + 1 :] if each in head.model.sizes]
    if (
        decision.request.purpose is Purpose.FINAL_HERO
        and steps.index(size) <= steps.index(Size.K1)
        and larger
    ):
        yield f"{size} is a size for screens: for print, {head.model.id} also makes {' and '.join(larger)}"
