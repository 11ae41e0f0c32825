"""cost and pricing: the figures of 2026-04-09 by hand, every format, and what a mix may be."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from cli.conftest import APRIL, Run


def test_the_month_of_april(run: Run) -> None:
    """65/12/10/6/5/2 is $0.04367 an image, $436.70 for 10,000; all on Pro is 3.07 times as much."""
    view = run("cost", "--as-of", APRIL, "--json").json
    assert (view["blend_usd"], view["blend_total_usd"], view["all_pro_costs_times"]) == (
        "0.04367",
        "436.7",
        "3.0685",
    )
    assert {row["tier"]: row["total_usd"] for row in view["tiers"]} == {
        "nano_banana_pro": "1340",
        "gemini_31_flash_image": "670",
        "nano_banana": "390",
        "imagen_4_ultra": "600",
        "imagen_4_standard": "400",
        "imagen_4_fast": "200",
    }


def test_batch_keeps_imagen_at_full_price(run: Run) -> None:
    """Halved where batch is sold: $256.35 for 10,000, with a note for each tier without batch."""
    view = run("cost", "--as-of", APRIL, "--lane", "batch", "--basis", "halved", "--json").json
    assert view["blend_total_usd"] == "256.35"
    assert [row["tier"] for row in view["tiers"] if "no batch lane" in row["note"]] == [
        "imagen_4_ultra",
        "imagen_4_standard",
        "imagen_4_fast",
    ]


def test_the_table_has_a_row_for_each_tier_and_the_mix(run: Run) -> None:
    """The table names each tier, the mix, the saving, and draws a sparkline."""
    out = run("cost", "--as-of", APRIL).out
    assert "$1,340.00" in out
    assert "$436.70" in out
    assert "3.07 times" in out
    assert "█▅▃▄▃▂▃" in out
    assert max(map(len, out.splitlines())) <= 100


def test_a_dominated_tier_is_named(run: Run) -> None:
    """On a day when a cheaper living model does all a tier's model does, the tier is named with it."""
    view = run("cost", "--as-of", "2026-10-08", "--json").json
    assert view["dominated"] == [] or all(
        one["by"] != one["model"] and one["better"] for one in view["dominated"]
    )
    named = run("cost", "--as-of", "2026-10-08").out.count("is dominated")
    assert named == len(view["dominated"])


def test_csv_adds_up(run: Run) -> None:
    """The CSV has one line for each tier and the mix; each total is images times price."""
    rows = list(csv.DictReader(io.StringIO(run("cost", "--as-of", APRIL, "--images", "250", "--csv").out)))
    assert [row["tier"] for row in rows][-1] == "mix"
    assert len(rows) == 7
    assert rows[0]["total_usd"] == "33.5"


@pytest.mark.parametrize(
    ("mix", "blend"),
    [
        ("default", "0.04367"),
        ("nano_banana=50,imagen_4_fast=50", "0.0295"),
        ("nano_banana=97.5,imagen_4_fast=2.5", "0.038525"),
        ("content_studio", "0.0396"),
    ],
)
def test_a_mix_by_name_or_by_shares(run: Run, mix: str, blend: str) -> None:
    """default, a profile's mix (80 x 0.039 + 18 x 0.04 + 2 x 0.06), or shares by tier."""
    assert run("cost", "--as-of", APRIL, "--mix", mix, "--json").json["blend_usd"] == blend


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--mix", "poet"], "name a profile (character_product"),
        (["--mix", "gold=5"], "tier 'gold' in the mix is not one of"),
        (["--mix", "nano_banana=-5"], "give a percentage above 0"),
        (["--mix", "nano_banana=60,imagen_4_fast=50"], "sum to 110 %"),
        (["--mix", "nano_banana=60.5,imagen_4_fast=39"], "sum to 99.5 %"),
        (["--mix", "nano_banana=50,nano_banana=50"], "stands twice"),
        (["--mix", "nano_banana=1e2"], "give a percentage above 0"),
        (["--images", "-1"], "-1"),
        (["--chart", "month.gif"], "neither .svg nor .png"),
        (["--json", "--csv"], "choose one"),
    ],
)
def test_bad_questions_are_answered_with_what_would_do(run: Run, flags: list[str], said: str) -> None:
    """A wrong mix, volume or format is a usage error that says what is possible."""
    ran = run("cost", "--as-of", APRIL, *flags)
    assert ran.status == 2
    assert said in ran.err + ran.out


def test_a_decimal_mix_is_shown_in_percent(run: Run) -> None:
    """Shares with decimals come back as they were given."""
    view = run("cost", "--as-of", APRIL, "--mix", "nano_banana=97.5,imagen_4_fast=2.5", "--json").json
    assert view["mix"] == {"nano_banana": 97.5, "imagen_4_fast": 2.5}


