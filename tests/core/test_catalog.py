"""Life, lineage and capability questions, on a small catalog and on the shipped one."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from image_router.core.catalog import Catalog, Confidence, Grade, LineageEntry, ModelState
from image_router.core.errors import InvalidRequest
from image_router.core.types import AspectRatio, Pixels, Size, ThinkingLevel, Tier
from image_router.facts import load_catalog

PRO, PRO_PREVIEW = "gemini-3-pro-image", "gemini-3-pro-image-preview"
FLASH, FLASH_PREVIEW = "gemini-3.1-flash-image", "gemini-3.1-flash-image-preview"
LITE, NANO_21, NANO_25 = "gemini-3.1-flash-lite-image", "gemini-nano-banana-2.1", "gemini-2.5-flash-image"
ULTRA, STANDARD, FAST = (f"imagen-4.0-{kind}generate-001" for kind in ("ultra-", "", "fast-"))

ALIVE, DEPRECATED = ModelState.ALIVE, ModelState.DEPRECATED
UNCERTAIN, RETIRED, UNRELEASED = ModelState.UNCERTAIN, ModelState.RETIRED, ModelState.UNRELEASED


SHORT = {"flash": FLASH, "nano": NANO_25, "pro": PRO, "preview": PRO_PREVIEW}


def catalog(**overrides: ModelState) -> Catalog:
    return load_catalog(None, {SHORT[key]: state for key, state in overrides.items()})


@pytest.mark.parametrize(
    ("model", "day", "state"),
    [
        (PRO_PREVIEW, "2025-11-19", UNRELEASED),
        (PRO_PREVIEW, "2025-11-20", ALIVE),
        (PRO_PREVIEW, "2026-05-27", ALIVE),
        (PRO_PREVIEW, "2026-05-28", DEPRECATED),
        (PRO_PREVIEW, "2026-06-24", DEPRECATED),
        (PRO_PREVIEW, "2026-06-25", RETIRED),
        (PRO, "2026-05-27", UNRELEASED),
        (PRO, "2026-05-28", ALIVE),
        (PRO, "2026-11-22", ALIVE),
        (FLASH_PREVIEW, "2026-06-25", RETIRED),
        (FLASH, "2026-10-05", ALIVE),
        (FLASH, "2026-10-06", DEPRECATED),
        (FLASH, "2026-10-28", DEPRECATED),
        (FLASH, "2026-10-29", UNCERTAIN),
        (FLASH, "2027-12-31", UNCERTAIN),
        (NANO_21, "2026-10-05", UNRELEASED),
        (NANO_21, "2026-10-06", ALIVE),
        (LITE, "2026-06-29", UNRELEASED),
        (LITE, "2026-06-30", ALIVE),
        (NANO_25, "2026-10-01", ALIVE),
        (NANO_25, "2026-10-02", UNCERTAIN),
        (NANO_25, "2027-03-14", UNCERTAIN),
        (NANO_25, "2027-03-15", RETIRED),
        (ULTRA, "2026-06-14", ALIVE),
        (ULTRA, "2026-06-15", DEPRECATED),
        (ULTRA, "2026-08-16", DEPRECATED),
        (ULTRA, "2026-08-17", RETIRED),
        (STANDARD, "2026-08-17", RETIRED),
        (FAST, "2026-08-17", RETIRED),
    ],
)
def test_state_by_the_models_own_dates(model: str, day: str, state: ModelState) -> None:
    """A model's state changes on the first day of each date of its life."""
    assert catalog().state(model, date.fromisoformat(day)) is state


@pytest.mark.parametrize(
    ("override", "model", "day", "state"),
    [
        ({"flash": ALIVE}, FLASH, "2026-10-29", ALIVE),
        ({"flash": ALIVE}, FLASH, "2026-10-10", DEPRECATED),
        ({"flash": RETIRED}, FLASH, "2026-10-10", RETIRED),
        ({"nano": ALIVE}, NANO_25, "2027-03-14", ALIVE),
        ({"nano": ALIVE}, NANO_25, "2027-03-15", RETIRED),
        ({"preview": ALIVE}, PRO_PREVIEW, "2026-08-01", RETIRED),
        ({"pro": RETIRED}, PRO, "2026-11-22", RETIRED),
        ({"pro": RETIRED}, PRO, "2026-05-27", UNRELEASED),
    ],
)
def test_overrides(override: dict[str, ModelState], model: str, day: str, state: ModelState) -> None:
    """An override settles what is uncertain and retires what lives, but raises nobody from the dead."""
    assert catalog(**override).state(model, date.fromisoformat(day)) is state


@pytest.mark.parametrize("alias", ["nano-banana-pro-preview", f"models/{PRO_PREVIEW}"])
def test_state_of_an_alias(alias: str) -> None:
    """A state may be asked for by alias or with Google's prefix."""
    assert catalog(preview=RETIRED).state(alias, date(2026, 4, 9)) is RETIRED


