"""Blends and projections, by hand arithmetic in dollars."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.catalog import ModelState
from image_router.core.economics import (
    Basis,
    Market,
    blend,
    nearest_size,
    parse_mix,
    projection,
    tier_price,
    usd,
)
from image_router.core.errors import ConfigError, InvalidRequest
from image_router.core.rates import card_on
from image_router.core.toml_table import TomlFile
from image_router.core.types import Lane, Size, ThinkingLevel, Tier
from image_router.facts import load_cards, load_catalog, load_mix

CATALOG, CARDS, MIX = load_catalog(None), load_cards(None), load_mix(None)
APRIL, NOVEMBER = date(2026, 4, 9), date(2026, 11, 22)


def market(
    day: date = APRIL, lane: Lane = Lane.INTERACTIVE, basis: Basis = Basis.LIST, size: Size = Size.K1
) -> Market:
    return Market(catalog=CATALOG, card=card_on(day, CARDS), day=day, lane=lane, basis=basis, size=size)


def test_the_shipped_mix() -> None:
    """Of a hundred images 65, 12, 10, 6, 5 and 2 go to the six tiers."""
    assert MIX == {
        Tier.NANO_BANANA: 65,
        Tier.IMAGEN_4_FAST: 12,
        Tier.IMAGEN_4_STANDARD: 10,
        Tier.GEMINI_31_FLASH_IMAGE: 6,
        Tier.NANO_BANANA_PRO: 5,
        Tier.IMAGEN_4_ULTRA: 2,
    }


@pytest.mark.parametrize(
    ("day", "lane", "basis", "dollars"),
    [
        # .65×.039 + .12×.02 + .10×.04 + .06×.067 + .05×.134 + .02×.06
        (APRIL, Lane.INTERACTIVE, Basis.LIST, ".02535 .0024 .004 .00402 .0067 .0012"),
        (APRIL, Lane.INTERACTIVE, Basis.HALVED, ".02535 .0024 .004 .00402 .0067 .0012"),
        # .65×.0387 + .12×.02 + .10×.04 + .06×.0672 + .05×.1344 + .02×.06
        (APRIL, Lane.INTERACTIVE, Basis.CHARGED, ".025155 .0024 .004 .004032 .00672 .0012"),
        # Batch as published, 3.1 Flash .034, Imagen at full price
        (APRIL, Lane.BATCH, Basis.LIST, ".012675 .0024 .004 .00204 .00335 .0012"),
        # Half of the list, 3.1 Flash .0335, Imagen at full price
        (APRIL, Lane.BATCH, Basis.HALVED, ".012675 .0024 .004 .00201 .00335 .0012"),
        # .65×.01935, .06×.0336, .05×.0672
        (APRIL, Lane.BATCH, Basis.CHARGED, ".0125775 .0024 .004 .002016 .00336 .0012"),
        # Today: .65, .12, .10 and .06 × .0336, .05 and .02 × .134
        (NOVEMBER, Lane.INTERACTIVE, Basis.LIST, ".02184 .004032 .00336 .002016 .0067 .00268"),
        (NOVEMBER, Lane.BATCH, Basis.LIST, ".01092 .002016 .00168 .001008 .00335 .00134"),
        (NOVEMBER, Lane.INTERACTIVE, Basis.CHARGED, ".02184 .004032 .00336 .002016 .00672 .002688"),
    ],
)
def test_blends(day: date, lane: Lane, basis: Basis, dollars: str) -> None:
    """The average picture is the sum of share × price, exactly."""
    expected = sum(Fraction(part) for part in dollars.split()) * 10**9
    assert blend(MIX, market(day, lane, basis)) == expected


@pytest.mark.parametrize(
    ("day", "lane", "basis", "one", "ten_thousand"),
    [
        (APRIL, Lane.INTERACTIVE, Basis.LIST, "$0.043670", "$436.70"),
        (APRIL, Lane.INTERACTIVE, Basis.CHARGED, "$0.043507", "$435.07"),
        (APRIL, Lane.BATCH, Basis.LIST, "$0.025665", "$256.65"),
        (APRIL, Lane.BATCH, Basis.HALVED, "$0.025635", "$256.35"),
        (NOVEMBER, Lane.INTERACTIVE, Basis.LIST, "$0.040628", "$406.28"),
        (NOVEMBER, Lane.BATCH, Basis.LIST, "$0.020314", "$203.14"),
    ],
)
def test_ten_thousand_a_month(day: date, lane: Lane, basis: Basis, one: str, ten_thousand: str) -> None:
    """$436.70 for ten thousand on the first day; all in batch $256.35 on half of the list price, $256.65 on
    the published batch price, which rounds 3.1 Flash up from .0335 to .034."""
    plan = projection(10_000, MIX, market=market(day, lane, basis))
    assert usd(plan.blend, decimals=6) == one
    assert usd(plan.total(plan.blend), decimals=2) == ten_thousand


@pytest.mark.parametrize(
    ("day", "lane", "totals"),
    [
        (APRIL, Lane.INTERACTIVE, "1340 670 390 600 400 200"),
        (APRIL, Lane.BATCH, "670 340 195 600 400 200"),
        (NOVEMBER, Lane.INTERACTIVE, "1340 336 336 1340 336 336"),
        (NOVEMBER, Lane.BATCH, "670 168 168 670 168 168"),
    ],
)
def test_each_tier_alone(day: date, lane: Lane, totals: str) -> None:
    """Ten thousand pictures on one tier, in dollars; Imagen keeps its full price in batch."""
    plan = projection(10_000, MIX, market=market(day, lane))
    assert [plan.total(row.price) / 10**9 for row in plan.tiers] == [int(total) for total in totals.split()]
    assert [row.tier for row in plan.tiers] == list(Tier)


def test_saving_against_pro_alone() -> None:
    """All on Pro is 3.07 times as dear as the blend: .134 / .04367."""
    saving = projection(1, MIX, market=market()).saving
    assert saving == Fraction(13400, 4367)
    assert 306 < saving * 100 < 307


def test_rows_say_what_differs() -> None:
    """A tier without the size or the lane is priced at its nearest size or at full price, and says so."""
    rows = {row.tier: row for row in projection(1, MIX, market=market(lane=Lane.BATCH, size=Size.K4)).tiers}
    fast = rows[Tier.IMAGEN_4_FAST]
    assert (fast.size, fast.lane) == (Size.K1, Lane.INTERACTIVE)
    assert fast.note == "4K is not made: priced at 1K; no batch lane: full price"
    assert rows[Tier.IMAGEN_4_ULTRA].size is Size.K2
    assert rows[Tier.NANO_BANANA].note == "4K is not made: priced at 1K"
    pro = rows[Tier.NANO_BANANA_PRO]
    assert (pro.note, pro.price, pro.lane) == ("", 120_000_000, Lane.BATCH)


@pytest.mark.parametrize(
    ("model", "asked", "made"),
    [
        ("gemini-3-pro-image", Size.S512, Size.K1),
        ("gemini-3-pro-image", Size.K2, Size.K2),
        ("gemini-3.1-flash-image", Size.S512, Size.S512),
        ("imagen-4.0-generate-001", Size.K4, Size.K2),
        ("gemini-3.1-flash-lite-image", Size.K4, Size.K1),
    ],
)
def test_nearest_size(model: str, asked: Size, made: Size) -> None:
    """The nearest size is the one fewest steps away."""
    assert nearest_size(CATALOG.models[model], asked) is made


def test_a_tier_price_names_its_use() -> None:
    """The row says which model serves and how much it thinks."""
    row = tier_price(market(NOVEMBER), Tier.IMAGEN_4_STANDARD)
    assert row.model.id == "gemini-nano-banana-2.1"
    assert row.thinking is ThinkingLevel.HIGH
    assert row.price == 33_600_000


def test_a_tier_nobody_serves() -> None:
    """A tier without a living model cannot be projected, and the message says what to mend."""
    dead = load_catalog(None, {"gemini-3-pro-image": ModelState.RETIRED})
    with pytest.raises(ConfigError, match="no living model serves nano_banana_pro on 2026-11-22"):
        projection(1, MIX, market=replace(market(NOVEMBER), catalog=dead))


def test_negative_volumes() -> None:
    """Fewer than no pictures are refused."""
    with pytest.raises(InvalidRequest, match="-1 images cannot be projected"):
        projection(-1, MIX, market=market())


@given(st.dictionaries(st.sampled_from(Tier), st.integers(1, 10**6), min_size=1), st.integers(2, 1000))
def test_a_blend_lies_between_its_tiers(mix: dict[Tier, int], factor: int) -> None:
    """Only the proportions of a mix count, and no average leaves the range of its prices."""
    prices = [tier_price(market(), tier).price for tier in mix]
    average = blend(mix, market())
    assert min(prices) <= average <= max(prices)
    assert average == blend({tier: share * factor for tier, share in mix.items()}, market())


@pytest.mark.parametrize(
    ("amount", "decimals", "shown"),
    [
        (Fraction(5_000_000), 2, "$0.01"),
        (Fraction(49_999_999, 10), 2, "$0.00"),
        (Fraction(1_234_567_891_000_000), 2, "$1,234,567.89"),
        (Fraction(1, 2), 9, "$0.000000001"),
        (Fraction(1_500_000_000), 0, "$2"),
    ],
)
def test_shown_rounded_once(amount: Fraction, decimals: int, shown: str) -> None:
    """A fraction of a nano-dollar is rounded half up, straight to what is shown."""
    assert usd(amount, decimals=decimals) == shown


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ("", "mix: needs a share above 0"),
        ("nano_banana = 0", "mix: needs a share above 0"),
        ("nano_apple = 1", r"line 4: mix\.nano_apple: 'nano_apple' is not one of nano_banana_pro"),
        ("nano_banana = 6.5", r"mix\.nano_banana: must be a whole number"),
        ("nano_banana = 65\n[more]", "line 5: more: is not a known key"),
    ],
)
def test_a_broken_mix(mix: str, said: str) -> None:
    """A mix of unknown tiers, broken shares or nothing is refused with file, line, key and reason."""
    text = f'source = "a plan"\nchecked = 2026-11-22\n[mix]\n{mix}'
    with pytest.raises(ConfigError, match=rf"mine\.toml, .*{said}"):
        parse_mix(TomlFile("mine.toml", text))
