"""demo: twelve pictures on six tiers, a sheet that shows them all, and a bill that adds up."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from cli.conftest import APRIL, DAY
from image_router.cli.app import outcome_of
from image_router.core.palette import LIGHT
from image_router.core.types import Tier


@pytest.fixture(scope="module", params=[APRIL, DAY])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One demo for each of two days."""
    folder: Path = tmp_path_factory.mktemp("demo")
    environ = {"IMAGE_ROUTER_HOME": str(folder / "home"), "IMAGE_ROUTER_AS_OF": request.param}
    with CliRunner().isolation(env=environ) as (out, _, _):
        assert outcome_of(["demo", str(folder / "demo")]) == 0
        assert b"to the nano-dollar" in out.getvalue()
    return folder / "demo"


class Page(HTMLParser):
    """What the sheet links to and shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.outside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self.links.append(str(given["href"]))
        if tag == "img":
            self.images.append(given)
        if tag in ("script", "link", "iframe"):
            self.outside.append(tag)


def test_every_tier_draws_and_a_character_is_kept(folder: Path) -> None:
    """The bill lists twelve pictures, all six tiers, one reference and five variants."""
    pictures = json.loads((folder / "bill.json").read_text())["pictures"]
    assert {picture["tier"] for picture in pictures} == set(Tier)
    assert [picture["purpose"] for picture in pictures][6:] == [
        "reference",
        *(f"variant {n}" for n in range(1, 6)),
    ]
    for picture in pictures:
        with Image.open(folder / picture["file"]) as image:
            image.load()


def test_the_bill_adds_up(folder: Path) -> None:
    """The lines of the CSV add up to its total, which is the provider's own."""
    with (folder / "bill.csv").open() as file:
        *lines, total = csv.DictReader(file)
    summed = sum(Decimal(line["amount_usd"]) for line in lines)
    bill = json.loads((folder / "bill.json").read_text())
    assert summed == Decimal(total["amount_usd"]) == Decimal(bill["provider_total_usd"])
    assert bill["equal"] is True
    assert all(
        Decimal(line["units"]) * Decimal(line["rate_usd"]) == Decimal(line["amount_usd"]) for line in lines
    )


def test_the_page_is_complete_in_itself(folder: Path) -> None:
    """The page holds all pictures, each with words in its place, and loads nothing from elsewhere."""
    page = Page((folder / "contact-sheet.html").read_text(encoding="utf-8"))
    assert len(page.images) == 12
    assert all(
        str(image["src"]).startswith("data:image/jpeg;base64,") and image["alt"] for image in page.images
    )
    assert all((folder / link).exists() for link in page.links)
    assert page.outside == []


def test_the_page_says_why_and_how_much(folder: Path) -> None:
    """Each picture stands with its tier, model, reason, quote and cost."""
    text = (folder / "contact-sheet.html").read_text(encoding="utf-8")
    for picture in json.loads((folder / "bill.json").read_text())["pictures"]:
        assert picture["model"] in text
        assert f"${picture['quoted_usd']}" in text
        assert f"${picture['cost']['total_usd']}" in text
    assert text.count('class="reason"') == 12


def test_the_png_is_the_same_sheet(folder: Path) -> None:
    """The PNG is 2400 pixels wide and holds the colours of all six tiers."""
    with Image.open(folder / "contact-sheet.png") as picture:
        assert picture.width == 2400
        seen = {colour for _, colour in picture.getcolors(picture.width * picture.height) or ()}
    assert {tuple(bytes.fromhex(colour[1:])) for colour in LIGHT.values()} <= seen
