"""`chain`: one character, many pictures, in a folder that can be run again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from image_router.aio import ImageRouter
from image_router.cli.failures import OK, PARTIAL
from image_router.cli.options import (
    chain_options,
    prompt_from,
    prompt_options,
    request_from,
    settings_options,
    spending_options,
)
from image_router.cli.preview import can_preview, half_blocks
from image_router.cli.progress import Watch
from image_router.cli.spending import Manner, Price, confirm, logged_settings, run_watched, say_notes
from image_router.core.chain import REFERENCE_KEY, variant_key
from image_router.core.errors import InvalidRequest
from image_router.core.money import show_usd
from image_router.core.results import GeneratedImage
from image_router.core.types import Size
from image_router.engine.chains import ChainResult
from image_router.engine.views import chain_view


@click.command()
@prompt_options
@click.option("--variant", "variants", multiple=True, metavar="PROMPT", help="One variant. Repeatable.")
@click.option("--variants-file", metavar="FILE", help="One variant a line; `-` is stdin.")
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Calls at once."
)
@chain_options
@spending_options
@settings_options
def chain(**options: Any) -> int:
    """Draw a character once, cheaply, then every variant with that picture as its reference.

    \b
    image-router chain "Mira, a girl courier with green hair" --variant "on a bike" --variant "at the sea"
    image-router chain "Mira, a courier" --variants-file poses.txt -o mira/ --size 2K
    image-router chain --prompt-file mira.txt --variant "asleep" -o mira/ --yes --json

    --aspect and all other options count for the reference and the variants alike, but for two: the reference
    is made at 1K whatever --size says, since models read references at about one megapixel, and the purpose
    is the chain's own. Without --aspect a variant takes the shape its model chooses, mostly the reference's.

    The folder (-o, default chain/) holds the pictures and manifest.json. Running the same chain again makes
    only what is missing and pays only for that.
    """
    manner = Manner.taken_from(options)
    if options.pop("overwrite"):
        raise InvalidRequest(
            "a chain keeps what its folder holds; name another folder instead of --overwrite"
        )
    if manner.piped:
        raise InvalidRequest("a chain makes a folder of pictures, not one for stdout; name it with -o")
    folder = Path(options.pop("output") or "chain")
    prompt = prompt_from(options.pop("prompt"), options.pop("prompt_file"))
    variants = _variants(options.pop("variants"), options.pop("variants_file"))
    settings = logged_settings(options)
    concurrency = options.pop("concurrency")
    asked = request_from(options)
    notes = [*(twice := list(_paid_twice(variants))), *_sizes(asked)]
    watch = Watch(lambda image, key: folder / f"{key}{image.extension}", images=len(variants) + 1)

    async def work() -> ChainResult:
        async with ImageRouter(settings) as router:
            quote = await router.quote_chain(prompt, variants, **asked)
            price = Price(
                expected=quote.total, ceiling=quote.ceiling, bound=_bound(folder), remark="; ".join(twice)
            )
            say_notes(notes, manner)
            confirm(price, above=settings.confirm_above, manner=manner)
            watch.quoted = quote.total
            with watch:
                return await router.chain(
                    prompt, variants, folder=folder, concurrency=concurrency, on_event=watch, **asked
                )

    new = not folder.exists()
    result = run_watched(work(), watch, manner=manner)
    made = [f"made folder {folder}/"] if new else []
    say_notes(made, manner)
    return _show(result, folder, notes=[*notes, *made], manner=manner)


def _paid_twice(variants: Sequence[str]) -> Iterator[str]:
    for prompt, times in Counter(variants).items():
        if times > 1:
            places = [str(place) for place, each in enumerate(variants, 1) if each == prompt]
            yield f"variants {', '.join(places)} have the same prompt, {prompt!r}: each is made and paid"


def _sizes(asked: dict[str, Any]) -> Iterator[str]:
    if (size := asked.get("size", Size.K1)) != Size.K1:
        yield f"the variants are made at {size}, the reference at 1K: models read references at that size"


def _bound(folder: Path) -> str:
    """What is in the folder is known only when the chain runs."""
    free = f" (what {folder}/ holds already is free)" if (folder / "manifest.json").exists() else ""
    return f"on its first choices{free} at most"


def _variants(given: Sequence[str], file: str | None) -> list[str]:
    lines = prompt_from(None, file).splitlines() if file else []
    variants = [*given, *(line.strip() for line in lines if line.strip())]
    if not variants:
        raise InvalidRequest("a chain needs variants: give --variant once for each, or --variants-file")
    return variants


def _show(result: ChainResult, folder: Path, *, notes: Sequence[str], manner: Manner) -> int:
    made = [(REFERENCE_KEY, result.reference)]
    made += [
        (variant_key(place), variant)
        for place, variant in enumerate(result.variants, 1)
        if isinstance(variant, GeneratedImage)
    ]
    if manner.as_json:
        files = {key: str(folder / f"{key}{image.extension}") for key, image in made}
        view = {"folder": str(folder), "files": files, **chain_view(result), "notes": list(notes)}
        click.echo(json.dumps(view, indent=2, ensure_ascii=False))
    else:
        for key, image in made:
            _show_image(image, folder / f"{key}{image.extension}", manner)
        for failure in result.failures:
            click.echo(f"{failure.key} failed ({failure.error.code}): {failure.error}", err=True)
        for warning in result.warnings:
            click.echo(f"note: {warning}", err=True)
        click.echo(_sum_line(result, len(made), folder))
    return PARTIAL.status if result.failures else OK.status


def _show_image(image: GeneratedImage, path: Path, manner: Manner) -> None:
    if manner.preview and can_preview():
        click.echo(half_blocks(image.data, width=24))
    price = "already made" if image.cached else show_usd(image.cost.total)
    click.echo(f"{path}  {image.pixels} · {image.tier} · {image.model} · {price}")


def _sum_line(result: ChainResult, made: int, folder: Path) -> str:
    before = f" ({show_usd(result.paid_before)} in earlier runs)" if result.paid_before else ""
    risk = f", at risk on top {show_usd(result.at_risk)}" if result.at_risk else ""
    wanted = len(result.variants) + 1
    return f"{made} of {wanted} images in {folder}/, {show_usd(result.cost)}{before}{risk}"
