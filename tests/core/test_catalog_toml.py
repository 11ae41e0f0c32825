"""Catalog files: what they may say, and how a broken one is refused."""

from datetime import date

import pytest

from image_router.core.catalog import Catalog, Confidence, ModelState, SizeTolerance
from image_router.core.catalog_toml import parse_catalog
from image_router.core.errors import ConfigError
from image_router.core.toml_table import TomlFile
from image_router.core.types import AspectRatio, Pixels, Size, ThinkingLevel, Tier

SHAPES = """
[pixels.square]
scale = { 512 = "1/2", 1K = "1", 2K = "2" }
[pixels.square.rows]
"1:1" = "1024x1024"
"""

MODEL = """
[models."painter-1"]
name = "Painter"
dialect = "generate_content"
family = "painter"
pixels = ["square"]
sizes = ["512", "1K"]
default_size = "1K"
sends_size = true
default_media_type = "image/png"
tokens_per_image = { 512 = 500, 1K = 1000 }
references = { total = 4, object = 2, tokens = 100, tokens_ceiling = 200 }
prompt_tokens = 1000
output_tokens = 20000
thinking = ["minimal", "high"]
default_thinking = "minimal"
overheads.minimal = { expected = 10, allowance = 30 }
overheads.high = { expected = 40, allowance = 90 }
grounding = ["web"]
search_ceiling = 3
batch = true
system_instruction = true
seed = true
safety_settings = true
conversation = true
text_rendering = "good"
context = "Painter"
watermark = "none"
source = "a page"
checked = 2026-10-01
life = { released = 2026-01-01 }
"""

LINEAGE = """
[[lineages.nano_banana]]
model = "painter-1"
from = 2026-01-01
[[lineages.nano_banana]]
model = "painter-1"
from = 2026-02-01
until = 2026-03-01
"""

WHOLE = SHAPES + MODEL + LINEAGE

SECOND = """
[models."painter-2"]
like = "painter-1"
name = "Second"
life.released = 2026-06-01
"""


def parse(*texts: str, **overrides: ModelState) -> Catalog:
    return parse_catalog([TomlFile(f"file{i}.toml", text) for i, text in enumerate(texts)], overrides)


def test_a_whole_catalog() -> None:
    """Shapes, model and lineage are read from one file, with exact multiples for the other sizes."""
    catalog = parse(WHOLE, painter=ModelState.ALIVE)
    model = catalog.models["painter-1"]
    assert model.pixels == {AspectRatio.R1_1: {Size.S512: Pixels(512, 512), Size.K1: Pixels(1024, 1024)}}
    assert model.overhead(ThinkingLevel.HIGH).allowance == 90
    assert model.life.confidence is Confidence.CONFIRMED
    assert model.languages is None
    assert model.tolerance == SizeTolerance(ratio_percent=5, area_percent=15)
    assert [entry.since for entry in catalog.lineages[Tier.NANO_BANANA]] == [
        date(2026, 1, 1),
        date(2026, 2, 1),
    ]
    assert catalog.overrides == {"painter": ModelState.ALIVE}


def test_later_files_correct_earlier_ones() -> None:
    """A later file replaces a model, a lineage or a table of shapes, and leaves the others."""
    corrected = MODEL.replace("prompt_tokens = 1000", "prompt_tokens = 2000")
    shapes = SHAPES.replace("1024x1024", "1000x1000")
    catalog = parse(
        WHOLE, corrected, shapes, '[[lineages.nano_banana_pro]]\nmodel = "painter-1"\nfrom = 2026-05-01'
    )
    assert catalog.models["painter-1"].prompt_tokens == 2000
    assert catalog.models["painter-1"].pixels_for(AspectRatio.R1_1, Size.S512) == Pixels(500, 500)
    assert set(catalog.lineages) == {Tier.NANO_BANANA, Tier.NANO_BANANA_PRO}


def test_like_another_model() -> None:
    """A model written like another has its facts, but its own name, life, aliases and notes."""
    first = MODEL.replace("watermark", 'aliases = ["p1"]\nnotes = ["old"]\nwatermark')
    second = (
        '[models."painter-2"]\nlike = "painter-1"\nname = "Second"\nseed = false\nlife.released = 2026-06-01'
    )
    models = parse(SHAPES + first, second).models
    assert models["painter-2"].prompt_tokens == 1000
    assert models["painter-2"].seed is False
    assert models["painter-1"].seed is True
    assert (models["painter-2"].aliases, models["painter-2"].notes) == ((), ())
    assert models["painter-2"].life.released == date(2026, 6, 1)


def test_source_and_day_may_stand_for_a_whole_file() -> None:
    """Models without a source or day of their own take those at the top of their file."""
    bare = MODEL.replace('source = "a page"', "").replace("checked = 2026-10-01", "")
    top = 'source = "the page"\nchecked = 2026-09-09\n'
    model = parse(top + SHAPES + bare).models["painter-1"]
    assert (model.source, model.checked) == ("the page", date(2026, 9, 9))


def test_a_row_may_spell_its_sizes_out() -> None:
    """Where a size is no exact multiple, the row names each size."""
    odd = SHAPES.replace('"1024x1024"', '{ 512 = "511x513", 1K = "1024x1024" }')
    assert parse(odd + MODEL).models["painter-1"].pixels_for(AspectRatio.R1_1, Size.S512) == Pixels(511, 513)


