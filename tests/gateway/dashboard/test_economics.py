"""Economics: the same figures as `image-router cost`, and the article's claims beside the truth."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise

import pytest
from click.testing import CliRunner

from gateway.dashboard.people import Person
from image_router.cli.app import cli
from image_router.core.money import USD, show_usd
from image_router.gateway.dashboard.economics import VOLUMES

DAY = "2026-11-22"


def _cost(home, *arguments: str) -> str:
    return CliRunner().invoke(cli, ["cost", *arguments, "--home", str(home)]).stdout


def _shown(text: str) -> str:
    return show_usd(int(Decimal(text) * USD), decimals=2)


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("", ("--as-of", DAY)),
        ("world=april", ("--as-of", "2026-04-09")),
        (
            "world=april&images=1000000&lane=batch",
            ("--as-of", "2026-04-09", "--images", "1000000", "--lane", "batch"),
        ),
        ("profile=print_desk&size=2K", ("--as-of", DAY, "--mix", "print_desk", "--size", "2K")),
        ("basis=charged&images=250", ("--as-of", DAY, "--basis", "charged", "--images", "250")),
    ],
)
async def test_page_and_command_line_say_the_same(site, ann: Person, query: str, arguments) -> None:
    """Totals by tier, of the mix and of batch, and the CSV byte for byte."""
    known = json.loads(_cost(site.home, *arguments, "--json"))
    page = await ann.get(f"/dashboard/economics?{query}")
    for row in known["tiers"]:
        assert _shown(row["total_usd"]) in page.words
        assert row["model"] in page.words
    assert f"{_shown(known['blend_total_usd'])} a month" in page.words
    assert _shown(known["batch_saves_usd"]) in page.words
    assert f"{float(known['all_pro_costs_times']):.2f} times as dear" in page.words
    csv = await ann.get(f"/dashboard/economics.csv?{query}")
    assert csv.html == _cost(site.home, *arguments, "--csv")
    assert "attachment" in csv.headers["content-disposition"]


async def test_the_claims_stand_beside_the_truth(ann: Person) -> None:
    """The article's blend, month, factor, batch and chain, and what its own prices come to."""
    page = await ann.get("/dashboard/economics")
    for said, true in (
        ("$0.041", "$0.04367"),
        ("$410", "$436.70"),
        ("6 times", "3.07 times"),
        ("half of it", "$256.35"),
        ("$1.379", "$1.390"),
    ):
        assert f"{said}" in page.words
        assert true in page.words


async def test_what_the_pictures_say_is_in_the_table_too(ann: Person) -> None:
    """Each chart has a title and a description, and each of its numbers stands in a table."""
    page = await ann.get("/dashboard/economics")
    assert page.html.count('role="img"') == 2
    for name in ("volume-bars", "mix-strip"):
        assert f'<title id="{name}-title">' in page.html
        assert f'<desc id="{name}-desc">' in page.html
    table = page.html[page.html.index("Prices by tier") :]
    assert "$1,340.00" in table


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("nano_banana=50", "the shares of the mix sum to 50 %; they must sum to 100"),
        ("images=99", "images 99 is no whole number from 100 to 10000000"),
        ("images=10000001", "images 10000001 is no whole number"),
        ("lane=slow", "lane 'slow' is not one of"),
        ("world=day&day=2020-01-01", "2020-01-01"),
    ],
)
async def test_what_cannot_be_computed_is_told(ann: Person, query: str, words: str) -> None:
    """A mix that is no whole, a volume out of bounds, a day before the first price."""
    page = await ann.get(f"/dashboard/economics?{query}")
    assert page.status == 400
    assert words in page.words


async def test_a_mix_of_ones_own_is_taken(site, ann: Person) -> None:
    """Shares from the query count, and the page says the command for the same."""
    page = await ann.get("/dashboard/economics?nano_banana=80&imagen_4_ultra=20")
    assert "--mix nano_banana=80,imagen_4_ultra=20" in page.words.replace(
        "imagen_4_ultra=20,nano_banana=80", ""
    )
    known = json.loads(
        _cost(site.home, "--mix", "nano_banana=80,imagen_4_ultra=20", "--as-of", DAY, "--json")
    )
    assert _shown(known["blend_total_usd"]) in page.words


def test_the_slider_is_logarithmic() -> None:
    """Ten stops in each power of ten, from a hundred to ten million, each larger by about a quarter."""
    assert (VOLUMES[0], VOLUMES[20], VOLUMES[-1], len(VOLUMES)) == (100, 10_000, 10_000_000, 51)
    assert all(12 * low <= 10 * high <= 13 * low for low, high in pairwise(VOLUMES))
