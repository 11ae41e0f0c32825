"""The command group: help without loading any command, and one place where errors become exit codes."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from itertools import pairwise
from typing import Final

import click

from image_router._version import __version__
from image_router.cli.failures import INTERRUPTED, OK, exit_table, report, usage_error
from image_router.core.errors import ImageRouterError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "generate": ("making:generate", "Make images from a prompt; the purpose picks the model."),
    "edit": ("making:edit", "Change a picture, or continue the conversation that made it."),
    "chain": ("chaining:chain", "One reference of a character, then every variant with that character."),
    "catalog": (
        "catalog_export:catalog",
        "Tables of products in, pictures out: plan, run, watch, resume, export.",
    ),
    "batch": ("batch:batch", "Plain lists of requests at half price, within a day or by the time you say."),
    "worker": ("worker:worker", "Make what runs ask for, on this machine and as many others as there are."),
    "explain": ("explaining:explain", "Decide and quote without spending: rule, candidates, payload."),
    "models": (
        "models:models",
        "Capabilities, prices and life of every model; `models check` asks the provider.",
    ),
    "cost": ("costing:cost", "What a month costs on each tier and on the blend."),
    "pricing": ("costing:pricing", "Every price with its date and source, for programs."),
    "budget": ("budgeting:budget", "Caps of organisations, projects and keys: set, show, list, history."),
    "keys": ("keys:keys", "Router keys: who may call the gateway, for whose money, and how much."),
    "statement": ("stating:statement", "What was spent, by tier, model, purpose, scope or day."),
    "usage": ("stating:usage", "The traffic's mix, spend by day, savings, and what failures cost."),
    "ledger": ("auditing:ledger", "Verify the ledger, read its entries, resolve unknown calls."),
    "reconcile": ("reconciling:reconcile", "Compare the ledger with a provider's bill, call by call."),
    "assets": ("assets:assets", "Kept pictures: list, show, export, and throw away what nobody needs."),
    "cache": ("caching:cache", "What equal requests are answered with for free: stats, clear."),
    "forget": ("assets:forget", "Erase the prompts and pictures of a scope; the ledger keeps its amounts."),
    "serve": ("serve:serve", "Serve the router over HTTP, for OpenAI's and Google's clients."),
    "emulator": ("serving:emulator", "Start the local Gemini image API."),
    "doctor": (
        "doctor:doctor",
        "Check key, host, clock, catalog, tiers, disk and books, and say what to do.",
    ),
    "demo": ("demo:demo", "One picture per tier and a chain against the emulator, as a contact sheet."),
    "completion": ("completion:completion", "Print the script that completes commands in your shell."),
}
"""Command → (module:function in this package, line in --help), in the order of --help."""


class LazyGroup(click.Group):
    """Loads a command's module when that command is named, so --help stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        gc.disable()  # loading makes many objects and no garbage; looking for it costs 10 ms of the start
        try:
            command: click.Command = getattr(import_module(f"image_router.cli.{module}"), function)
        finally:
            gc.enable()
        _hush()
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.UsageError(
                f"{error.format_message()} Commands: {', '.join(COMMANDS)}.", ctx
            ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(status), meaning) for status, _, meaning in exit_table()])


def _hush() -> None:
    """Failures are told by the command, the log is for who sets log_level; explain does not even load it."""
    logging = sys.modules.get("logging")
    if logging is not None and logging.lastResort is not None:
        logging.lastResort.setLevel(logging.ERROR)


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="image-router")
def cli() -> None:
    """Say what an image is for: the right Gemini image model, at a price known before it is spent.

    \b
    image-router generate "a fox reading under a lamp" --purpose hero
    image-router explain "poster" --text "SUMMER SALE" --purpose final_hero
    image-router cost --images 10000

    Set GEMINI_API_KEY for Google's models, or add --offline for the emulator.
    """


def run(arguments: list[str] | None = None) -> None:
    """Run a command line and leave the process with its exit code; expected errors show no traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    status = outcome_of(arguments)
    gc.freeze()  # a process that ends need not look through all it loaded for garbage: a tenth of explaining
    sys.exit(status)


def _wants_json(arguments: list[str]) -> bool:
    return (
        "--json" in arguments or "--format=json" in arguments or ("--format", "json") in pairwise(arguments)
    )


def outcome_of(arguments: list[str]) -> int:
    """Run a command line and answer its exit status."""
    as_json = _wants_json(arguments)
    try:
        status = cli.main(arguments, prog_name="image-router", standalone_mode=False)
    except ImageRouterError as error:
        return report(error, as_json=as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show(sys.stdout)
        return OK.status
    except click.ClickException as error:
        return usage_error(error, as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return INTERRUPTED.status
    return status if isinstance(status, int) else OK.status
