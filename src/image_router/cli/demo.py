"""`demo`: every tier once, a chain of one reference and five variants, and a contact sheet that adds up."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from image_router.aio import ImageRouter
from image_router.cli.failures import FINDINGS, OK
from image_router.cli.options import day_options, settings_from
from image_router.cli.sheet import Card, Sheet
from image_router.cli.sheet_html import page
from image_router.cli.sheet_png import poster
from image_router.cli.shelf import EXTENSIONS
from image_router.config import Settings
from image_router.core.decision import Decision
from image_router.core.errors import AssetError
from image_router.core.events import Decided, Event, ImageMade
from image_router.core.money import show_usd, usd_text
from image_router.core.results import GeneratedImage
from image_router.engine.media import save
from image_router.engine.views import cost_view
from image_router.wiring import offline_emulator, today


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One picture that shows what a purpose is for."""

    name: str
    prompt: str
    purpose: str
    text: str | None = None
    size: str = "1K"


JOBS = (
    Job(
        name="economy", purpose="economy", prompt="a terracotta mug of coffee on a wooden table, soft morning"
    ),
    Job(name="draft", purpose="draft", prompt="layout idea: white sneakers in a city street, sunny"),
    Job(
        name="hero",
        purpose="hero",
        prompt="a perfume bottle, plum glass, on a seamless studio backdrop",
        text="NOCTURNE",
    ),
    Job(
        name="final",
        purpose="final_hero",
        prompt="bauhaus poster, coral and navy, geometric",
        text="SUMMER SALE",
        size="2K",
    ),
    Job(
        name="character",
        purpose="character_lock",
        prompt="a curious owl librarian reading a book in a library, evening",
    ),
)
EDIT = Job(name="edit", purpose="contextual_edit", prompt="the same perfume bottle on a beach at sunset")
EDITED = "hero"

CHARACTER = "a cheerful fox courier with a teal scarf, plain studio backdrop"
VARIANTS = (
    "the courier on a bicycle in a rainy city",
    "the courier reading a map in snowy mountains",
    "the courier with an umbrella at the sea, sunset",
    "the courier drinking tea in a kitchen, dawn",
    "the courier with balloons in a garden, party",
)
_ASPECT, _CHAIN_ASPECT = "4:3", "3:4"


@click.command()
@click.argument("folder", default="demo")
@day_options
def demo(folder: str, **options: Any) -> int:
    """Draw with every tier and keep a character through five variants, on the emulator: free and offline.

    \b
    image-router demo
    image-router demo my-demo --as-of 2026-04-09

    FOLDER (default demo/) gets the pictures, contact-sheet.html and .png, bill.json and bill.csv; files of an
    earlier demo are replaced. Exit code 1 when our bill is not the emulator's.
    """
    settings = settings_from({**options, "offline": True})
    emulator = offline_emulator(settings.as_of)
    before = emulator.bill().total
    with TemporaryDirectory() as aside:
        # The demo's emulated money belongs in nobody's books, unless a home is named for it.
        apart = settings if "home" in settings.origins else replace(settings, home=Path(aside))
        drawn = asyncio.run(_draw(apart, Path(folder)))
    sheet = Sheet(
        title="Say what the image is for",
        day=settings.as_of or today(),
        rate_card=drawn.singles[0].quote.card,
        singles=drawn.singles,
        chain=drawn.chain,
        provider_total=emulator.bill().total - before,
    )
    _write(sheet, Path(folder))
    return _report(sheet, Path(folder))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    singles: tuple[Card, ...]
    chain: tuple[Card, ...]


