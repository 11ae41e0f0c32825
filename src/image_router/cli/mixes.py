"""A mix of traffic from words: the default one, a profile's, one tier or purpose, or tier=share pairs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from image_router import facts
from image_router.config import Settings
from image_router.core.economics import Mix
from image_router.core.errors import InvalidRequest
from image_router.core.policy import Policy, prefer
from image_router.core.types import ImageRequest, Purpose, Tier

WHOLE: Final = 100
_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")
_DEFAULT: Final = "default"


def mix_of(name: str, settings: Settings) -> Mix:
    """Shares by tier; a purpose is the tier that the default policy's rule names. Raises InvalidRequest."""
    if name == _DEFAULT:
        return facts.load_mix(settings.home)
    if "=" in name:
        return _shares(name)
    if name in list(Tier):
        return {Tier(name): WHOLE}
    policies = facts.load_policies(settings.home, settings.policy_file)
    if name in policies and policies[name].mix:
        return policies[name].mix
    if name in list(Purpose):
        asked = ImageRequest(prompt=name, purpose=Purpose(name))
        return {prefer(asked, policies[_DEFAULT]).tiers[0]: WHOLE}
    raise InvalidRequest(_unknown(name, policies))


def _unknown(name: str, policies: Mapping[str, Policy]) -> str:
    profiles = ", ".join(sorted(each for each, policy in policies.items() if policy.mix))
    problem = "is a profile that names no mix" if name in policies else "is not known"
    return (
        f"mix {name!r} {problem}: name a profile ({profiles}), a tier ({', '.join(Tier)}), a purpose "
        f"({', '.join(Purpose)}), or tier=share pairs as nano_banana=65,imagen_4_fast=35"
    )


def _shares(text: str) -> Mix:
    """Shares in percent, made whole by the finest of them: 99.5 and 0.5 are 995 and 5."""
    shares: dict[Tier, Decimal] = {}
    for pair in text.split(","):
        tier, share = _share(pair)
        if tier in shares:
            raise InvalidRequest(f"tier {tier} stands twice in the mix; name it once")
        shares[tier] = share
    if (whole := sum(shares.values())) != WHOLE:
        raise InvalidRequest(f"the shares of the mix sum to {whole} %; they must sum to 100")
    finest = 10 ** max(-int(share.as_tuple().exponent) for share in shares.values())
    return {tier: int(share * finest) for tier, share in shares.items()}


def _share(pair: str) -> tuple[Tier, Decimal]:
    name, _, share = (part.strip() for part in pair.partition("="))
    if name not in list(Tier):
        raise InvalidRequest(f"tier {name!r} in the mix is not one of {', '.join(Tier)}")
    if not _PERCENT.fullmatch(share) or not Decimal(share):
        raise InvalidRequest(f"the share of {name} is {share!r}; give a percentage above 0, as 65 or 2.5")
    return Tier(name), Decimal(share)
