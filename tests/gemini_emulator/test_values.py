"""The pure parts: tokens, ids and signatures, field reading, geometry."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_emulator.errors import ApiError
from gemini_emulator.fields import read_bytes, read_message
from gemini_emulator.ids import Ids, is_signature, sign
from gemini_emulator.usage import Usage, pick, prompt_tokens
from gemini_emulator.world import Model, world

RECORDED_PROMPTS = [
    ("a siamese cat", 5),
    ("Generate a simple blue square icon.", 8),
    ("Tell me a two-sentence story about an axolotl with an illustration.", 17),
    ("Generate an illustrated two-sentence story about an axolotl.", 14),
    ("What is 2 + 2? Just the number.", 13),
    ("Name the largest planet in our solar system. One word.", 13),
    ("Count from 1 to 30, one number per line, digits only.", 18),
    ("生成一座夜晚的未来赛博朋克城市.", 11),
    (
        "Visualize the current weather forecast for the next 5 days in Mexico City as a clean, modern "
        "weather chart. Add a visual on what I should wear each day",
        33,
    ),
]


@pytest.mark.parametrize(("prompt", "tokens"), RECORDED_PROMPTS)
def test_recorded_prompts_count_as_recorded(prompt: str, tokens: int) -> None:
    """Every prompt whose promptTokenCount was recorded."""
    assert prompt_tokens([prompt]) == tokens


@given(st.lists(st.text(max_size=60), max_size=4))
def test_more_text_is_never_fewer_tokens(texts: list[str]) -> None:
    """Counting is additive over parts and begins at one."""
    total = prompt_tokens(texts)
    assert total >= 1
    assert total == 1 + sum(prompt_tokens([text]) - 1 for text in texts)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.text())
def test_a_pick_stays_in_its_span(low: int, width: int, what: str) -> None:
    """Both ends are possible, nothing beyond; the same question gives the same number."""
    chosen = pick((low, low + width), what)
    assert low <= chosen <= low + width
    assert chosen == pick((low, low + width), what)


@given(st.binary(min_size=1, max_size=200))
def test_base64_is_read_in_either_alphabet(data: bytes) -> None:
    """Standard or URL-safe, padded or not."""
    for text in (pybase64.b64encode(data).decode(), pybase64.urlsafe_b64encode(data).decode()):
        assert read_bytes(text, "x") == data
        assert read_bytes(text.rstrip("="), "x") == data


@given(st.binary(), st.integers(64, 3000))
def test_a_signature_knows_itself(content: bytes, size: int) -> None:
    """It has the size asked for and passes its check; cut or changed it does not."""
    raw = pybase64.b64decode(sign(content, size))
    assert len(raw) == size
    assert is_signature(raw)
    assert not is_signature(raw[:-1])
    assert not is_signature(raw[:-1] + bytes([raw[-1] ^ 1]))


def test_ids_have_the_recorded_forms() -> None:
    """23 characters of base64url, 12 for a file, 36 for a batch, none twice."""
    ids = Ids(seed=0)
    now = datetime(2026, 8, 19, 14, 34, 48, tzinfo=UTC)
    assert len(ids.response(now)) == 23
    assert (len(ids.file()), len(ids.batch())) == (12, 36)
    assert len({ids.response(now) for _ in range(100)}) == 100


def test_a_lone_element_is_a_list_of_one() -> None:
    """As proto JSON has it."""
    assert read_message({"contents": {"parts": {"text": "a"}}}, "GenerateContentRequest") == {
        "contents": [{"parts": [{"text": "a"}]}]
    }


def test_all_unknown_fields_are_named_at_once() -> None:
    """Two slips are two violations."""
    with pytest.raises(ApiError) as caught:
        read_message({"colour": 1, "generationConfig": {"size": 2}}, "GenerateContentRequest")
    violations = caught.value.details[0]["fieldViolations"]
    assert [violation.get("field") for violation in violations] == [None, "generation_config"]


def test_usage_adds_up() -> None:
    """total = prompt + candidates + thoughts; what is not picture is text."""
    usage = Usage(prompt_text=4, prompt_image=258, image_out=1120, candidates=1332, thoughts=137)
    assert usage.to_wire()["totalTokenCount"] == 4 + 258 + 1332 + 137
    assert usage.text_out == 1332 - 1120 + 137


GEMINI_3 = ["gemini-3-pro-image", "gemini-3.1-flash-image", "gemini-nano-banana-2.1"]
CELLS = [
    ("gemini-3-pro-image", "16:9", "4K", (5504, 3072)),
    ("gemini-3.1-flash-image", "21:9", "512", (792, 336)),
    ("gemini-3.1-flash-image", "9:16", "512", (384, 688)),
    ("gemini-3.1-flash-image", "1:8", "2K", (768, 6144)),
    ("gemini-nano-banana-2.1", "5:4", "2K", (2304, 1856)),
    ("imagen-4.0-ultra-generate-001", "9:16", "2K", (1536, 2816)),
]


def _model(model_id: str) -> Model:
    found = world().find(model_id)
    assert found is not None
    return found


@pytest.mark.parametrize(("model", "ratio", "size", "pixels"), CELLS)
def test_cells_of_the_documented_pixel_table(
    model: str, ratio: str, size: str, pixels: tuple[int, int]
) -> None:
    """Spot checks of the published tables, 512 to 4K."""
    assert _model(model).frame(ratio, size) == pixels


@pytest.mark.parametrize("model", GEMINI_3)
def test_every_ratio_is_its_own_nearest(model: str) -> None:
    """A picture of a supported shape keeps it."""
    found = _model(model)
    for ratio in found.ratios:
        assert found.nearest_ratio(*found.frame(ratio, "1K")) == ratio


LIVES = [
    ("gemini-3-pro-image-preview", date(2026, 6, 24), date(2026, 6, 25)),
    ("gemini-3.1-flash-image", date(2026, 10, 28), date(2026, 10, 29)),
    ("gemini-2.5-flash-image", date(2027, 3, 14), date(2027, 3, 15)),
    ("imagen-4.0-generate-001", date(2026, 8, 16), date(2026, 8, 17)),
]


@pytest.mark.parametrize(("model", "last", "gone"), LIVES)
def test_a_model_lives_until_its_shutdown(model: str, last: date, gone: date) -> None:
    """The day of shutdown is the first without it."""
    assert _model(model).lives(last)
    assert not _model(model).lives(gone)


def test_imagen_ends_earlier_in_the_enterprise_service() -> None:
    """2026-06-30 there, 2026-08-17 on the Gemini API."""
    day = date(2026, 7, 1)
    model = _model("imagen-4.0-generate-001")
    assert model.lives(day)
    assert not model.lives(day, vertex=True)
