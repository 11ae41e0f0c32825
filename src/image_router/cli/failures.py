"""What goes wrong, for people and programs: one table of exit codes, one way to print an error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import click

from image_router.cli.ink import ink
from image_router.core import errors
from image_router.core.money import show_usd, usd_text


class Exit(NamedTuple):
    status: int
    meaning: str


OK: Final = Exit(0, "everything asked for was done")
FINDINGS: Final = Exit(
    1, "doctor, models check, ledger verify or reconcile found something; any error not listed here"
)
PARTIAL: Final = Exit(8, "some images failed; the others are saved, and every failure is listed")
INTERRUPTED: Final = Exit(130, "stopped with Ctrl-C; finished images are saved")

EXIT_CODE_OF: Final[Mapping[type[errors.ImageRouterError], Exit]] = MappingProxyType(
    {
        errors.ImageRouterError: FINDINGS,
        errors.RequestError: Exit(2, "the command or a value in it is wrong; nothing was spent"),
        errors.NoEligibleTier: Exit(3, "no tier can do what was asked; every reason is listed"),
        errors.ModelRetired: Exit(4, "the pinned model is retired; its successor is named"),
        errors.CostLimitExceeded: Exit(5, "dearer than --max-cost, --max-total or what was confirmed"),
        errors.LaneUnavailable: Exit(6, "the lane was decided and quoted, but this command cannot run it"),
        errors.IdempotencyConflict: Exit(7, "the same key named a different request before"),
        errors.BudgetExceeded: Exit(10, "a budget does not allow the spending"),
        errors.KeyBusy: Exit(12, "another process is still at the work of the same key; wait for it"),
        errors.KeyRefused: Exit(13, "a router key does not allow it"),
        errors.KeyInvalid: Exit(14, "no router key, or one that is unknown, revoked or expired"),
        errors.KeyForbids: Exit(15, "the rules of the router key forbid it"),
        errors.KeyLimited: Exit(16, "a limit of the router key is reached; wait and try again"),
        errors.HoldExpired: Exit(11, "the money held for the work was given up; run it again"),
        errors.ProcessFull: Exit(17, "more at once than one process holds; ask again when some are done"),
        errors.ProviderError: Exit(20, "the provider did not make the image"),
        errors.RateLimited: Exit(21, "a limit per minute was hit; wait and try again"),
        errors.QuotaExhausted: Exit(22, "the daily limit is used up"),
        errors.ProviderUnavailable: Exit(23, "the provider is overloaded, broken or out of reach"),
        errors.ProviderTimeout: Exit(24, "the deadline passed before an image came"),
        errors.ModelUnavailable: Exit(25, "the model does not exist for this key"),
        errors.NoImageReturned: Exit(26, "the provider answered without an image"),
        errors.ContentRefused: Exit(27, "the provider refused the content"),
        errors.InvalidCredentials: Exit(28, "the API key is wrong, expired or restricted"),
        errors.RegionBlocked: Exit(29, "the provider does not serve this place"),
        errors.BillingRequired: Exit(30, "the project has no billing or no credits"),
        errors.RequestRejected: Exit(31, "the provider calls the request invalid"),
        errors.AmbiguousOutcome: Exit(32, "sent, outcome unknown, possibly billed"),
        errors.AllAttemptsFailed: Exit(33, "every image failed, for different reasons"),
        errors.ChainError: Exit(40, "the character chain cannot go on"),
        errors.BatchError: Exit(41, "the batch job failed"),
        errors.AssetError: Exit(42, "a file cannot be read or written"),
        errors.ConfigError: Exit(50, "settings, keys or data files are wrong"),
        errors.StorageError: Exit(51, "the database cannot be opened, read or written"),
    }
)


def exit_of(error: errors.ImageRouterError) -> Exit:
    """The entry of the error's own class, or of its nearest ancestor."""
    return next(EXIT_CODE_OF[kind] for kind in type(error).__mro__ if kind in EXIT_CODE_OF)


def exit_table() -> list[tuple[int, str, str]]:
    """(status, error class or empty, meaning), in order of status."""
    rows = [(code.status, kind.__name__, code.meaning) for kind, code in EXIT_CODE_OF.items()]
    rows += [(code.status, "", code.meaning) for code in (OK, PARTIAL, INTERRUPTED)]
    return sorted(rows)


def error_view(error: errors.ImageRouterError) -> dict[str, Any]:
    """The error as JSON: code, message, exit status, and the numbers it carries (money in dollars, exact)."""
    from image_router.engine import views  # slow to load, and --help needs none of it

    view: dict[str, Any] = {**views.error_view(error), "exit_status": exit_of(error).status}
    match error:
        case errors.ModelRetired(model=model, successor=successor, shutdown=shutdown):
            view |= {"model": model, "successor": successor, "shutdown": shutdown and shutdown.isoformat()}
        case errors.CostLimitExceeded(limit=limit, asked=asked):
            view |= {"limit_usd": usd_text(limit), "asked_usd": usd_text(asked)}
        case errors.ProviderError():
            view |= {"model": error.model, "retry_after": error.retry_after, "replayed": error.replayed}
    return view


def report(error: errors.ImageRouterError, *, as_json: bool) -> int:
    """Print the error (JSON to stdout, text to stderr) and answer the exit status."""
    if as_json:
        click.echo(json.dumps({"error": error_view(error)}, indent=2, ensure_ascii=False))
        return exit_of(error).status
    click.echo(f"{ink('error', colour='red', bold=True)} ({error.code}): {error}", err=True)
    if isinstance(error, errors.ProviderError) and error.replayed:
        click.echo("so it was answered before under this key; nothing was sent, nothing was paid", err=True)
    elif isinstance(error, errors.ProviderError) and (error.cost or error.at_risk):
        risk = f", at risk on top {show_usd(error.at_risk)}" if error.at_risk else ""
        click.echo(f"the failed attempts cost {show_usd(error.cost)}{risk}", err=True)
    return exit_of(error).status


def usage_error(error: click.ClickException, *, as_json: bool) -> int:
    """A command line that click cannot read, reported like any other wrong request."""
    if isinstance(error, click.UsageError) and _has_stray_words(error):
        error = click.UsageError(f"{error.message}; a prompt of several words goes in quotes", error.ctx)
    if not as_json:
        error.show(sys.stderr)
        return error.exit_code
    return report(errors.InvalidRequest(error.format_message()), as_json=True)


def _has_stray_words(error: click.UsageError) -> bool:
    """click has no class of its own for arguments too many."""
    takes_prompt = error.ctx is not None and any(each.name == "prompt" for each in error.ctx.command.params)
    return takes_prompt and "unexpected extra argument" in error.message
