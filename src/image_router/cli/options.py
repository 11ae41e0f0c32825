"""Options that mean the same in every command, and how they become settings and a request."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from image_router.cli import completing
from image_router.config import VARIABLES, LogLevel, ProviderName, Settings, load_settings
from image_router.core.errors import AssetError, InvalidRequest
from image_router.core.storing import CacheMode
from image_router.core.types import (
    Adaptation,
    AspectRatio,
    Grounding,
    Lane,
    PersonGeneration,
    Purpose,
    Quality,
    ReferenceRole,
    RetiredPolicy,
    Size,
    ThinkingLevel,
    Tier,
)

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]

_LONGEST_PROMPT_FILE: Final = 1_000_000
"""Bytes; the longest prompt any model takes is 131072 tokens."""


class Names(click.ParamType[str]):
    """One of some names, in any case; help and errors spell them as they are written."""

    name = "name"

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(str(each) for each in names)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{'|'.join(self.names)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = next((name for name in self.names if name.lower() == str(value).lower()), None)
        if name is None:
            self.fail(f"{value!r} is not one of {', '.join(self.names)}", param, ctx)
        return name

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        start = incomplete.lower()
        return [CompletionItem(name) for name in self.names if name.lower().startswith(start)]


def every(*decorators: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order of --help."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def setting(flag: str, field: str, **attributes: Any) -> Callable[[Any], Any]:
    """A flag for one field of Settings; its help names the variables that set the same."""
    variables = " or ".join(VARIABLES[field])
    attributes["help"] = f"{attributes['help']}  [env: {variables}]"
    return click.option(flag, field, default=None, **attributes)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout; errors too.")

home_option = setting(
    "--home", "home", metavar="DIR", help="Folder of your own catalogs, cards and policies, and of the books."
)
offline_option = setting(
    "--offline/--online", "offline", help="The emulator, with books of its own; no other host is contacted."
)
as_of_option = setting(
    "--as-of", "as_of", metavar="DATE", help="The day whose models and prices count, as 2026-04-09."
)

day_options = every(as_of_option, home_option)
"""Which day's facts: enough for commands that only read."""

settings_options = every(
    day_options,
    offline_option,
    setting("--provider", "provider", type=Names(ProviderName), help="Direct HTTP, or the google-genai SDK."),
    setting("--base-url", "base_url", metavar="URL", help="Another host that speaks the Gemini API."),
    setting(
        "--profile",
        "profile",
        metavar="NAME",
        shell_complete=completing.profiles,
        help="One of the personas, or a policy of your own.",
    ),
    setting("--policy", "policy_file", metavar="FILE", help="A policy file of your own."),
)

scope_option = setting(
    "--scope",
    "scope",
    metavar="SCOPE",
    shell_complete=completing.scopes,
    help="Who pays, as organisation/project/key. Default: default.",
)

prompt_options = every(
    click.argument("prompt", required=False),
    click.option("--prompt-file", metavar="FILE", help="Read the prompt from a file; `-` is stdin."),
)


def purpose_option(note: str) -> Callable[[Any], Any]:
    """--purpose, with what this command makes of it when it is left out."""
    return click.option("--purpose", type=Names(Purpose), help=f"What the image is for. {note}")


_picture_options = every(
    click.option("--text", metavar="WORDS", help="Words to render in the picture, letter for letter."),
    click.option("--text-heavy", is_flag=True, help="Much text in the picture, worded in the prompt."),
    click.option(
        "--ref",
        "references",
        multiple=True,
        metavar="IMAGE",
        help="Reference: file or URL, or ROLE=IMAGE (object, character, style). Repeatable.",
    ),
    click.option(
        "--lock-identity",
        "identity_locked",
        is_flag=True,
        help="The same character must come out, whatever the purpose.",
    ),
    click.option("--size", type=Names(Size), help="Default: 1K."),
    click.option("--aspect", type=Names(AspectRatio), help="Width to height. Default: the model chooses."),
    click.option("--lane", type=Names(Lane), help="Batch costs half and answers within a day."),
    click.option("--tier", type=Names(Tier), help="Pin a tier: no other is tried."),
    click.option(
        "--model", metavar="ID", shell_complete=completing.models, help="Pin a model id: no other is tried."
    ),
    click.option("--max-cost", metavar="USD", help="Most an image may be quoted at, as 0.10."),
    click.option("--max-total", metavar="USD", help="Most the whole request may be quoted at."),
    click.option("--quality-floor", type=Names(Quality), help="No tier below this quality."),
    click.option("--thinking", type=Names(ThinkingLevel), help="How long the model thinks; billed as text."),
    click.option("--seed", type=int, help="For models that take one."),
    click.option(
        "--safety", multiple=True, metavar="CATEGORY=THRESHOLD", help="In the API's spelling. Repeatable."
    ),
    click.option("--person-generation", type=Names(PersonGeneration), help="People in Imagen's pictures."),
    click.option("--system-instruction", metavar="TEXT", help="Standing instruction for the model."),
    click.option("--grounding", multiple=True, type=Names(Grounding), help="Search while drawing; billed."),
    click.option("--language", metavar="CODE", help="Language of the prompt, as en or pt-BR."),
    click.option(
        "--allow", multiple=True, type=Names(Adaptation), help="Changes that may be made. Repeatable."
    ),
    setting(
        "--compress",
        "compress",
        metavar="[auto|off|TOKENS]",
        help="Have a long prompt shortened first, where that pays or a model needs it. Default: off.",
    ),
    setting("--retired", "retired", type=Names(RetiredPolicy), help="When a pinned model id is retired."),
    setting("--deadline", "deadline", type=float, metavar="SECONDS", help="For the whole request."),
    scope_option,
)
request_options = every(purpose_option("Default: economy."), _picture_options)
edit_options = every(purpose_option("Default: contextual_edit."), _picture_options)
chain_options = every(
    purpose_option("A chain sets it: economy for the reference, character_lock for the variants."),
    _picture_options,
)

