"""What a model can do, check by check; routing's tests show the drops as a whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import catalog, reference
from image_router.core.decision import DropReason, Parameters
from image_router.core.eligibility import CHECKS, DoesNotFit, first_no, fit, ratio_distance
from image_router.core.types import (
    Adaptation,
    AspectRatio,
    Grounding,
    ImageRequest,
    Lane,
    PersonGeneration,
    ReferenceRole,
    SafetySetting,
    Size,
    ThinkingLevel,
)

MODELS = catalog().models
PRO, FLASH, LITE = (
    MODELS["gemini-3-pro-image"],
    MODELS["gemini-3.1-flash-image"],
    MODELS["gemini-3.1-flash-lite-image"],
)
NANO, IMAGEN = MODELS["gemini-2.5-flash-image"], MODELS["imagen-4.0-generate-001"]
PLAIN = Parameters(thinking=None, size=Size.K1, aspect=None)
NOTHING: frozenset[Adaptation] = frozenset()
HARASSMENT = SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="OFF")


def ask(**fields: object) -> ImageRequest:
    return ImageRequest(**{"prompt": "a fox", **fields})  # type: ignore[arg-type]


def many(count: int, role: ReferenceRole = ReferenceRole.OBJECT) -> tuple[object, ...]:
    return tuple(reference(str(i), role=role) for i in range(count))


@pytest.mark.parametrize(
    ("model", "fields", "reason"),
    [
        (PRO, {"references": many(14)}, DropReason.REFERENCES),
        (PRO, {"references": many(6)}, None),
        (PRO, {"references": many(6, ReferenceRole.CHARACTER)}, DropReason.REFERENCES),
        (PRO, {"references": many(5, ReferenceRole.CHARACTER)}, None),
        (
            PRO,
            {"references": many(5, ReferenceRole.CHARACTER) + many(6) + many(3, ReferenceRole.STYLE)},
            None,
        ),
        (FLASH, {"references": many(10) + many(4, ReferenceRole.CHARACTER)}, None),
        (LITE, {"references": many(14)}, None),
        (NANO, {"references": many(3)}, None),
        (NANO, {"references": many(4)}, DropReason.REFERENCES),
        (IMAGEN, {"references": many(1)}, DropReason.REFERENCES),
        (IMAGEN, {"prompt": "x" * 4 * 480}, None),
        (IMAGEN, {"prompt": "x" * (4 * 480 + 1)}, DropReason.PROMPT_LENGTH),
        (NANO, {"prompt": "x" * 4 * (32_768 - 258), "references": many(1)}, None),
        (NANO, {"prompt": "x" * 4 * (32_768 - 257), "references": many(1)}, DropReason.PROMPT_LENGTH),
        (IMAGEN, {"lane": Lane.BATCH}, DropReason.BATCH),
        (PRO, {"lane": Lane.BATCH}, None),
        (IMAGEN, {"seed": 0}, DropReason.SEED),
        (PRO, {"seed": 0}, None),
        (IMAGEN, {"safety": (HARASSMENT,)}, DropReason.SAFETY),
        (PRO, {"person_generation": PersonGeneration.ALLOW_ALL}, DropReason.PERSON_GENERATION),
        (IMAGEN, {"person_generation": PersonGeneration.ALLOW_ALL}, None),
        (PRO, {"grounding": (Grounding.WEB,)}, None),
        (PRO, {"grounding": (Grounding.WEB, Grounding.IMAGE)}, DropReason.GROUNDING),
        (FLASH, {"grounding": (Grounding.WEB, Grounding.IMAGE)}, None),
        (LITE, {"grounding": (Grounding.WEB,)}, DropReason.GROUNDING),
        (IMAGEN, {"prompt": "рыба"}, DropReason.LANGUAGE),
        (PRO, {"prompt": "рыба"}, None),
    ],
)
def test_checks(model: object, fields: dict[str, object], reason: DropReason | None) -> None:
    """Each limit is exact: what just fits passes, one more is refused by the check's own reason."""
    no = first_no(ask(**fields), model, parameters=PLAIN)  # type: ignore[arg-type]
    assert (no[0] if no else None) is reason