async def _draw(settings: Settings, folder: Path) -> Drawn:
    decisions: dict[str, Decision] = {}

    def hear(event: Event) -> None:
        if isinstance(event, Decided):
            decisions[event.request_id] = event.decision
        elif isinstance(event, ImageMade):
            image = event.image
            click.echo(
                f"  {image.tier:<22} {image.model:<31} {image.pixels!s:>10}  {show_usd(image.cost.total)}"
            )

    async with ImageRouter(settings) as router:
        made = await asyncio.gather(
            *(
                router.generate(
                    job.prompt,
                    purpose=job.purpose,
                    text=job.text,
                    size=job.size,
                    aspect=_ASPECT,
                    on_event=hear,
                )
                for job in JOBS
            )
        )
        images = {job.name: result.image for job, result in zip(JOBS, made, strict=True)}
        edited = await router.edit(EDIT.prompt, image=images[EDITED], aspect=_ASPECT, on_event=hear)
        images[EDIT.name] = edited.image
        chain = await router.chain(CHARACTER, VARIANTS, aspect=_CHAIN_ASPECT, on_event=hear)

    def card(job: Job, image: GeneratedImage) -> Card:
        return _card(job, image, decisions[image.request_id], folder)

    reference = Job(name="chain-reference", purpose="reference", prompt=CHARACTER)
    variants = [
        Job(name=f"chain-variant-{place}", purpose=f"variant {place}", prompt=prompt)
        for place, prompt in enumerate(VARIANTS, 1)
    ]
    return Drawn(
        singles=tuple(card(job, images[job.name]) for job in (*JOBS, EDIT)),
        chain=tuple(map(card, (reference, *variants), (chain.reference, *chain.images))),
    )


def _card(job: Job, image: GeneratedImage, decision: Decision, folder: Path) -> Card:
    for extension in EXTENSIONS:
        (folder / f"{job.name}{extension}").unlink(missing_ok=True)
    path = save(image.data, folder / f"{job.name}{image.extension}", overwrite=True)
    return Card(
        image=image,
        file=path.name,
        prompt=job.prompt,
        purpose=job.purpose,
        reason=f"{decision.rule}: {decision.head.reason}",
        quote=decision.head.quote,
        ceiling=decision.ceiling,
        text=job.text,
    )


def _write(sheet: Sheet, folder: Path) -> None:
    try:
        (folder / "contact-sheet.html").write_text(page(sheet), encoding="utf-8")
        (folder / "contact-sheet.png").write_bytes(poster(sheet))
        (folder / "bill.json").write_text(
            json.dumps(_bill(sheet), indent=2, ensure_ascii=False), encoding="utf-8"
        )
        (folder / "bill.csv").write_text(_csv(sheet), encoding="utf-8")
    except OSError as error:
        raise AssetError(f"the sheet cannot be written into {folder}: {error.strerror}") from error


def _bill(sheet: Sheet) -> dict[str, Any]:
    return {
        "as_of": sheet.day.isoformat(),
        "rate_card": sheet.rate_card.isoformat(),
        "pictures": [
            {
                "file": card.file,
                "purpose": card.purpose,
                "tier": card.tier,
                "model": card.image.model,
                "response_id": card.image.response_id,
                "quoted_usd": usd_text(card.quote.total),
                "cost": cost_view(card.cost),
            }
            for card in sheet.cards
        ],
        "total_usd": usd_text(sheet.total),
        "provider_total_usd": usd_text(sheet.provider_total),
        "equal": sheet.agrees,
    }


def _csv(sheet: Sheet) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["file", "purpose", "tier", "model", "what", "unit", "units", "rate_usd", "amount_usd"])
    for card in sheet.cards:
        for line in card.cost.lines:
            who = (card.file, card.purpose, card.tier, card.image.model)
            writer.writerow(
                [*who, line.kind, line.unit, line.units, usd_text(line.rate), usd_text(line.amount)]
            )
    writer.writerow(["total", "", "", "", "", "", "", "", usd_text(sheet.total)])
    return out.getvalue()


def _report(sheet: Sheet, folder: Path) -> int:
    tiers = len({card.tier for card in sheet.cards})
    click.echo(
        f"\n{len(sheet.cards)} pictures on {tiers} tiers for {show_usd(sheet.total)} (emulated money)."
    )
    if not sheet.agrees:
        click.echo(f"The emulator's own bill says {show_usd(sheet.provider_total)}: they differ.", err=True)
        return FINDINGS.status
    click.echo("The emulator's own bill says the same, to the nano-dollar.")
    click.echo(f"Look at {folder}/contact-sheet.html (or .png); the bill is {folder}/bill.csv and bill.json.")
    return OK.status
