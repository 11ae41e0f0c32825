"""The shipped catalog against the published tables, and against recorded calls."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from image_router.core.types import AspectRatio, Dialect, Grounding, PersonGeneration, ReferenceRole, Size
from image_router.facts import load_catalog
from recordings import ROOT, exchanges, names, needs_recordings

MODELS = load_catalog(None).models
CORE = {"1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"}
EXTREME = {"1:4", "1:8", "4:1", "8:1"}

FIVE = {"1:1", "3:4", "4:3", "9:16", "16:9"}

# id: sizes, ratios, tokens, references, prompt limit, text rendering, batch
MATRIX = {
    "gemini-3-pro-image-preview": ("1K 2K 4K", CORE, [1120, 1120, 2000], 14, 131072, "excellent", True),
    "gemini-3-pro-image": ("1K 2K 4K", CORE, [1120, 1120, 2000], 14, 131072, "excellent", True),
    "gemini-3.1-flash-image-preview": (
        "512 1K 2K 4K", CORE | EXTREME, [747, 1120, 1680, 2520], 14, 65536, "good", True),
    "gemini-3.1-flash-image": (
        "512 1K 2K 4K", CORE | EXTREME, [747, 1120, 1680, 2520], 14, 65536, "good", True),
    "gemini-nano-banana-2.1": ("1K 2K 4K", CORE | EXTREME, [1120, 1680, 3780], 14, 65536, "excellent", True),
    "gemini-3.1-flash-lite-image": ("1K", CORE | EXTREME, [1120], 14, 65536, "good", True),
    "gemini-2.5-flash-image": ("1K", CORE, [1290], 3, 32768, "fair", True),
    "imagen-4.0-ultra-generate-001": ("1K 2K", FIVE, [], 0, 480, "best", False),
    "imagen-4.0-generate-001": ("1K 2K", FIVE, [], 0, 480, "excellent", False),
    "imagen-4.0-fast-generate-001": ("1K", FIVE, [], 0, 480, "good", False),
}  # fmt: skip


def test_the_catalog_is_complete() -> None:
    """The first six models, their successors and everything alive are there, and nothing else."""
    assert set(MODELS) == set(MATRIX)


@pytest.mark.parametrize("name", MATRIX)
def test_capabilities(name: str) -> None:
    """Sizes, ratios, tokens, references, prompt limit, text grade and batch are as published."""
    model = MODELS[name]
    assert (
        " ".join(model.sizes),
        set(model.pixels),
        list(model.tokens_per_image.values()),
        model.references.total,
        model.prompt_tokens,
        model.text_rendering,
        model.batch,
    ) == MATRIX[name]
    assert list(model.tokens_per_image) in ([], list(model.sizes))


@pytest.mark.parametrize("name", [name for name in MATRIX if name.startswith("imagen")])
def test_imagen_is_another_kind(name: str) -> None:
    """Imagen answers predict, speaks English, controls people, and can none of what Gemini can."""
    model = MODELS[name]
    assert model.dialect is Dialect.PREDICT
    assert model.languages == ("en",)
    assert model.person_generation == tuple(PersonGeneration)
    assert not any((model.seed, model.conversation, model.system_instruction, model.batch))
    assert not any((model.grounding, model.thinking, model.overheads, model.safety_settings))
    assert model.claimed_size is Size.K4
    assert model.life.shutdown == date(2026, 8, 17)


LANGUAGES = (
    "en", "ar-EG", "de-DE", "es-MX", "fr-FR", "hi-IN", "id-ID", "it-IT", "ja-JP", "ko-KR", "pt-BR", "ru-RU",
    "uk-UA", "vi-VN", "zh-CN",
)  # fmt: skip
"""https://ai.google.dev/gemini-api/docs/image-generation, Limitations, read 2026-10-08."""