def test_a_models_own_tolerance() -> None:
    """A model may have its own tolerance of sizes."""
    loose = MODEL.replace("life =", "tolerance = { area_percent = 30 }\nlife =")
    assert parse(SHAPES + loose).models["painter-1"].tolerance == SizeTolerance(area_percent=30)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("batch = true", "batch = 1", "line 26: models.painter-1.batch: must be true or false, not 1"),
        ("batch = true", "", "line 7: models.painter-1.batch: is missing"),
        ("batch = true", "batch = true\nbacth = true", "line 27: models.painter-1.bacth: is not a known"),
        ('"generate_content"', '"generate"', "dialect: 'generate' is not one of generate_content, predict"),
        ('sizes = ["512", "1K"]', 'sizes = ["512", "1k"]', "sizes: '1k' is not one of 512, 1K, 2K, 4K"),
        ('sizes = ["512", "1K"]', 'sizes = "1K"', "sizes: must be a list"),
        ('sizes = ["512", "1K"]', 'sizes = ["512", "1K", "4K"]', "pixels: 'square' has no 4K for 1:1"),
        ('pixels = ["square"]', 'pixels = ["round"]', "'round' is not a table of shapes; there are square"),
        ('default_size = "1K"', 'default_size = "2K"', "default_size: must be one of the model's sizes"),
        ("1K = 1000 }", "2K = 1000 }", "tokens_per_image: must name exactly"),
        ("512 = 500", "512 = -500", "tokens_per_image: must be a whole number"),
        ("512 = 500", "512 = 500.0", "tokens_per_image: must be a whole number"),
        ('default_thinking = "minimal"', "", "default_thinking: must be one of the model's thinking levels"),
        ('default_thinking = "minimal"', 'default_thinking = "medium"', "default_thinking: must be one of"),
        ("overheads.high", "overheads.medium", "overheads: must name exactly the thinking levels"),
        ("allowance = 30", "allowance = 9", "overheads.minimal.allowance: 9 is below expected, 10"),
        ("allowance = 30", "allowance = 30, most = 1", "overheads.minimal.most: is not a known key"),
        ("tokens_ceiling = 200", "tokens_ceiling = 99", "references.tokens_ceiling: 99 is below tokens, 100"),
        ("object = 2", "objects = 2", "references.objects: is not a known key"),
        ("search_ceiling = 3", "", "search_ceiling: must be given, above 0"),
        ("prompt_tokens = 1000", 'prompt_tokens = "1000"', "prompt_tokens: must be a whole number"),
        ("checked = 2026-10-01", 'checked = "2026-10-01"', "checked: must be a day without quotes"),
        ("checked = 2026-10-01", "checked = 2026-10-01T00:00:00", "checked: must be a day without quotes"),
        ('source = "a page"', 'source = " "', "source: must be text in quotes"),
        ("released = 2026-01-01", 'released = 2026-01-01, replacement = "p-9"', "'p-9' is not a model"),
        ("life = {", "life = 3 #", "life: must be a table, not 3"),
        ("watermark", 'aliases = ["painter-1"]\nwatermark', "aliases: 'painter-1' is already a model id"),
        ('"1024x1024"', '"1024*1024"', r'pixels.square.rows."1:1": must be a shape'),
        ('"1024x1024"', '"1023x1024"', "1023x1024 times 1/2 is no whole pixel at 512"),
        ('"1/2"', '"1/0"', "pixels.square.scale: must be a multiple"),
        ('"1:1" =', '"1:9" =', r'pixels.square.rows."1:9": \'1:9\' is not one of'),
        ("lineages.nano_banana]]", "lineages.nano_apple]]", "lineages.nano_apple: 'nano_apple' is not"),
        ("until = 2026-03-01", "till = 2026-03-01", "line 44: lineages.nano_banana.entry 2.till: is"),
        ("until = 2026-03-01", 'thinking = "medium"', "entry 2.thinking: painter-1 has no level medium"),
        ("[[lineages.nano_banana]]", "[[lineages.nano_banana]]\n[other]\n[[x]]", "other: is not a known key"),
        ('[models."painter-1"]', '[models."painter-1"', r"file0\.toml is not TOML: .*line 7"),
    ],
)  # fmt: skip
def test_a_broken_file(old: str, new: str, said: str) -> None:
    """A mistake is refused with the file, the line, the table, the key and the reason."""
    text = WHOLE.replace(old, new, 1) if "until" not in old else WHOLE.replace(old, new)
    assert text != WHOLE
    with pytest.raises(ConfigError, match=said) as refused:
        parse(text)
    assert "file0.toml" in str(refused.value)


def test_a_lineage_of_an_unknown_model() -> None:
    """A lineage may only name models of the catalog."""
    with pytest.raises(ConfigError, match=r"file1\.toml, line 2: .*'painter-7' is not a model"):
        parse(WHOLE, '[[lineages.nano_banana]]\nmodel = "painter-7"\nfrom = 2026-01-01')


@pytest.mark.parametrize("base", ["painter-9", "painter-2"])
def test_like_nobody(base: str) -> None:
    """A model can only be like one that is written out in full."""
    second = SECOND.replace("painter-1", base)
    with pytest.raises(ConfigError, match=f"like: '{base}' is not a model written out in full"):
        parse(WHOLE, second)


def test_two_models_with_one_alias() -> None:
    """An alias names one model."""
    first = WHOLE.replace("watermark", 'aliases = ["brush"]\nwatermark')
    second = SECOND + 'aliases = ["brush"]'
    with pytest.raises(ConfigError, match="'brush' is already an alias of painter-1"):
        parse(first, second)
