"""Words about what else could be asked for: neither warnings nor part of the decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from image_router.core.catalog import Grade
from image_router.core.decision import Decision
from image_router.core.types import Purpose, Size


@dataclass(frozen=True, slots=True)
class Hint:
    """What to say, and the field of a request that would change it."""

    words: str
    field: str


def hints_of(decision: Decision) -> tuple[Hint, ...]:
    """What whoever asked may not know; nothing where there is nothing to say."""
    return (*_print_sizes(decision), *_final_lettering(decision))


def _print_sizes(decision: Decision) -> Iterator[Hint]:
    """A final picture is often printed, and the default size is one for screens."""
    steps, head = list(Size), decision.head
    size = head.parameters.size
    larger = [each for each in steps[steps.index(size) + 1 :] if each in head.model.sizes]
    if (
        decision.request.purpose is Purpose.FINAL_HERO
        and steps.index(size) <= steps.index(Size.K1)
        and larger
    ):
        words = f"{size} is a size for screens: for print, {head.model.id} also makes {' and '.join(larger)}"
        yield Hint(words, "size")


def _final_lettering(decision: Decision) -> Iterator[Hint]:
    """Words to render go to the everyday model unless the purpose says that they must be right."""
    request, model = decision.request, decision.head.model
    chosen = request.tier or request.model or request.purpose is not Purpose.ECONOMY
    if request.text and not chosen and model.text_rendering.rank < Grade.EXCELLENT.rank:
        words = (
            f"{model.id} is {model.text_rendering} at lettering: for final copy, where every letter counts, "
            f"ask for {Purpose.FINAL_HERO}"
        )
        yield Hint(words, "purpose")
