"""`generate` and `edit`: one request, its pictures on disk, its cost on the screen."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import click

from image_router.cli.failures import exit_of
from image_router.cli.options import (
    again_options,
    edit_options,
    images_option,
    prompt_from,
    prompt_options,
    request_from,
    request_options,
    settings_options,
    spending_options,
)
from image_router.cli.progress import Watch
from image_router.cli.shelf import Pipe, Shelf
from image_router.cli.spending import (
    Consent,
    Manner,
    Shown,
    logged_settings,
    run_watched,
    say_notes,
    show_result,
)
from image_router.core.errors import AssetError, InvalidRequest
from image_router.core.results import ImageResult
from image_router.core.types import ImageRequest
from image_router.engine.router import ImageRouter
from image_router.wiring import parts_of


@click.command()
@prompt_options
@images_option
@again_options
@request_options
@spending_options
@settings_options
def generate(**options: Any) -> int:
    """Make images from a prompt; the purpose picks the model.

    \b
    image-router generate "a fox reading under a lamp"
    image-router generate "sale poster" --text "SUMMER SALE" --purpose final_hero --size 2K
    image-router generate "the same mug on a beach" --ref mug.jpg --aspect 16:9 -n 3
    cat prompt.txt | image-router generate - --purpose draft --max-cost 0.05 -o drafts/
    image-router generate "a fox" --offline --as-of 2026-04-09 --json
    """
    return _make(options, how={})


@click.command()
@click.argument("image")
@prompt_options
@click.option("--continue", "continued", is_flag=True, help="Go on with the conversation that made IMAGE.")
@images_option
@again_options
@edit_options
@spending_options
@settings_options
def edit(image: str, continued: bool, **options: Any) -> int:
    """Change IMAGE as PROMPT says. The purpose is contextual_edit unless you name another.

    \b
    image-router edit photo.jpg "make it night, keep the people"
    image-router edit image.jpg "now from behind" --continue
    image-router edit poster.png "translate the headline" --text "SOLDES D'ÉTÉ" -o poster-fr

    With --continue the model sees the whole conversation that made IMAGE (made on this machine); without it,
    IMAGE is one more reference.
    """
    return _make(options, how={"previous" if continued else "image": image})


def _make(options: dict[str, Any], *, how: dict[str, str]) -> int:
    manner = Manner.taken_from(options)
    shelf = _shelf(options, manner)
    prompt = prompt_from(options.pop("prompt"), options.pop("prompt_file"))
    settings = logged_settings(options)
    asked = request_from(options)
    watch = Watch(lambda image, key: shelf.put(image), images=options["n"])
    consent = Consent(watch, above=settings.confirm_above, manner=manner, then=shelf.open)
    parts = replace(parts_of(settings), approve=consent)

    async def work() -> ImageResult:
        async with ImageRouter(parts) as router:
            request = await _request(router, prompt, asked, how)
            shelf.look()
            if request.key is None:  # what cannot be decided is told before a missing API key
                await router.decide(request)
            result = await consent.given(partial(router.generate, request, on_event=watch))
            return _remembered(router, result)

    try:
        result = run_watched(work(), watch, manner=manner)
    finally:
        say_notes(shelf.notes, manner)
    if watch.trouble:
        raise watch.trouble
    files = {index: path for (_, index), path in watch.saved.items()}
    status = show_result(result, Shown(files=files, notes=shelf.notes), manner=manner)
    if shelf.trouble:
        click.echo(f"error ({shelf.trouble.code}): {shelf.trouble}", err=True)
        return exit_of(shelf.trouble).status
    return status


def _shelf(options: dict[str, Any], manner: Manner) -> Shelf | Pipe:
    output, overwrite = options.pop("output"), options.pop("overwrite")
    if not manner.piped:
        return Shelf(output, overwrite=overwrite)
    if options["n"] != 1 or manner.as_json:
        raise InvalidRequest("-o - writes one picture to stdout: leave out --json, and ask for -n 1")
    return Pipe()


def _remembered(router: ImageRouter, result: ImageResult) -> ImageResult:
    """The result; a conversation that could not be kept is a warning beside pictures that are paid."""
    try:
        for image in result.images:
            router.remember(image)
    except AssetError as error:
        return replace(result, warnings=(*result.warnings, f"{error}; edit --continue will not know it"))
    return result


async def _request(
    router: ImageRouter, prompt: str, asked: dict[str, Any], how: dict[str, str]
) -> ImageRequest:
    if not how:
        return await router.request(prompt, **asked)
    return await router.edit_request(prompt, **how, **asked)
