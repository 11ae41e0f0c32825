"""Writes the generated parts of README.md and docs/*.md anew: `make docs`, or `--check` to compare only.

A generated part stands between `<!-- generated: name -->` and `<!-- end -->`. It is made from the data, the
commands and the code, never by hand. Days are fixed by the data, so that the calendar makes nothing stale.
"""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import partial
from itertools import product
from pathlib import Path

import click

from image_router import facts
from image_router.cli.app import COMMANDS, cli
from image_router.cli.failures import exit_table
from image_router.cli.model_rows import as_markdown
from image_router.config import VARIABLES, Settings
from image_router.core.article import route_tier
from image_router.core.breaker import TripRule
from image_router.core.decision import Decision, Snapshot
from image_router.core.economics import Basis, Market, projection, tier_price, usd
from image_router.core.errors import ImageRouterError
from image_router.core.limits import LimitBook, UsageTier
from image_router.core.limits_toml import parse_circuits, parse_limits
from image_router.core.pacing import Resource
from image_router.core.palette import TITLE
from image_router.core.rates import card_on
from image_router.core.reactions import Reaction, answer_reactions, error_reactions, fault_reactions
from image_router.core.routing import World, decide
from image_router.core.toml_table import TomlFile
from image_router.core.types import ImageRequest, Lane, Purpose, Reference, Tier
from image_router.engine.model_rows import Known

ROOT = Path(__file__).parents[1]
ARTICLE_DAY = date(2026, 4, 9)
Cells = tuple[str, ...]

_ROLES = {
    Tier.NANO_BANANA_PRO: "character lock: identity kept over references",
    Tier.GEMINI_31_FLASH_IMAGE: "contextual edits at high throughput",
    Tier.NANO_BANANA: "economy, the default",
    Tier.IMAGEN_4_ULTRA: "print finals, exact lettering",
    Tier.IMAGEN_4_STANDARD: "general hero",
    Tier.IMAGEN_4_FAST: "drafts and previews",
}


def known(day: date | None = None) -> Known:
    """The shipped facts, on the day they were last checked or on another one."""
    catalog = facts.load_catalog(None)
    day = day or max(model.checked for model in catalog.models.values())
    return Known(catalog=catalog, card=card_on(day, facts.load_cards(None)), day=day)


def tiers() -> str:
    """Each tier: role, model and list price then and now."""
    now, then = known(), known(ARTICLE_DAY)
    rows = [
        (f"`{tier}`", _ROLES[tier], *_served(now, tier), *_served(then, tier))
        for tier in sorted(Tier, key=list(TITLE).index)
    ]
    head = ("Tier", "For", f"Model on {now.day}", "1K", f"Model on {then.day}", "1K")
    return _table(head, rows)


def _served(world: Known, tier: Tier) -> Cells:
    entry = world.catalog.serving(tier, world.day)
    if entry is None:
        return ("–", "–")
    price = tier_price(Market(catalog=world.catalog, card=world.card, day=world.day), tier).price
    level = f" ({entry.thinking})" if entry.thinking else ""
    return f"{entry.model}{level}", usd(price, decimals=4)


def models() -> str:
    """The matrix of the last checked day."""
    world = known()
    return f"On {world.day}; list prices of the rate card of {world.card.day}.\n\n{as_markdown(world)}"


def models_of_the_article() -> str:
    return as_markdown(known(ARTICLE_DAY))


def blends() -> str:
    """What 10,000 images of the default mix cost, then and now, on each lane and basis."""
    terms = ((Lane.INTERACTIVE, Basis.LIST), (Lane.BATCH, Basis.LIST), (Lane.BATCH, Basis.HALVED))
    rows = [_blend(known(day), lane, basis=basis) for day in (ARTICLE_DAY, None) for lane, basis in terms]
    return _table(("Day", "Lane", "Basis", "An image", "10,000 images", "All on Pro costs"), rows)


def _blend(world: Known, lane: Lane, *, basis: Basis) -> Cells:
    market = Market(catalog=world.catalog, card=world.card, day=world.day, lane=lane, basis=basis)
    plan = projection(10_000, facts.load_mix(None), market=market)
    each, total = usd(plan.blend, decimals=5), usd(plan.total(plan.blend), decimals=2)
    return str(world.day), lane, basis, each, total, f"{float(plan.saving):.2f} times as much"


