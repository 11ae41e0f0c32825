"""The same fingerprint asks for the same picture; what does not shape the picture does not count."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest

from desk import conversation, reference
from image_router.core.brevity import Compress
from image_router.core.fingerprint import fingerprint
from image_router.core.types import Adaptation, ImageRequest, Reference, ReferenceRole, SafetySetting

BASE = ImageRequest(prompt="a fox")
SHAPING = {
    "prompt": "a fix",
    "purpose": "hero",
    "text": "SALE",
    "text_heavy": True,
    "references": (reference(),),
    "size": "2K",
    "aspect": "1:1",
    "tier": "nano_banana",
    "model": "gemini-3-pro-image",
    "quality_floor": "print",
    "identity_locked": True,
    "thinking": "high",
    "seed": 0,
    "safety": (SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="OFF"),),
    "person_generation": "allow_all",
    "system_instruction": "s",
    "grounding": ("web",),
    "language": "en",
    "conversation": conversation("gemini-3-pro-image"),
    "allow": frozenset({Adaptation.SMALLER_SIZE}),
    "compress": Compress(),
}
NOT_SHAPING = {
    "n": 3, "lane": "batch", "max_cost": 1, "max_total": 1, "deadline": 5.0, "scope": "studio", "key": "k",
    "drafts": True,
    "retired": "substitute",
}  # fmt: skip


def test_every_field_is_decided() -> None:
    """Each field of a request either shapes the picture or is listed as not doing so."""
    assert {field.name for field in fields(ImageRequest)} == SHAPING.keys() | NOT_SHAPING.keys()


@pytest.mark.parametrize("name", SHAPING)
def test_what_shapes_the_picture(name: str) -> None:
    """Another value of a shaping field is another fingerprint."""
    assert fingerprint(replace(BASE, **{name: SHAPING[name]})) != fingerprint(BASE)


@pytest.mark.parametrize("name", NOT_SHAPING)
def test_what_does_not(name: str) -> None:
    """Money, number and names leave the fingerprint as it is."""
    assert fingerprint(replace(BASE, **{name: NOT_SHAPING[name]})) == fingerprint(BASE)


def test_references_count_by_bytes_role_and_order() -> None:
    """Where a reference came from does not matter; what it shows, stands for and comes after does."""
    one, two = reference("1"), reference("2")
    both = fingerprint(replace(BASE, references=(one, two)))
    assert fingerprint(replace(BASE, references=(replace(one, name="x.png"), two))) == both
    assert fingerprint(replace(BASE, references=(two, one))) != both
    other: Reference = replace(one, role=ReferenceRole.STYLE)
    assert fingerprint(replace(BASE, references=(other, two))) != both


def test_order_of_permissions_does_not_count() -> None:
    """A set has no order."""
    kinds = [Adaptation.SMALLER_SIZE, Adaptation.NEAREST_RATIO, Adaptation.IMAGE_PREFIX]
    assert fingerprint(replace(BASE, allow=frozenset(kinds))) == fingerprint(
        replace(BASE, allow=frozenset(reversed(kinds)))
    )


def test_it_is_the_same_in_every_process() -> None:
    """Run folders outlive processes and versions: this value never changes."""
    mark = fingerprint(ImageRequest(prompt="a fox", size="2K", seed=7))  # type: ignore[arg-type]
    assert re.fullmatch("[0-9a-f]{64}", mark)
    assert mark == "e5b0b34391bacb04768f5f6a777dc48505fc5b05f836d52e745846184b6c97c2"
