"""explain: the tree for people, and JSON that keeps its published schema."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

from cli.conftest import APRIL, DAY, Run
from image_router.core.types import Purpose, Tier

SCHEMA: dict[str, Any] = json.loads(
    (files("image_router") / "data" / "schemas" / "explain.schema.json").read_text(encoding="utf-8")
)
REQUESTS = [
    *(["--purpose", str(purpose)] for purpose in Purpose),
    ["--text", "SALE", "--size", "4K", "-n", "3"],
    ["--aspect", "21:9", "--lane", "batch"],
    ["--tier", "nano_banana_pro", "--grounding", "web"],
    ["--purpose", "hero", "--pressure", "95"],
    ["--aspect", "1:8", "--allow", "nearest_ratio"],
]


@pytest.mark.parametrize("day", [APRIL, "2026-06-30", DAY])
@pytest.mark.parametrize("request_flags", REQUESTS, ids=" ".join)
def test_json_keeps_the_schema(run: Run, request_flags: list[str], day: str) -> None:
    """Whatever is asked, on whatever day, the JSON is valid by data/schemas/explain.schema.json."""
    ran = run("explain", "a fox", *request_flags, "--as-of", day, "--json")
    assert ran.status == 0, ran.out
    validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    assert [error.message for error in validator.iter_errors(ran.json)] == []
    assert ran.json["as_of"] == day


def test_the_schema_is_strict() -> None:
    """A missing or an unknown field breaks the schema."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert not validator.is_valid({})
    assert SCHEMA["additionalProperties"] is False
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("day", "models"),
    [
        (
            APRIL,
            {
                Tier.NANO_BANANA_PRO: "gemini-3-pro-image-preview",
                Tier.GEMINI_31_FLASH_IMAGE: "gemini-3.1-flash-image-preview",
                Tier.NANO_BANANA: "gemini-2.5-flash-image",
                Tier.IMAGEN_4_ULTRA: "imagen-4.0-ultra-generate-001",
                Tier.IMAGEN_4_STANDARD: "imagen-4.0-generate-001",
                Tier.IMAGEN_4_FAST: "imagen-4.0-fast-generate-001",
            },
        ),
        (
            DAY,
            {
                Tier.NANO_BANANA_PRO: "gemini-3-pro-image",
                Tier.GEMINI_31_FLASH_IMAGE: "gemini-nano-banana-2.1",
                Tier.NANO_BANANA: "gemini-3.1-flash-lite-image",
                Tier.IMAGEN_4_ULTRA: "gemini-3-pro-image",
                Tier.IMAGEN_4_STANDARD: "gemini-nano-banana-2.1",
                Tier.IMAGEN_4_FAST: "gemini-nano-banana-2.1",
            },
        ),
    ],
)
def test_each_tier_is_served_by_the_model_of_the_day(run: Run, day: str, models: dict[Tier, str]) -> None:
    """A pinned tier resolves to its model of that day."""
    for tier, model in models.items():
        head = run("explain", "a fox", "--tier", tier, "--as-of", day, "--json").json["candidates"][0]
        assert (head["tier"], head["model"]) == (tier, model)


def test_the_tree_says_everything(run: Run) -> None:
    """The tree names rule, candidates with lines, dropped tiers with reasons, endpoint, payload, SDK call."""
    ran = run("explain", "poster", "--text", "SALE", "--purpose", "final_hero", "--size", "4K")
    assert ran.status == 0
    for words in (
        "imagen_4_ultra · gemini-3-pro-image",
        "rule        print final",
        "image output",
        "2,000 tokens × $120.00/M",
        "at most",
        "dropped",
        "same_model:",
        "size: ",
        ":generateContent",
        '"imageSize": "4K"',
        "client.models.generate_content(",
    ):
        assert words in ran.out
    assert "\x1b[" not in ran.out


def test_a_reference_may_name_its_role(run: Run, here: Path) -> None:
    """ROLE=IMAGE counts against the limit of that role: the sixth character is one too many for 3 Pro."""
    for number in range(6):
        Image.new("RGB", (64, 64), (number * 40, 0, 0)).save(here / f"{number}.png")
    characters = [part for number in range(6) for part in ("--ref", f"character={number}.png")]
    five = run("explain", "a group", "--tier", "nano_banana_pro", *characters[:10], "--json")
    six = run("explain", "a group", "--tier", "nano_banana_pro", *characters, "--json")
    assert (five.status, six.status) == (0, 3)
    assert "takes 5 references of kind character, not 6" in six.json["error"]["message"]


def test_identity_can_be_locked(run: Run) -> None:
    """--lock-identity routes like character_lock, whatever the purpose."""
    view = run("explain", "a fox", "--purpose", "draft", "--lock-identity", "--json").json
    assert (view["rule"], view["candidates"][0]["tier"]) == ("locked identity", "nano_banana_pro")


def test_explain_spends_nothing(run: Run, emulator: Any) -> None:
    """No request reaches the provider."""
    before = len(emulator.requests())
    run("explain", "a fox")
    assert len(emulator.requests()) == before


def test_words_without_a_purpose_hint_at_the_one_for_final_copy(run: Run) -> None:
    """Not where the caller chose a purpose or a tier, and not without words to render."""
    words = ("explain", "a poster", "--text", "SALE")
    (said,) = run(*words, "--json").json["hints"]
    assert said.endswith("for final copy, where every letter counts, ask for final_hero")
    assert f"hint        {said} (--purpose)" in run(*words).out
    for flags in (("--purpose", "final_hero", "--size", "2K"), ("--tier", "nano_banana")):
        assert run(*words, *flags, "--json").json["hints"] == []
    assert run("explain", "a poster", "--json").json["hints"] == []


def test_a_final_picture_hints_at_sizes_for_print(run: Run) -> None:
    """At 1K a final picture is told of 2K and 4K; at 2K, or for a draft, nothing is said. Nothing breaks."""
    said = "1K is a size for screens: for print, gemini-3-pro-image also makes 2K and 4K"
    flags = ("a poster", "--purpose", "final_hero")
    assert run("explain", *flags, "--json").json["hints"] == [said]
    assert f"hint        {said} (--size)" in run("explain", *flags).out
    made = run("generate", *flags)
    assert (made.status, f"hint: {said} (--size)" in made.err) == (0, True)
    assert run("explain", *flags, "--size", "2K", "--json").json["hints"] == []
    assert run("explain", "a poster", "--purpose", "draft", "--json").json["hints"] == []