@pytest.mark.parametrize("name", [name for name in MATRIX if not name.startswith("imagen")])
def test_gemini_models(name: str) -> None:
    """Gemini models converse, take a seed and batch; only 2.5 refuses a system instruction and a size."""
    model = MODELS[name]
    assert model.dialect is Dialect.GENERATE_CONTENT
    assert model.seed
    assert model.conversation
    assert model.safety_settings
    assert model.languages == LANGUAGES
    assert model.person_generation == ()
    assert model.system_instruction is model.sends_size is (name != "gemini-2.5-flash-image")
    assert model.output_tokens >= max(model.tokens_per_image.values()) + 8192


def test_reference_kinds() -> None:
    """Each kind of reference has its own limit where one is published."""
    kinds = {name: dict(model.references.by_role) for name, model in MODELS.items()}
    objects, characters, style = ReferenceRole.OBJECT, ReferenceRole.CHARACTER, ReferenceRole.STYLE
    assert kinds["gemini-3-pro-image"] == {objects: 6, characters: 5, style: 3}
    assert kinds["gemini-3.1-flash-image"] == {objects: 10, characters: 4}
    assert kinds["gemini-nano-banana-2.1"] == {objects: 10, characters: 4}
    assert kinds["gemini-3.1-flash-lite-image"] == {objects: 14}
    assert kinds["gemini-2.5-flash-image"] == {}


def test_grounding() -> None:
    """Pro searches the web, 3.1 Flash and 2.1 images too, the others nothing."""
    both = (Grounding.WEB, Grounding.IMAGE)
    found = {name: model.grounding for name, model in MODELS.items() if model.grounding}
    assert found == {
        "gemini-3-pro-image": (Grounding.WEB,),
        "gemini-3-pro-image-preview": (Grounding.WEB,),
        "gemini-3.1-flash-image": both,
        "gemini-3.1-flash-image-preview": both,
        "gemini-nano-banana-2.1": both,
    }


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("gemini-3.1-flash-image", "1:1 512x512 1024x1024 2048x2048 4096x4096"),
        ("gemini-3.1-flash-image", "1:4 256x1024 512x2048 1024x4096 2048x8192"),
        ("gemini-3.1-flash-image", "1:8 192x1536 384x3072 768x6144 1536x12288"),
        ("gemini-3.1-flash-image", "2:3 424x632 848x1264 1696x2528 3392x5056"),
        ("gemini-3.1-flash-image", "3:2 632x424 1264x848 2528x1696 5056x3392"),
        ("gemini-3.1-flash-image", "3:4 448x600 896x1200 1792x2400 3584x4800"),
        ("gemini-3.1-flash-image", "4:3 600x448 1200x896 2400x1792 4800x3584"),
        ("gemini-3.1-flash-image", "4:5 464x576 928x1152 1856x2304 3712x4608"),
        ("gemini-3.1-flash-image", "5:4 576x464 1152x928 2304x1856 4608x3712"),
        ("gemini-3.1-flash-image", "9:16 384x688 768x1376 1536x2752 3072x5504"),
        ("gemini-3.1-flash-image", "16:9 688x384 1376x768 2752x1536 5504x3072"),
        ("gemini-3.1-flash-image", "21:9 792x336 1584x672 3168x1344 6336x2688"),
        ("gemini-3.1-flash-image", "4:1 1024x256 2048x512 4096x1024 8192x2048"),
        ("gemini-3.1-flash-image", "8:1 1536x192 3072x384 6144x768 12288x1536"),
        ("gemini-3-pro-image", "4:3 1200x896 2400x1792 4800x3584"),
        ("gemini-nano-banana-2.1", "16:9 1376x768 2752x1536 5504x3072"),
        ("gemini-3.1-flash-lite-image", "8:1 3072x384"),
        ("gemini-2.5-flash-image", "2:3 832x1248"),
        ("gemini-2.5-flash-image", "3:2 1248x832"),
        ("gemini-2.5-flash-image", "3:4 864x1184"),
        ("gemini-2.5-flash-image", "4:3 1184x864"),
        ("gemini-2.5-flash-image", "4:5 896x1152"),
        ("gemini-2.5-flash-image", "5:4 1152x896"),
        ("gemini-2.5-flash-image", "9:16 768x1344"),
        ("gemini-2.5-flash-image", "16:9 1344x768"),
        ("gemini-2.5-flash-image", "21:9 1536x672"),
        ("imagen-4.0-generate-001", "1:1 1024x1024 2048x2048"),
        ("imagen-4.0-generate-001", "3:4 896x1280 1792x2560"),
        ("imagen-4.0-generate-001", "4:3 1280x896 2560x1792"),
        ("imagen-4.0-generate-001", "9:16 768x1408 1536x2816"),
        ("imagen-4.0-generate-001", "16:9 1408x768 2816x1536"),
        ("imagen-4.0-fast-generate-001", "16:9 1408x768"),
    ],
)
def test_pixel_tables(name: str, shapes: str) -> None:
    """Every documented output shape, in the order of the model's sizes."""
    ratio, *expected = shapes.split()
    model = MODELS[name]
    assert [str(model.pixels_for(AspectRatio(ratio), size)) for size in model.sizes] == expected