def exit_codes() -> str:
    rows = [(str(status), f"`{name}`" if name else "", meaning) for status, name, meaning in exit_table()]
    return _table(("Exit", "Error", "Meaning"), rows)


def commands() -> str:
    """Every command with its help and options, the commands of a group after it."""
    return "\n".join(_command(name, command) for name, command in _each_command())


def _each_command() -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        if command is None:
            raise LookupError(name)
        yield from _with_inner(name, command)


def _with_inner(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for each, inner in command.commands.items():
            yield from _with_inner(f"{name} {each}", inner)


def _command(name: str, command: click.Command) -> str:
    words, examples = _help_parts(command.help or "")
    options = [_option(option) for option in command.params if isinstance(option, click.Option)]
    shown = f"```sh\n{examples}\n```\n\n" if examples else ""
    table = _table(("Option", "Meaning", "Variable"), options) + "\n" if options else ""
    return f"### {name}\n\n{words}\n\n{shown}{table}"


def _help_parts(text: str) -> tuple[str, str]:
    """The prose, and the example lines that click keeps as they are after a \\b mark."""
    blocks = [block.strip("\n") for block in re.split(r"\n\s*\n", text)]
    prose = [" ".join(block.split()) for block in blocks if not block.lstrip().startswith("\b")]
    examples = [line.strip() for block in blocks if "\b" in block for line in block.splitlines()[1:]]
    return "\n\n".join(prose), "\n".join(examples).strip()


def _option(option: click.Option) -> Cells:
    help_text, _, variable = (option.help or "").partition("  [env: ")
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    choices = getattr(option.type, "names", ())
    listed = f" One of {', '.join(choices)}." if choices else ""
    return names, f"{help_text}{listed}", f"`{variable.removesuffix(']')}`" if variable else ""


def settings() -> str:
    """Every setting: TOML key, environment variables, default."""
    defaults = Settings(home=Path())
    rows = [
        (f"`{name}`", ", ".join(f"`{each}`" for each in names), _default(name, getattr(defaults, name)))
        for name, names in VARIABLES.items()
    ]
    return _table(("Key in image-router.toml", "Environment", "Default"), rows)


def _default(name: str, value: object) -> str:
    special = {
        "projects": "none",
        "home": "the user's data folder",
        "confirm_above": "`1` (dollars)",
        "user_agent": "image-router and its version",
        "model_states": "none",
        "limits": "see [the gateway](gateway.md#limits-of-a-process)",
    }
    if name in special:
        return special[name]
    return "–" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def differences() -> str:
    """Every input on which route_tier and the engine's policy differ."""
    found = [
        row for question in product(_YES_NO, _PURPOSES, _YES_NO, (0, 95)) if (row := _difference(*question))
    ]
    return _table(
        ("References", "Purpose", "Text heavy", "Budget used", "`route_tier`", "Engine", "Why"),
        _folded(found),
    )


_YES_NO = (False, True)
_PURPOSES = (*Purpose, None)
_REFERENCE = Reference(data=b"", media_type="image/png", digest="0" * 64, width=1024, height=1024)


def _difference(references: bool, purpose: Purpose | None, text_heavy: bool, used: int) -> Cells | None:
    article = route_tier(
        {
            "reference_images": references,
            "purpose": purpose,
            "text_heavy": text_heavy,
            "budget_consumed_pct": used,
        }
    )
    request = ImageRequest(
        prompt="a picture",
        purpose=purpose or Purpose.ECONOMY,
        text_heavy=text_heavy,
        references=(_REFERENCE,) if references else (),
    )
    engine, why = _engine(request, used)
    if engine == article:
        return None
    return (
        "yes" if references else "no",
        purpose or "(none)",
        "yes" if text_heavy else "no",
        f"{used} %",
        f"`{article}`",
        f"`{engine}`" if engine in list(Tier) else engine,
        why,
    )


def _engine(request: ImageRequest, used: int) -> tuple[str, str]:
    world = known(ARTICLE_DAY)
    policy = facts.load_policies(None)["default"]
    setting = World(catalog=world.catalog, card=world.card, policy=policy, day=world.day)
    try:
        decision = decide(request, setting, snapshot=Snapshot(pressure={"assumed": used}))
    except ImageRouterError as error:
        return f"refused ({error.code})", str(error).splitlines()[0]
    return str(decision.head.tier), _why(decision)


def _why(decision: Decision) -> str:
    if decision.guard:
        return decision.guard.detail
    passed = [drop for drop in decision.dropped if drop.reason in ("references", "size", "ratio")]
    aside = "; ".join(
        f"{drop.tier}: {drop.detail}" for drop in passed if decision.head.reason.startswith("fallback")
    )
    return decision.reason + (f"; {aside}" if aside else "")


def _folded(rows: list[Cells]) -> Iterator[Cells]:
    """Rows alike but for one yes/no or budget cell become one with 'any' there."""
    for column, values in ((2, ("no", "yes")), (3, ("0 %", "95 %")), (0, ("no", "yes"))):
        merged: dict[Cells, list[str]] = {}
        for row in rows:
            merged.setdefault((*row[:column], *row[column + 1 :]), []).append(row[column])
        rows = [
            (*rest[:column], "any" if len(seen) == len(values) else value, *rest[column:])
            for rest, seen in merged.items()
            for value in (seen[:1] if len(seen) == len(values) else seen)
        ]
    yield from rows


def failures(rows: Callable[[Sequence[TripRule]], Iterable[Reaction]]) -> str:
    """One kind of failure: sign, reaction, what is left alone afterwards, bill."""
    cells = (
        (row.sign, f"`{row.cause}`", f"`{row.error}`", row.reaction, row.aside or "–", row.billed)
        for row in rows(parse_circuits(_limits_file("circuits")))
    )
    head = ("Sign", "Cause", "Error", "Reaction", "Left alone or slowed", "Billed")
    return _table(head, (tuple(cell.replace("|", "\\|") for cell in row) for row in cells))


def limits() -> str:
    """What a project may send, by model and usage tier."""
    book = parse_limits(_limits_file("gemini"))
    rows = [(f"`{name}`", *_by_tier(book, name)) for name in book.models]
    return _table(("Model", *(f"Tier {tier}" for tier in UsageTier)), rows)


def _by_tier(book: LimitBook, model: str) -> Iterator[str]:
    for tier in UsageTier:
        published = (limit for limit in book.limits(model, tier) if limit.amount)
        yield ", ".join(
            f"{usd(limit.amount, decimals=0) if limit.resource is Resource.DOLLARS else f'{limit.amount:,}'} "
            f"{limit.name.removeprefix('dollars ')}"
            for limit in published
        )


def _limits_file(name: str) -> TomlFile:
    path = facts.SHIPPED / "limits" / f"{name}.toml"
    return TomlFile(str(path), path.read_text(encoding="utf-8"))


def scale(name: str) -> str:
    """A table of bench/scale.py, which is a script and no package."""
    head, *rows = runpy.run_path(str(ROOT / "bench" / "scale.py"))["TABLES"][name]()
    return _table(head, rows)


PARTS: dict[str, Callable[[], str]] = {
    "failures in error bodies": partial(failures, error_reactions),
    "failures in answers": partial(failures, answer_reactions),
    "failures on the way": partial(failures, fault_reactions),
    "limits": limits,
    "tiers": tiers,
    "models": models,
    "models of the article": models_of_the_article,
    "blends": blends,
    "exit codes": exit_codes,
    "commands": commands,
    "settings": settings,
    "differences": differences,
    **{
        f"scale {name}": partial(scale, name)
        for name in ("batch limits", "interactive limits", "batch needs", "interactive needs", "figures")
    },
}

_PART = re.compile(r"(<!-- generated: (?P<name>[a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def rewritten(text: str) -> str:
    """The text with every generated part made anew. Raises KeyError for an unknown part."""
    return _PART.sub(lambda part: f"{part[1]}{PARTS[part['name']]()}{part[3]}", text)


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def stale() -> list[Path]:
    """Documents whose generated parts are not those of the data and code."""
    return [path for path in documents() if rewritten(text := path.read_text(encoding="utf-8")) != text]


def main() -> int:
    behind = stale()
    for path in behind:
        if "--check" not in sys.argv:
            path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"{'stale' if '--check' in sys.argv else 'written'}: {path.relative_to(ROOT)}")
    return 1 if behind and "--check" in sys.argv else 0


def _table(head: Cells, rows: Iterable[Cells]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