BLENDS = re.findall(
    r"^\| ([0-9-]{10}) \| (\w+) \| (\w+) \| \S+ \| \$(\S+) \|",
    (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def test_the_readme_has_blends() -> None:
    """Two days, each interactive, in batch, and in batch at half price."""
    assert len(BLENDS) == 6


@pytest.mark.parametrize(("day", "lane", "basis", "total"), BLENDS)
def test_the_blends_of_the_readme_are_what_cost_prints(
    run: Run, *, day: str, lane: str, basis: str, total: str
) -> None:
    """Each row of the README names the options that print its sum."""
    ran = run("cost", "--images", "10000", "--as-of", day, "--lane", lane, "--basis", basis)
    assert f"${total}" in ran.out


def test_charts_are_readable_pictures(run: Run, here: Path) -> None:
    """The SVG is well-formed and says its figures in words; the PNG opens and shows as many bars."""
    assert run("cost", "--as-of", APRIL, "--chart", "month.svg").status == 0
    assert run("cost", "--as-of", APRIL, "--chart", "month.png").status == 0
    svg = ElementTree.fromstring((here / "month.svg").read_text(encoding="utf-8"))
    names = {"svg": "http://www.w3.org/2000/svg"}
    assert "Nano Banana $390.00" in str(svg.findtext("svg:desc", namespaces=names))
    bars = svg.findall("svg:rect", names)[1:]
    assert [int(bar.get("width", 0)) for bar in bars] == [440, 220, 128, 197, 131, 66, 143]
    with Image.open(here / "month.png") as picture:
        assert picture.size == (1520, 832)
        colours = {picture.getpixel((362, 2 * (84 + 44 * place + 12))) for place in range(7)}
    assert len(colours) == 7


def test_a_chart_that_cannot_be_written_is_an_error(run: Run) -> None:
    """A chart into a missing folder leaves with the exit code of files."""
    assert run("cost", "--chart", "none/month.svg").status == 42


def test_the_price_sheet_carries_rates_dates_and_sources(run: Run) -> None:
    """pricing --json holds each rate per million tokens, list and charged price, with day and source."""
    sheet = run("pricing", "--as-of", APRIL, "--json").json
    assert (sheet["rate_card"], sheet["currency"]) == (APRIL, "USD")
    assert sheet["source"]
    pro = next(model for model in sheet["models"] if model["id"] == "gemini-3-pro-image-preview")
    lane = pro["lanes"]["interactive"]
    assert lane["usd_per_million_tokens"] == {"input": "2", "text_output": "12", "image_output": "120"}
    assert (lane["list_price_usd"]["1K"], lane["charged_usd"]["1K"]) == ("0.134", "0.1344")
    imagen = next(model for model in sheet["models"] if model["id"] == "imagen-4.0-fast-generate-001")
    assert list(imagen["lanes"]) == ["interactive"]


def test_the_price_table_fits_a_hundred_columns(run: Run) -> None:
    """The table of rates is no wider than 100 characters."""
    out = run("pricing").out
    assert max(map(len, out.splitlines())) <= 100
    assert "$120.00" in out


@pytest.mark.parametrize(
    ("mix", "tier"),
    [("economy", "nano_banana"), ("nano_banana_pro", "nano_banana_pro"), ("hero", "imagen_4_standard")],
)
def test_one_tier_or_purpose_is_a_mix(run: Run, mix: str, tier: str) -> None:
    """A tier's name, or a purpose for the tier that serves it, is a mix of that tier alone."""
    ran = run("cost", "--mix", mix, "--json")
    assert (ran.status, ran.json["mix"]) == (0, {tier: 100})
    (alone,) = (row for row in ran.json["tiers"] if row["tier"] == tier)
    assert ran.json["blend_total_usd"] == alone["total_usd"]


@pytest.mark.parametrize("count", ["10000", "10,000", "10_000", "10 000"])
def test_counts_may_have_marks_between_thousands(run: Run, count: str) -> None:
    """Ten thousand is ten thousand however it is written."""
    assert run("cost", "--images", count, "--json").json["images"] == 10_000


@pytest.mark.parametrize("count", ["1,00", "10,000_000", "-5", "many", "1e4", ""])
def test_a_count_that_is_none(run: Run, count: str) -> None:
    """What is no whole number is refused by its own words."""
    ran = run("cost", "--images", count)
    assert ran.status == 2
    assert f"{count!r} is no whole number from 0 to" in ran.err


def test_what_batch_saves_is_said(run: Run) -> None:
    """One line says what the batch lane would save on the mix: 436.70 less 256.65 of April, 41.2 %."""
    ran = run("cost", "--as-of", APRIL)
    assert "The batch lane would save $180.05 (41.2 %) on the mix." in ran.out
    assert "The batch lane saves $180.05" in run("cost", "--as-of", APRIL, "--lane", "batch").out
    assert run("cost", "--as-of", APRIL, "--json").json["batch_saves_usd"] == "180.05"


def test_a_chart_overwrites_nothing_unasked(run: Run, here: Path) -> None:
    """A chart that exists stays, with exit 42, until --overwrite is said."""
    (here / "month.svg").write_text("mine")
    ran = run("cost", "--chart", "month.svg")
    assert (ran.status, "month.svg exists; use --overwrite" in ran.err) == (42, True)
    assert (here / "month.svg").read_text() == "mine"
    ran = run("cost", "--chart", "month.svg", "--overwrite")
    assert (ran.status, "drew month.svg" in ran.err) == (0, True)
    assert (here / "month.svg").read_text().startswith("<svg")