@pytest.mark.parametrize("name", MATRIX)
def test_every_fact_has_a_source(name: str) -> None:
    """Each model says where its facts come from and when they were checked."""
    model = MODELS[name]
    assert len(model.source) > 20
    assert date(2026, 4, 9) <= model.checked <= date(2026, 11, 22)
    assert model.watermark == "SynthID"
    assert model.context


def _usages(body: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(model, usageMetadata) of a reply, of each event of a stream, of an issue's quoted reply."""
    for reply in body if isinstance(body, list) else [body]:
        if isinstance(reply, dict) and "usageMetadata" in reply:
            yield str(reply.get("modelVersion")), reply["usageMetadata"]


def _recorded() -> Iterator[tuple[str, str, int]]:
    """(file, model, output tokens beyond the image's) of every recorded picture of a model we know."""
    for file in names():
        for exchange in exchanges(file):
            for model, usage in _usages(exchange.body):
                details = usage.get("candidatesTokensDetails", [])
                image = sum(part["tokenCount"] for part in details if part["modality"] == "IMAGE")
                if image and model in MODELS:
                    words = usage["candidatesTokenCount"] - image + usage.get("thoughtsTokenCount", 0)
                    yield file, model, words


@needs_recordings
def test_allowances_cover_what_was_recorded() -> None:
    """Each allowance is at least twice the largest overhead recorded for the model."""
    recorded = list(_recorded())
    assert len({model for _, model, _ in recorded}) >= 4
    for file, model, words in recorded:
        assert MODELS[model].overhead(None).allowance >= 2 * words, file


@needs_recordings
def test_token_counts_are_those_recorded() -> None:
    """Every recorded picture took exactly the image tokens the catalog says for one of the model's sizes."""
    truth = json.loads((ROOT / "GROUND_TRUTH.json").read_text())["observations"]
    known = [row for row in truth if row["model"] in MODELS and row.get("image_tokens")]
    assert len(known) >= 8
    for row in known:
        model = MODELS[row["model"]]
        size = Size.S512 if "512" in row["requested"] else model.default_size
        assert model.tokens_per_image[size] == row["image_tokens"], row["src"]


@needs_recordings
def test_default_shapes_are_those_recorded() -> None:
    """Where no ratio was asked, the recorded picture had the catalog's default shape and format."""
    truth = json.loads((ROOT / "GROUND_TRUTH.json").read_text())["observations"]
    plain = [row for row in truth if row["model"] in MODELS and row["requested"].startswith("none")]
    measured = [row for row in plain if row["size"]]
    assert len(measured) >= 5
    for row in measured:
        model = MODELS[row["model"]]
        assert str(model.default_pixels) == "x".join(map(str, row["size"])), row["src"]
        assert model.default_media_type == f"image/{row['format'].split()[0].lower()}", row["src"]