def test_thinking_levels() -> None:
    """A level passes where the model offers it, and the refusal lists those it offers."""
    high = replace(PLAIN, thinking=ThinkingLevel.HIGH)
    assert first_no(ask(), FLASH, parameters=high) is None
    assert first_no(ask(), PRO, parameters=high) == (
        DropReason.THINKING,
        "gemini-3-pro-image offers no choice of level, not thinking high",
    )
    medium = replace(PLAIN, thinking=ThinkingLevel.MEDIUM)
    assert "offers minimal, high, not" in str(first_no(ask(), FLASH, parameters=medium))


def test_every_check_names_the_model() -> None:
    """No check answers without the model's id and a figure or choice to go by."""
    impossible = ask(
        prompt="рыба" * 200_000, references=many(15), lane=Lane.BATCH, seed=1,
        safety=(HARASSMENT,), grounding=(Grounding.WEB,),
        person_generation=PersonGeneration.ALLOW_ALL,
    )  # fmt: skip
    cannot = replace(IMAGEN, person_generation=())
    parameters = replace(PLAIN, thinking=ThinkingLevel.HIGH)
    answers = [check(impossible, cannot, parameters) for _, check in CHECKS]
    assert all(answer and IMAGEN.id in answer for answer in answers)


@pytest.mark.parametrize(
    ("model", "fields", "adapt", "size", "aspect"),
    [
        (FLASH, {"size": Size.S512, "aspect": AspectRatio.R8_1}, NOTHING, Size.S512, AspectRatio.R8_1),
        (LITE, {"size": Size.K4}, {Adaptation.SMALLER_SIZE}, Size.K1, None),
        (IMAGEN, {"size": Size.K4}, {Adaptation.SMALLER_SIZE}, Size.K2, None),
        (PRO, {"aspect": AspectRatio.R1_8}, {Adaptation.NEAREST_RATIO}, Size.K1, AspectRatio.R9_16),
        (IMAGEN, {"aspect": AspectRatio.R21_9}, {Adaptation.NEAREST_RATIO}, Size.K1, AspectRatio.R16_9),
    ],
)
def test_fit(
    model: object, fields: dict[str, object], adapt: set[Adaptation], size: Size, aspect: object
) -> None:
    """The shape is kept where the model has it, else brought to the nearest that is allowed."""
    parameters, changes = fit(ask(**fields), model, thinking=None, adapt=frozenset(adapt))  # type: ignore[arg-type]
    assert (parameters.size, parameters.aspect) == (size, aspect)
    assert {change.kind for change in changes} == set(adapt)


@pytest.mark.parametrize(
    ("model", "fields", "words"),
    [
        (LITE, {"size": Size.K2}, "gemini-3.1-flash-lite-image makes 1K, not 2K"),
        (PRO, {"size": Size.S512}, "gemini-3-pro-image makes 1K, 2K, 4K, not 512"),
        (IMAGEN, {"aspect": AspectRatio.R4_5}, "makes 1:1, 3:4, 4:3, 9:16, 16:9, not 4:5"),
        (NANO, {"system_instruction": "s"}, "takes no system instruction; allow folding it in"),
    ],
)
def test_misfits(model: object, fields: dict[str, object], words: str) -> None:
    """What does not fit is refused with what would."""
    with pytest.raises(DoesNotFit, match=words):
        fit(ask(**fields), model, thinking=None, adapt=NOTHING)  # type: ignore[arg-type]


def test_a_ratio_without_the_size() -> None:
    """A ratio whose row lacks the size is refused, and is no nearest ratio either."""
    square = {AspectRatio.R1_1: FLASH.pixels[AspectRatio.R1_1]}
    wide = {AspectRatio.R16_9: {Size.K1: FLASH.pixels[AspectRatio.R16_9][Size.K1]}}
    partial = replace(FLASH, pixels={**square, **wide})
    request = ask(aspect=AspectRatio.R16_9, size=Size.K4)
    with pytest.raises(DoesNotFit, match="makes 1:1, not 16:9"):
        fit(request, partial, thinking=None, adapt=NOTHING)
    parameters, _ = fit(request, partial, thinking=None, adapt=frozenset({Adaptation.NEAREST_RATIO}))
    assert parameters.aspect is AspectRatio.R1_1


@given(st.sampled_from(AspectRatio), st.sampled_from(AspectRatio))
def test_ratio_distance(one: AspectRatio, other: AspectRatio) -> None:
    """The distance of two ratios is the same both ways, turned on their side, and zero for equals alone."""
    assert ratio_distance(one, other) == pytest.approx(ratio_distance(other, one))
    assert (ratio_distance(one, other) == 0) is (one is other)
