"""`doctor`: looks at everything a request will need, and says what to do about each finding."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click

from image_router.checkup import examined
from image_router.checkup.finding import Finding, Health
from image_router.cli.failures import FINDINGS, OK
from image_router.cli.ink import ink
from image_router.cli.options import json_option, settings_from, settings_options
from image_router.core.errors import ConfigError

_MARKS = {Health.OK: ("ok", "green"), Health.WARNING: ("warning", "yellow"), Health.ERROR: ("error", "red")}


@click.command()
@json_option
@settings_options
def doctor(as_json: bool, **options: Any) -> int:
    """Check keys, host, clock, catalog, tiers, disk, books, circuits, extras; say what to do about each.

    \b
    image-router doctor
    image-router doctor --offline
    image-router doctor --json

    Exit code 1 when something is wrong; warnings alone leave it 0. Offline, no other host is contacted.
    """
    findings = _examine(options)
    if as_json:
        click.echo(
            json.dumps({"findings": [finding.view() for finding in findings]}, indent=2, ensure_ascii=False)
        )
    else:
        for finding in findings:
            _print(finding)
    return FINDINGS.status if any(each.health is Health.ERROR for each in findings) else OK.status


def _examine(options: dict[str, Any]) -> list[Finding]:
    try:
        settings = settings_from(options)
    except ConfigError as error:
        return [
            Finding(
                name="settings", health=Health.ERROR, detail=str(error), advice="mend it and run doctor again"
            )
        ]
    return asyncio.run(examined(settings))


def _print(finding: Finding) -> None:
    word, colour = _MARKS[finding.health]
    click.echo(f"{ink(f'{word:<8}', colour=colour)} {finding.name:<22} {finding.detail}")
    if finding.advice:
        click.echo(f"{'':31} → {finding.advice}")
