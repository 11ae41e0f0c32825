"""The article's four names, against the emulator on the article's own day."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import image_router
from desk import png
from image_router import MODEL_REGISTRY, character_consistency_chain, route_image, route_tier
from image_router.core.article import route_tier as articles_own
from image_router.engine.media import inspect
from image_router.wiring import offline_emulator

ARTICLE = date(2026, 4, 9)
SEED = {
    "nano_banana_pro": "gemini-3-pro-image-preview",
    "gemini_31_flash_image": "gemini-3.1-flash-image-preview",
    "nano_banana": "gemini-2.5-flash-image",
    "imagen_4_ultra": "imagen-4.0-ultra-generate-001",
    "imagen_4_standard": "imagen-4.0-generate-001",
    "imagen_4_fast": "imagen-4.0-fast-generate-001",
}


@pytest.fixture(autouse=True)
def articles_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Offline, on the article's day, with a home of its own."""
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "IMAGE_ROUTER_PROFILE", "IMAGE_ROUTER_POLICY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IMAGE_ROUTER_OFFLINE", "1")
    monkeypatch.setenv("IMAGE_ROUTER_AS_OF", "2026-04-09")
    monkeypatch.setenv("IMAGE_ROUTER_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def faults() -> Iterator[Any]:
    """The emulator's faults, cleared afterwards."""
    emulator = offline_emulator(ARTICLE)
    yield emulator.faults
    emulator.faults.clear()


def last_models(count: int) -> list[str]:
    return [entry.model for entry in offline_emulator(ARTICLE).bill().entries[-count:]]


@pytest.mark.parametrize(
    ("prompt", "constraints"),
    [
        (None, None),
        (7, {}),
        (b"a fox", {}),
        ("a fox \udc80", {}),
        ("a fox", ["purpose"]),
        ("a fox", "economy"),
        ("a fox", {"purpose": ["hero"], "size": ["1K"]}),
        ("a fox", {"profile": ["default"]}),
        ("a fox", {"budget_consumed_pct": object()}),
        ("a fox", {"reference_images": 5}),
        ("a fox", {"language": 3}),
        ("a fox", {"scope": None, "n": "two"}),
    ],
)
def test_odd_arguments_answer_none(prompt: Any, constraints: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is passed, the article's function answers None and logs why; it never raises."""
    assert route_image(prompt, constraints) is None
    assert [record.levelname for record in caplog.records if record.name.endswith("classic")] == ["ERROR"]


@pytest.mark.parametrize(
    ("prompt", "variants"), [(None, ["a"]), ("Mira", None), ("Mira", "abc"), ("Mira", [None]), ("Mira", 3)]
)
def test_odd_chains_answer_nothing(prompt: Any, variants: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A chain of what are no prompts is an empty list, with the reason in the log."""
    assert character_consistency_chain(prompt, variants) == []
    assert caplog.records[-1].levelname == "ERROR"


def test_the_articles_chain() -> None:
    """The article's own call returns ten variants, from one economical reference and ten on Pro."""
    poses = [f"Mira in pose {i}" for i in range(1, 11)]
    images = character_consistency_chain("Mira, a courier with green hair", poses)
    assert len(images) == 10
    assert all(inspect(data).pixels.width >= 768 for data in images)
    assert len(set(images)) == 10
    assert sorted(last_models(11)) == [SEED["nano_banana"], *[SEED["nano_banana_pro"]] * 10]


def test_the_chains_cost_is_the_emulators_bill(tmp_path: Path) -> None:
    """What the router says a ten-pose chain cost is the emulator's bill to the nano-dollar."""
    from image_router.blocking import ImageRouter

    emulator = offline_emulator(ARTICLE)
    before = emulator.bill().total
    with ImageRouter() as router:
        result = router.chain("Mira", [f"pose {i}" for i in range(10)], folder=tmp_path / "mira")
    assert result.cost == emulator.bill().total - before
    assert result.cost <= result.quote.ceiling
    assert result.cost >= 38_700_000 + 10 * 134_400_000


@pytest.mark.parametrize(
    ("constraints", "model"),
    [
        (None, SEED["nano_banana"]),
        ({}, SEED["nano_banana"]),
        ({"purpose": "hero"}, SEED["imagen_4_standard"]),
        ({"purpose": "draft"}, SEED["imagen_4_fast"]),
        ({"purpose": "final_hero", "text_heavy": True}, SEED["imagen_4_ultra"]),
        ({"purpose": "poster"}, SEED["nano_banana"]),
        ({"purpose": "character_lock", "reference_images": [png()]}, SEED["nano_banana_pro"]),
        ({"purpose": "contextual_edit", "reference_images": png()}, SEED["gemini_31_flash_image"]),
        ({"purpose": "hero", "budget_consumed_pct": 95}, SEED["nano_banana"]),
        ({"purpose": "hero", "budget_consumed_pct": None}, SEED["imagen_4_standard"]),
        ({"purpose": "final_hero", "size": "2K"}, SEED["imagen_4_ultra"]),
    ],
)
def test_route_image(constraints: dict[str, Any] | None, model: str) -> None:
    """An image comes back as its bytes, made by the model that the engine's policy picks."""
    data = route_image("a fox", constraints)
    assert data is not None
    assert inspect(data).media_type in ("image/png", "image/jpeg")
    assert last_models(1) == [model]


def test_a_reference_by_path(tmp_path: Path) -> None:
    """A single reference may be a path, as text too."""
    path = tmp_path / "fox.png"
    path.write_bytes(png())
    assert route_image("the same fox", {"reference_images": str(path)})


def test_sdk_parts_are_references() -> None:
    """A google.genai Part is a reference, alone or in a list."""
    from google.genai import types

    part = types.Part.from_bytes(data=png(), mime_type="image/png")
    for given in (part, [part]):
        assert route_image("the same fox", {"reference_images": given})


def test_unknown_constraints_are_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """A constraint nobody knows is logged and ignored, as the article does."""
    assert route_image("a fox", {"user_id": 3, "mood": "calm"})
    assert "constraints that are not known are ignored: mood, user_id" in caplog.text


@pytest.mark.parametrize(
    ("prompt", "constraints", "words"),
    [
        ("", {}, "the prompt is empty"),
        ("a fox", {"size": "8K"}, "size '8K' is not one of"),
        ("a fox", {"budget_consumed_pct": "most"}, "budget_consumed_pct 'most' is no number of percent"),
        ("a fox", {"reference_images": ["nowhere.png"]}, "nowhere.png cannot be read"),
        ("a fox", {"purpose": "character_lock", "budget_consumed_pct": 99}, "the budget is 99 % used"),
    ],
)
def test_none_with_the_reason_logged(
    caplog: pytest.LogCaptureFixture, prompt: str, constraints: dict[str, Any], words: str
) -> None:
    """What raises in the router is None here, and the log says why."""
    caplog.set_level(logging.ERROR)
    assert route_image(prompt, constraints) is None
    assert words in caplog.text


def test_none_when_refused(caplog: pytest.LogCaptureFixture, faults: Any) -> None:
    """A refusal of the provider is None, with the provider's words in the log."""
    faults.add("image_safety", times=20)
    assert route_image("a fox") is None
    assert "the image was refused" in caplog.text


def test_none_without_a_key(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key and not offline there is no image, and the log names the two ways out."""
    monkeypatch.setenv("IMAGE_ROUTER_OFFLINE", "0")
    monkeypatch.delenv("IMAGE_ROUTER_AS_OF")
    assert route_image("a fox") is None
    assert "either set GEMINI_API_KEY" in caplog.text


def test_failed_variants_are_left_out(caplog: pytest.LogCaptureFixture, faults: Any) -> None:
    """Variants that fail are left out of the list, each with its reason in the log."""
    faults.add("key_invalid", model=SEED["nano_banana_pro"], times=1)
    images = character_consistency_chain("Mira", ["on a bike", "at the sea", "asleep"])
    assert len(images) == 2
    assert "of the chain failed" in caplog.text


def test_no_reference_no_chain(caplog: pytest.LogCaptureFixture, faults: Any) -> None:
    """When the reference fails there is nothing, and the log says why."""
    faults.add("key_invalid", times=1)
    assert character_consistency_chain("Mira", ["on a bike"]) == []
    assert "the reference was not made" in caplog.text
    assert character_consistency_chain("Mira", []) == []
    assert "at least one variant" in caplog.text


async def test_inside_a_running_loop() -> None:
    """All of it works inside a running event loop, as in a notebook."""
    assert route_image("a fox")
    assert len(character_consistency_chain("Mira", ["on a bike"])) == 1


def test_the_registry_on_the_articles_day() -> None:
    """The registry is the article's six ids on its day."""
    assert dict(MODEL_REGISTRY) == SEED
    assert MODEL_REGISTRY["imagen_4_fast"] == SEED["imagen_4_fast"]
    assert len(MODEL_REGISTRY) == 6
    assert repr(MODEL_REGISTRY) == f"ModelRegistry({SEED!r})"


def test_the_registry_follows_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another day is another registry, also in a process that asked before."""
    assert MODEL_REGISTRY["nano_banana"] == SEED["nano_banana"]
    monkeypatch.setenv("IMAGE_ROUTER_AS_OF", "2026-11-22")
    assert MODEL_REGISTRY["nano_banana"] == "gemini-3.1-flash-lite-image"
    assert not set(MODEL_REGISTRY.values()) & set(SEED.values())


def test_the_registry_is_read_only() -> None:
    """Nobody can change the registry, and a tier it does not know is a KeyError."""
    with pytest.raises(TypeError):
        MODEL_REGISTRY["nano_banana"] = "x"  # type: ignore[index]
    with pytest.raises(KeyError):
        MODEL_REGISTRY["dalle"]


def test_route_tier_is_the_articles() -> None:
    """The front door's route_tier is the article's own."""
    assert route_tier is image_router.route_tier is articles_own
