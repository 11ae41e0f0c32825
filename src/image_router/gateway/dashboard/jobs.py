"""Ready jobs of the live router: one for each thing the six roles are there for, and the chain of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from image_router.core.types import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the form starts with; every field may be changed."""

    name: str
    title: str
    prompt: str
    purpose: Purpose
    text: str = ""
    references: int = 0
    size: str = "1K"
    aspect: str = ""
    variants: tuple[str, ...] = ()
    """Of a chain: what follows the reference. Empty: a single picture."""

    @property
    def chain(self) -> bool:
        return bool(self.variants)


_ALL: Final = (
    Job(
        name="economy",
        title="Everyday picture",
        purpose=Purpose.ECONOMY,
        prompt="a terracotta mug of coffee on a wooden table, soft morning light",
    ),
    Job(
        name="draft",
        title="Draft or preview",
        purpose=Purpose.DRAFT,
        prompt="layout idea: white sneakers in a city street, sunny",
        aspect="4:3",
    ),
    Job(
        name="hero",
        title="Hero picture",
        purpose=Purpose.HERO,
        prompt="a perfume bottle, plum glass, on a seamless studio backdrop",
        aspect="16:9",
    ),
    Job(
        name="final",
        title="Print final with words",
        purpose=Purpose.FINAL_HERO,
        prompt="bauhaus poster, coral and navy, geometric",
        text="SUMMER SALE",
        size="2K",
        aspect="3:4",
    ),
    Job(
        name="edit",
        title="Edit in context",
        purpose=Purpose.CONTEXTUAL_EDIT,
        prompt="the same bottle on a beach at sunset",
        references=1,
    ),
    Job(
        name="character",
        title="Keep a character",
        purpose=Purpose.CHARACTER_LOCK,
        prompt="the fox courier reading a map in snowy mountains",
        references=1,
        aspect="3:4",
    ),
    Job(
        name="chain",
        title="Two-stage chain",
        purpose=Purpose.ECONOMY,
        prompt="a cheerful fox courier with a teal scarf, plain studio backdrop",
        variants=(
            "the courier on a bicycle in a rainy city",
            "the courier reading a map in snowy mountains",
            "the courier with an umbrella at the sea, sunset",
        ),
        aspect="3:4",
    ),
    Job(
        name="own",
        title="Your own",
        purpose=Purpose.ECONOMY,
        prompt="a lighthouse on a cliff at dusk, long exposure",
    ),
)

JOBS: Final[Mapping[str, Job]] = MappingProxyType({job.name: job for job in _ALL})