SERVING = {
    "2026-04-09": [PRO_PREVIEW, FLASH_PREVIEW, NANO_25, ULTRA, STANDARD, FAST],
    "2026-05-28": [PRO_PREVIEW, FLASH_PREVIEW, NANO_25, ULTRA, STANDARD, FAST],
    "2026-06-24": [PRO_PREVIEW, FLASH_PREVIEW, NANO_25, ULTRA, STANDARD, FAST],
    "2026-06-25": [PRO, FLASH, NANO_25, ULTRA, STANDARD, FAST],
    "2026-08-16": [PRO, FLASH, NANO_25, ULTRA, STANDARD, FAST],
    "2026-08-17": [PRO, FLASH, NANO_25, PRO, FLASH, FLASH],
    "2026-10-01": [PRO, FLASH, NANO_25, PRO, FLASH, FLASH],
    "2026-10-02": [PRO, FLASH, LITE, PRO, FLASH, FLASH],
    "2026-10-28": [PRO, FLASH, LITE, PRO, FLASH, FLASH],
    "2026-10-29": [PRO, NANO_21, LITE, PRO, NANO_21, NANO_21],
    "2026-11-22": [PRO, NANO_21, LITE, PRO, NANO_21, NANO_21],
}


@pytest.mark.parametrize("day", SERVING)
def test_who_serves_each_tier(day: str) -> None:
    """On a day, the first entry of a lineage whose life covers it serves the tier."""
    entries = [catalog().serving(tier, date.fromisoformat(day)) for tier in Tier]
    assert [entry.model if entry else None for entry in entries] == SERVING[day]


@pytest.mark.parametrize(
    ("tier", "day", "thinking"),
    [
        (Tier.GEMINI_31_FLASH_IMAGE, "2026-10-01", None),
        (Tier.IMAGEN_4_STANDARD, "2026-10-01", ThinkingLevel.HIGH),
        (Tier.IMAGEN_4_FAST, "2026-10-01", ThinkingLevel.MINIMAL),
        (Tier.GEMINI_31_FLASH_IMAGE, "2026-11-22", ThinkingLevel.MEDIUM),
        (Tier.IMAGEN_4_STANDARD, "2026-11-22", ThinkingLevel.HIGH),
        (Tier.IMAGEN_4_FAST, "2026-11-22", ThinkingLevel.MINIMAL),
        (Tier.NANO_BANANA, "2026-11-22", ThinkingLevel.MINIMAL),
        (Tier.NANO_BANANA_PRO, "2026-11-22", None),
    ],
)
def test_how_a_tier_uses_its_model(tier: Tier, day: str, thinking: ThinkingLevel | None) -> None:
    """The thinking level belongs to the tier's use of the model."""
    entry = catalog().serving(tier, date.fromisoformat(day))
    assert entry is not None
    assert entry.thinking is thinking


@pytest.mark.parametrize(
    ("override", "tier", "day", "model"),
    [
        ({"nano": ALIVE}, Tier.NANO_BANANA, "2026-11-22", NANO_25),
        ({"nano": ALIVE}, Tier.NANO_BANANA, "2027-03-14", NANO_25),
        ({"nano": ALIVE}, Tier.NANO_BANANA, "2027-03-15", LITE),
        ({"flash": ALIVE}, Tier.GEMINI_31_FLASH_IMAGE, "2027-06-01", FLASH),
        ({"flash": RETIRED}, Tier.IMAGEN_4_FAST, "2026-10-10", NANO_21),
        ({"flash": RETIRED}, Tier.GEMINI_31_FLASH_IMAGE, "2026-09-01", None),
        ({"pro": RETIRED}, Tier.NANO_BANANA_PRO, "2026-11-22", None),
        ({"preview": ALIVE}, Tier.NANO_BANANA_PRO, "2026-11-22", PRO),
    ],
)
def test_overrides_move_tiers(
    override: dict[str, ModelState], tier: Tier, day: str, model: str | None
) -> None:
    """A confirmed model keeps its tier past a conflicting end; a retired one loses it at once."""
    entry = catalog(**override).serving(tier, date.fromisoformat(day))
    assert (entry.model if entry else None) == model


def test_a_sure_end_is_not_prolonged() -> None:
    """An override prolongs only an entry whose end is conflicting."""
    shipped = catalog(flash=ALIVE)
    entry = LineageEntry(model=FLASH, since=date(2026, 5, 28), until=date(2026, 6, 1),
                         confidence=Confidence.CONFIRMED)  # fmt: skip
    ended = replace(shipped, lineages={Tier.NANO_BANANA: (entry,)})
    assert ended.serving(Tier.NANO_BANANA, date(2026, 6, 1)) is None
    assert ended.serving(Tier.IMAGEN_4_FAST, date(2026, 6, 1)) is None


