"""The playground's controls: a query or a form, read strictly. Every control has a name of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

from image_router.core.types import AspectRatio, ImageRequest, Purpose, ReferenceRole, Size, Tier
from image_router.gateway.app import Visit
from image_router.gateway.dashboard.playground_references import MOST, Given, given, read
from image_router.gateway.fields import one_of, text, whole
from image_router.gateway.refusals import malformed

PATH: Final = "/dashboard/playground"
MOST_IMAGES: Final = 8
MOST_VARIANTS: Final = 20
_EXAMPLE: Final = "a lighthouse on a cliff at dusk, long exposure"
_COMPARED: Final = (Tier.NANO_BANANA, Tier.GEMINI_31_FLASH_IMAGE, Tier.NANO_BANANA_PRO)
_VARIANTS: Final = ("on a bicycle in a rainy city", "reading a map in snowy mountains")


class Mode(StrEnum):
    """What one press of the button makes."""

    MAKE = "make"
    """Pictures of one kind."""
    COMPARE = "compare"
    """The same on several tiers."""
    CHAIN = "chain"
    """A reference, then variants of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayAsk:
    """What the controls say."""

    mode: Mode
    prompt: str
    purpose: Purpose
    text: str
    size: Size
    aspect: AspectRatio | None
    images: int
    tier: Tier | None
    """Of a single make; None: as the router decides."""
    compared: tuple[Tier, ...]
    role: ReferenceRole
    references: tuple[Given, ...]
    variants: tuple[str, ...]
    profile: str

    @property
    def fields(self) -> dict[str, str]:
        """By the names of the controls."""
        return {
            "mode": self.mode.value,
            "prompt": self.prompt,
            "purpose": self.purpose.value,
            "text": self.text,
            "size": self.size.value,
            "aspect": self.aspect.value if self.aspect else "",
            "images": str(self.images),
            "tier": self.tier.value if self.tier else "",
            "role": self.role.value,
            "variants": "\n".join(self.variants),
            "profile": self.profile,
            **{tier.value: "on" for tier in self.compared},
            **{f"ref{place}": one.name for place, one in enumerate(self.references)},
        }

    @property
    def address(self) -> str:
        """The page with these controls."""
        return f"{PATH}?{urlencode({name: value for name, value in self.fields.items() if value})}"


async def play_ask(visit: Visit, told: Mapping[str, Any]) -> PlayAsk:
    """Raises Refusal naming the control."""
    said = {name: value for name, value in told.items() if value != ""}
    compared = tuple(tier for tier in Tier if tier.value in said)
    variants = tuple(line.strip() for line in (text(said, "variants") or "").splitlines() if line.strip())
    if len(variants) > MOST_VARIANTS:
        raise malformed(f"{len(variants)} variants; write at most {MOST_VARIANTS}", param="variants")
    tier = one_of(said, "tier", words=tuple(Tier))
    aspect = one_of(said, "aspect", words=tuple(AspectRatio))
    return PlayAsk(
        mode=Mode(one_of(said, "mode", words=tuple(Mode)) or Mode.MAKE),
        prompt=_EXAMPLE if "prompt" not in told else str(told["prompt"]),
        purpose=Purpose(one_of(said, "purpose", words=tuple(Purpose)) or Purpose.ECONOMY),
        text=text(said, "text") or "",
        size=Size(one_of(said, "size", words=tuple(Size)) or Size.K1),
        aspect=AspectRatio(aspect) if aspect else None,
        images=whole(said, "images", default=1, low=1, high=MOST_IMAGES),
        tier=Tier(tier) if tier else None,
        compared=compared or (() if "mode" in told else _COMPARED),
        role=ReferenceRole(one_of(said, "role", words=tuple(ReferenceRole)) or ReferenceRole.OBJECT),
        references=await _references(visit, said),
        variants=variants or (() if "mode" in told else _VARIANTS),
        profile=text(said, "profile") or visit.router.profile,
    )


async def _references(visit: Visit, said: Mapping[str, Any]) -> tuple[Given, ...]:
    names = [str(said[name]) for name in (f"ref{place}" for place in range(MOST)) if name in said]
    dropped = text(said, "drop")
    return tuple([await given(visit, name) for name in dict.fromkeys(names) if name != dropped])


async def request_of(visit: Visit, ask: PlayAsk, *, tier: Tier | None, sending: bool = False) -> ImageRequest:
    """The request behind the controls, paid by the viewer; `sending` with the bytes of its references."""
    references = [
        await read(visit, one, role=ask.role) if sending else one.reference(b"", ask.role)
        for one in ask.references
    ]
    request = await visit.router.request(
        ask.prompt,
        purpose=ask.purpose,
        text=ask.text.strip() or None,
        size=ask.size,
        aspect=ask.aspect,
        tier=tier,
        n=ask.images if ask.mode is Mode.MAKE else 1,
        drafts=True,
        **visit.terms(None),
    )
    return replace(request, references=tuple(references))
