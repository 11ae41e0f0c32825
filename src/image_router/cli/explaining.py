"""`explain`: the decision as a tree for people, or as JSON that follows data/schemas/explain.schema.json."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Iterator
from typing import Any

import click

from image_router.cli.ink import ink
from image_router.cli.options import (
    images_option,
    json_option,
    prompt_from,
    prompt_options,
    request_from,
    request_options,
    settings_from,
    settings_options,
)
from image_router.core.decision import Candidate, Compression, Decision, Dropped
from image_router.core.hints import hints_of
from image_router.core.money import show_usd
from image_router.core.rates import Quote, QuoteLine
from image_router.engine.deciding import Decider
from image_router.engine.decision_views import explanation_view
from image_router.engine.explaining import Explanation
from image_router.wiring import facts_for_one


@click.command()
@prompt_options
@images_option
@request_options
@click.option(
    "--pressure",
    type=click.IntRange(0, 1000),
    default=0,
    metavar="PERCENT",
    help="As if a budget were so far used.",
)
@json_option
@settings_options
def explain(as_json: bool, pressure: int, **options: Any) -> None:
    """Decide and quote without spending, and show exactly what would be sent. Needs no key.

    Of your own files it reads what counts for this request: the catalog, the day's rate card, the profile.
    `doctor` reads them all.

    \b
    image-router explain "a fox reading under a lamp" --purpose hero
    image-router explain "poster" --text "SUMMER SALE" --purpose final_hero --size 4K
    image-router explain "a fox" --as-of 2026-04-09 --json
    image-router explain "a fox" --purpose hero --pressure 95
    """
    prompt = prompt_from(options.pop("prompt"), options.pop("prompt_file"))
    settings = settings_from(options)
    asked = request_from(options)

    decider = Decider(facts_for_one(settings))
    work = decider.explain(prompt, pressure=pressure, **asked)
    explanation = _run(work) if asked.get("references") else _waited(work)
    if as_json:
        click.echo(json.dumps(explanation_view(explanation), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_tree(explanation)))


def _run(work: Coroutine[Any, Any, Explanation]) -> Explanation:
    import asyncio  # for references alone

    return asyncio.run(work)


def _waited(work: Coroutine[Any, Any, Explanation]) -> Explanation:
    """Without references nothing waits, and the 60 ms that an event loop takes to load are saved."""
    try:
        work.send(None)
    except StopIteration as done:
        explanation: Explanation = done.value
        return explanation
    raise AssertionError("a request of words alone waits for nothing")


def _tree(explanation: Explanation) -> Iterator[str]:
    decision = explanation.decision
    yield f"{_bold(_who(decision.head))}  {_price(decision.quote)}"
    yield f"rule        {decision.rule}: {decision.reason}"
    yield f"facts       of {decision.as_of} · rate card {decision.rate_card} · policy {decision.policy}"
    if decision.guard:
        yield f"guard       {decision.guard.detail}"
    for warning in decision.warnings:
        yield f"note        {warning}"
    for hint in hints_of(decision):
        yield f"hint        {hint.words} (--{hint.field})"
    yield from _compression(decision.compression)
    yield _bold(f"candidates  {len(decision.candidates)}, in the order they are tried")
    for place, candidate in enumerate(decision.candidates, 1):
        yield from _branch(list(_candidate(place, candidate)), last=place == len(decision.candidates))
    yield from _dropped(decision)
    if explanation.text_call:
        yield f"{_bold('text call')}   {explanation.text_call.endpoint}"
        yield from _indented(json.dumps(explanation.text_call.payload, indent=2, ensure_ascii=False))
    yield f"{_bold('endpoint')}    {explanation.endpoint}"
    yield _bold("payload")
    yield from _indented(json.dumps(explanation.payload, indent=2, ensure_ascii=False))
    yield _bold("sdk call")
    yield from _indented(explanation.sdk_call)


def _compression(step: Compression | None) -> Iterator[str]:
    """The text call before dispatch, with its price, or why there is none."""
    if step is None:
        return
    if step.skipped or not step.quote or not step.model:
        yield f"compress    not done: {step.skipped}"
        return
    why = f"{', '.join(step.needed_by)} cannot read it otherwise" if step.needed_by else ""
    why = why or f"{show_usd(step.saving)} less input"
    yield (
        f"compress    the prompt of about {step.tokens:,} tokens to {step.target:,} by {step.model.id}, "
        f"{show_usd(step.quote.total)} expected, at most {show_usd(step.quote.ceiling)}: {why}"
    )
    for line in step.quote.lines:
        yield f"            {_line(line)}"


def _candidate(place: int, candidate: Candidate) -> Iterator[str]:
    parameters = candidate.parameters
    shape = [f"size {parameters.size}", f"aspect {parameters.aspect or 'free'}"]
    if parameters.thinking:
        shape.append(f"thinking {parameters.thinking}")
    yield f"{place}. {_who(candidate)}  {_price(candidate.quote)}"
    yield f"{candidate.reason} ({', '.join(shape)})"
    for adapted in candidate.adapted:
        yield f"adapted: {adapted.detail}"
    for line in candidate.quote.lines:
        yield _line(line)


def _line(line: QuoteLine) -> str:
    rate = f"{show_usd(line.rate * 1_000_000)}/M" if line.unit == "token" else f"{show_usd(line.rate)} each"
    most = (
        f"  at most {line.ceiling_units:,} = {show_usd(line.ceiling)}" if line.ceiling != line.amount else ""
    )
    units = f"{line.units:,} {line.unit}{'' if line.units == 1 else 's' if line.unit != 'search' else 'es'}"
    return f"{line.kind:<26}{units:>14} × {rate:<11} = {show_usd(line.amount):<12}{most}".rstrip()


def _dropped(decision: Decision) -> Iterator[str]:
    if not decision.dropped:
        return
    yield _bold(f"dropped     {len(decision.dropped)}")
    width = max(len(_name(drop)) for drop in decision.dropped)
    for place, drop in enumerate(decision.dropped, 1):
        text = f"{_name(drop):<{width}}  {drop.reason}: {drop.detail}"
        yield from _branch([text], last=place == len(decision.dropped))


def _name(drop: Dropped) -> str:
    return " · ".join(part for part in (drop.tier, drop.model) if part)


def _who(candidate: Candidate) -> str:
    return f"{candidate.tier or 'pinned model'} · {candidate.model.id}"


def _price(quote: Quote) -> str:
    listed = f"list {show_usd(quote.list_price)}"
    return f"{show_usd(quote.total)} expected, at most {show_usd(quote.ceiling)} ({listed})"


def _branch(lines: list[str], *, last: bool) -> Iterator[str]:
    yield f"{'└─' if last else '├─'} {lines[0]}"
    for line in lines[1:]:
        yield f"{'  ' if last else '│ '}    {line}"


def _indented(text: str) -> Iterator[str]:
    return (f"  {line}" for line in text.splitlines())


def _bold(text: str) -> str:
    return ink(text, bold=True)