again_options = every(
    click.option(
        "--key",
        metavar="KEY",
        help="Name this work for ever: asked again, the same pictures come back, free.",
    ),
    setting(
        "--cache",
        "cache",
        type=Names(CacheMode),
        help="An equal request's pictures: use them free, refresh them, or bypass. Default: use with --seed.",
    ),
    setting(
        "--wait-for-key",
        "wait_for_key",
        type=float,
        metavar="SECONDS",
        help="Wait so long for another process at the same key. Default: 120.",
    ),
)

images_option = click.option("-n", "n", type=int, default=1, show_default=True, help="How many images.")

spending_options = every(
    click.option(
        "-o",
        "--output",
        metavar="PATH",
        help="File, folder ending in /, or `-` for stdout. Default: image.jpg, image-2.jpg …",
    ),
    click.option("--overwrite", is_flag=True, help="Replace an existing file."),
    click.option("--yes", is_flag=True, help="Spend without asking, whatever the quote."),
    click.option(
        "--no-preview",
        "preview",
        is_flag=True,
        flag_value=False,
        default=True,
        help="No picture in the terminal.",
    ),
    setting(
        "--wait-for-budget",
        "wait_for_budget",
        type=float,
        metavar="SECONDS",
        help="Wait so long for money that others hold. Default: 0.",
    ),
    json_option,
)


def settings_from(options: dict[str, Any]) -> Settings:
    """Take the settings' fields out of a command's options and load them with the rest of their sources.

    Where they say how to log, logging begins.
    """
    settings = load_settings(**{name: options.pop(name) for name in VARIABLES if name in options})
    if settings.log_level or "log_format" in settings.origins:
        from image_router.wiring import start_logging  # slow to load, and few ask for a log

        start_logging(settings, level=LogLevel.WARNING)
    return settings


def prompt_from(prompt: str | None, prompt_file: str | None) -> str:
    """The prompt from the argument, a file, or stdin (`-`). Exactly one of them."""
    if prompt is None and prompt_file is None:
        raise InvalidRequest("the prompt is missing; give it as argument, with --prompt-file, or - for stdin")
    if prompt is not None and prompt_file is not None:
        raise InvalidRequest("the prompt is given twice, as argument and with --prompt-file; leave one out")
    if prompt is not None and prompt != "-":
        return prompt
    if prompt == "-" or prompt_file == "-":
        return _decoded(sys.stdin.buffer.read(_LONGEST_PROMPT_FILE + 1), "stdin")
    try:
        with Path(str(prompt_file)).open("rb") as file:
            return _decoded(file.read(_LONGEST_PROMPT_FILE + 1), str(prompt_file))
    except OSError as error:
        raise AssetError(f"prompt file {prompt_file} cannot be read: {error.strerror}") from error


def request_from(options: dict[str, Any]) -> dict[str, Any]:
    """A command's options as arguments of ImageRouter.generate; what was not given is left out."""
    request = {
        name: value
        for name, value in options.items()
        if value is not None and value != () and value is not False
    }
    if "references" in request:
        request["references"] = tuple(_reference(text) for text in request["references"])
    if "safety" in request:
        request["safety"] = tuple(_safety(text) for text in request["safety"])
    if "allow" in request:
        request["allow"] = frozenset(request["allow"])
    return request


def _reference(text: str) -> str | tuple[str, str]:
    """A source, or (source, role) where a role is named before it."""
    role, separator, source = text.partition("=")
    return (source, role) if separator and role in list(ReferenceRole) else text


def _safety(text: str) -> tuple[str, str]:
    category, separator, threshold = text.partition("=")
    if not (separator and category and threshold):
        raise InvalidRequest(
            f"--safety {text!r} is not CATEGORY=THRESHOLD; write it like "
            "HARM_CATEGORY_HARASSMENT=BLOCK_ONLY_HIGH"
        )
    return category, threshold


def _decoded(data: bytes, name: str) -> str:
    if len(data) > _LONGEST_PROMPT_FILE:
        raise InvalidRequest(
            f"the prompt in {name} is longer than {_LONGEST_PROMPT_FILE:,} bytes; no model takes that"
        )
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"the prompt in {name} is not UTF-8 text (byte {error.start} is {data[error.start]:#x})"
        ) from error
