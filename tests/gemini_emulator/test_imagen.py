"""Imagen's :predict and its parameters."""

from __future__ import annotations

import io
from typing import Any

import pybase64
import pytest
from PIL import Image

FAST, STANDARD, ULTRA = (f"imagen-4.0-{name}generate-001" for name in ("fast-", "", "ultra-"))


def _pictures(answer: Any) -> list[tuple[str | None, tuple[int, int]]]:
    found = []
    for prediction in answer.json()["predictions"]:
        if "bytesBase64Encoded" in prediction:
            with Image.open(io.BytesIO(pybase64.b64decode(prediction["bytesBase64Encoded"]))) as opened:
                found.append((opened.format, opened.size))
    return found


def test_four_square_pictures_are_the_default(then: Any) -> None:
    """sampleCount is 4, the ratio 1:1, the size 1K, the type PNG."""
    answer = then.predict(STANDARD)
    assert _pictures(answer) == [("PNG", (1024, 1024))] * 4
    assert {entry["mimeType"] for entry in answer.json()["predictions"]} == {"image/png"}


@pytest.mark.parametrize(
    ("model", "parameters", "expected"),
    [
        (ULTRA, {"aspectRatio": "16:9", "sampleImageSize": "2K"}, ("PNG", (2816, 1536))),
        (STANDARD, {"aspectRatio": "3:4", "imageSize": "1K"}, ("PNG", (896, 1280))),
        (FAST, {"aspectRatio": "9:16", "outputOptions": {"mimeType": "image/jpeg"}}, ("JPEG", (768, 1408))),
    ],
)
def test_parameters_shape_the_picture(
    then: Any, model: str, parameters: dict[str, Any], expected: tuple[str, tuple[int, int]]
) -> None:
    """Ratio, size under both its names, and output type."""
    assert _pictures(then.predict(model, sampleCount=1, **parameters)) == [expected]


REFUSED = [
    ({"enhancePrompt": True}, "enhancePrompt is not adjustable."),
    ({"seed": 5}, "seed is not adjustable."),
    ({"negativePrompt": "rain"}, "negativePrompt is not adjustable."),
    ({"safetySetting": "block_none"}, "Only block_low_and_above is supported for safetySetting."),
    ({"language": "ja"}, "Setting language is not supported."),
    ({"sampleCount": 5}, "sampleCount 5 is out of range"),
    ({"aspectRatio": "2:3"}, "Aspect ratio 2:3 is not supported for this model"),
    ({"sampleImageSize": "2K"}, "Image size 2K is not supported for this model"),
    ({"personGeneration": "everyone"}, "Invalid personGeneration"),
    ({"outputOptions": {"mimeType": "image/webp"}}, "Unsupported output mime type"),
]


@pytest.mark.parametrize(("parameters", "words"), REFUSED)
def test_a_parameter_it_lacks_is_refused(then: Any, parameters: dict[str, Any], words: str) -> None:
    """400 with the provider's words, where they were recorded, and no charge."""
    answer = then.predict(FAST, **parameters)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(words)
    assert then.emulator.bill().entries == ()


def test_a_long_prompt_is_refused(then: Any) -> None:
    """Imagen reads 480 tokens."""
    body = {"instances": [{"prompt": "fox " * 480}]}
    answer = then.post(f"/v1beta/models/{STANDARD}:predict", body)
    assert "(481) exceeds the maximum number of tokens allowed (480)" in answer.json()["error"]["message"]


def test_pictures_of_one_call_differ(then: Any) -> None:
    """Four samples are four different pictures."""
    predictions = then.predict(STANDARD).json()["predictions"]
    assert len({entry["bytesBase64Encoded"] for entry in predictions}) == 4


def test_safety_attributes_come_as_an_extra_entry(then: Any) -> None:
    """includeSafetyAttributes adds the positive prompt's entry."""
    entries = then.predict(FAST, sampleCount=1, includeSafetyAttributes=True).json()["predictions"]
    assert entries[-1] == {
        "safetyAttributes": {"categories": [], "scores": []},
        "contentType": "Positive Prompt",
    }


@pytest.mark.parametrize(
    ("fault", "shown", "nano"),
    [("imagen_all_filtered", 0, 0), ("imagen_some_filtered;count=3", 1, 40_000_000), ("imagen_empty", 0, 0)],
)
def test_filtered_pictures_are_free(then: Any, fault: str, shown: int, nano: int) -> None:
    """Only the pictures returned are charged."""
    answer = then.predict(STANDARD, fault)
    held = [entry for entry in answer.json().get("predictions", []) if "raiFilteredReason" in entry]
    assert len(answer.json().get("predictions", [])) - len(held) == shown
    assert then.emulator.bill().total == nano