@pytest.mark.parametrize(
    ("model", "day", "heir"),
    [
        (PRO_PREVIEW, "2026-11-22", PRO),
        (FLASH_PREVIEW, "2026-07-01", FLASH),
        (FLASH_PREVIEW, "2026-11-22", NANO_21),
        (FLASH, "2026-11-22", NANO_21),
        (NANO_25, "2026-11-22", LITE),
        (ULTRA, "2026-11-22", PRO),
        (STANDARD, "2026-09-01", FLASH),
        (STANDARD, "2026-11-22", NANO_21),
        (FAST, "2026-11-22", NANO_21),
        (PRO, "2026-11-22", None),
        (LITE, "2026-11-22", None),
    ],
)
def test_successor(model: str, day: str, heir: str | None) -> None:
    """The successor is the first replacement that serves, else whoever serves a tier the model served."""
    found = catalog().successor(model, date.fromisoformat(day))
    assert (found.id if found else None) == heir


def test_successors_that_name_each_other() -> None:
    """Replacements that run in a circle end the search."""
    shipped = catalog()
    life = replace(shipped.models[PRO_PREVIEW].life, replacement=ULTRA)
    back = replace(shipped.models[ULTRA].life, replacement=PRO_PREVIEW)
    models = {
        PRO_PREVIEW: replace(shipped.models[PRO_PREVIEW], life=life),
        ULTRA: replace(shipped.models[ULTRA], life=back),
    }
    assert replace(shipped, models=models, lineages={}).successor(ULTRA, date(2026, 11, 22)) is None


def test_tiers_served_by() -> None:
    """A model may serve several tiers on a day, and none on another."""
    shipped, today = catalog(), date(2026, 11, 22)
    assert shipped.tiers_served_by(PRO, today) == (Tier.NANO_BANANA_PRO, Tier.IMAGEN_4_ULTRA)
    assert shipped.tiers_served_by(NANO_21, today) == (
        Tier.GEMINI_31_FLASH_IMAGE,
        Tier.IMAGEN_4_STANDARD,
        Tier.IMAGEN_4_FAST,
    )
    assert shipped.tiers_served_by(ULTRA, today) == ()
    assert shipped.tiers_served_by(ULTRA, date(2026, 4, 9)) == (Tier.IMAGEN_4_ULTRA,)


def test_find_and_resolve() -> None:
    """A model is found by id, alias or Google's full name; an unknown name is refused with the known ids."""
    shipped = catalog()
    assert shipped.find(PRO) is shipped.models[PRO]
    assert shipped.find("nano-banana-pro-preview") is shipped.models[PRO_PREVIEW]
    assert shipped.resolve(f"models/{LITE}") is shipped.models[LITE]
    assert shipped.find("gemini-nano-banana-3") is None
    with pytest.raises(InvalidRequest, match=r"'gemini-nano-banana-3'.*gemini-nano-banana-2\.1"):
        shipped.resolve("gemini-nano-banana-3")


@pytest.mark.parametrize(
    ("model", "aspect", "size", "pixels"),
    [
        (PRO, AspectRatio.R21_9, Size.K4, Pixels(6336, 2688)),
        (PRO, AspectRatio.R1_8, Size.K1, None),
        (PRO, AspectRatio.R1_1, Size.S512, None),
        (PRO, None, Size.K1, Pixels(1408, 768)),
        (PRO, None, Size.K4, None),
        (NANO_21, None, Size.K1, None),
        (NANO_25, None, Size.K1, Pixels(1024, 1024)),
        (STANDARD, None, Size.K2, Pixels(2048, 2048)),
        (FAST, None, Size.K2, None),
    ],
)
def test_pixels_for(model: str, aspect: AspectRatio | None, size: Size, pixels: Pixels | None) -> None:
    """A shape is known by ratio and size; without a ratio only where the default shape is."""
    assert catalog().models[model].pixels_for(aspect, size) == pixels


def test_overhead_of_a_level() -> None:
    """Overheads are by level, by the model's default when none is asked, and nothing when sold per image."""
    models = catalog().models
    assert models[NANO_21].overhead(None) == models[NANO_21].overheads["medium"]
    assert models[NANO_21].overhead(ThinkingLevel.HIGH) == models[NANO_21].overheads["high"]
    assert models[PRO].overhead(None) == models[PRO].overheads["default"]
    assert models[FAST].overhead(None).allowance == 0


def test_oldest_check() -> None:
    """The catalog is as fresh as its least recently checked model."""
    shipped = catalog()
    stale = replace(shipped.models[LITE], checked=shipped.models[LITE].checked - timedelta(days=40))
    assert replace(shipped, models={**shipped.models, LITE: stale}).oldest_check() == stale.checked


def test_grades_are_ordered() -> None:
    """Text rendering is graded from fair to best."""
    assert sorted(Grade, key=lambda grade: grade.rank) == [
        Grade.FAIR,
        Grade.GOOD,
        Grade.EXCELLENT,
        Grade.BEST,
    ]
