"""The facts files: shipped ones from `data/`, the user's own from the home folder on top.

`<home>/catalog/*.toml` add to or replace models, lineages and pixel tables; a card in
`<home>/rate_cards/YYYY-MM-DD.toml` replaces the shipped one of that day, or adds a day;
`<home>/economics.toml` replaces the mix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from image_router.core.catalog import Catalog, ModelState
from image_router.core.catalog_toml import parse_catalog
from image_router.core.errors import ConfigError
from image_router.core.policy import Policy
from image_router.core.policy_toml import parse_policy
from image_router.core.rates import RateCard
from image_router.core.rates_toml import parse_card
from image_router.core.toml_table import TomlFile

if TYPE_CHECKING:
    from datetime import date

    from image_router.core.economics import Mix
    from image_router.core.limits import TrafficRules
    from image_router.core.packing import BatchLimits
    from image_router.core.template import Template

# importlib.resources costs 15 ms to import, and the wheel is always unpacked.
SHIPPED = Path(__file__).parent / "data"


def load_catalog(home: Path | None, overrides: Mapping[str, ModelState] | None = None) -> Catalog:
    """The catalog, with what configuration or a probe knows better about uncertain models.

    Raises ConfigError for a broken file.
    """
    return parse_catalog([_read(path) for path in _files("catalog", home)], overrides)


def load_cards(home: Path | None, *, serving: date | None = None) -> tuple[RateCard, ...]:
    """All rate cards, oldest first; with `serving`, that day's alone, or the first where none serves it.

    Raises ConfigError for a broken file or one not named by its day, among those that are read.
    """
    paths = sorted(
        {path.name: path for path in _files("rate_cards", home)}.values(), key=lambda path: path.name
    )
    if serving is not None:
        before = [path for path in paths if path.stem <= serving.isoformat()]
        paths = before[-1:] or paths[:1]
    return tuple(_card(path) for path in paths)


def load_mix(home: Path | None) -> Mix:
    """The mix of projections: the user's, else the shipped one. Raises ConfigError for a broken file."""
    from image_router.core.economics import parse_mix  # what explaining need not load

    return parse_mix(_read(_own(home, "economics.toml")))


def load_policies(
    home: Path | None, extra: Path | None = None, *, only: str | None = None
) -> dict[str, Policy]:
    """Policies by name: shipped, the user's `<home>/policies/*.toml`, and one more file.

    With `only`, that one, if there is such a policy. Raises ConfigError for a broken file, with line and
    reason, among those that are parsed: the policies answered, and what they extend.
    """
    files = {path.stem: _read(path) for path in [*_files("policies", home), *([extra] if extra else [])]}
    wanted = [only] if only in files else files
    return {name: parse_policy(files[name], parents=files) for name in wanted}


def read_policy(home: Path | None, given: str) -> Policy:
    """A policy that is no file yet; it may extend those that are. Raises ConfigError with line and reason."""
    parents = {path.stem: _read(path) for path in _files("policies", home)}
    return parse_policy(TomlFile("policy", given), parents=parents)


def load_traffic(
    home: Path | None,
    *,
    tier: int | None,
    tiers: Mapping[str, int] = MappingProxyType({}),
    paced: bool = True,
) -> TrafficRules:
    """Limits and circuits: the user's `<home>/limits/*.toml`, else the shipped ones.

    `tier` is the usage tier of every project that `tiers` does not name; None: nothing is limited, except
    while the provider asks to wait. Not `paced`: nothing is limited at all.
    """
    from image_router.core.limits import TrafficRules, UsageTier  # what explaining need not load
    from image_router.core.limits_toml import parse_circuits, parse_limits

    book = parse_limits(_read(_own(home, "limits/gemini.toml")))
    if not paced:
        book = replace(book, everywhere=dict.fromkeys(UsageTier, ()), models={})
    return TrafficRules(
        book=book,
        trips=parse_circuits(_read(_own(home, "limits/circuits.toml"))),
        tier=None if tier is None else UsageTier(str(tier)),
        tiers={project: UsageTier(str(own)) for project, own in tiers.items()},
    )


def load_batch_limits(home: Path | None) -> BatchLimits:
    """Limits of the Batch API: the user's `<home>/limits/batch.toml`, else the shipped ones."""
    from image_router.core.packing_toml import parse_batch_limits  # what explaining need not load

    return parse_batch_limits(_read(_own(home, "limits/batch.toml")))


def load_templates(home: Path | None) -> dict[str, Template]:
    """Templates by name: the shipped ones and the user's `<home>/templates/*.toml`.

    Raises ConfigError for a broken file.
    """
    from image_router.core.template_toml import parse_template  # what explaining need not load

    return {path.stem: parse_template(_read(path)) for path in _files("templates", home)}


def template_text(home: Path | None, name: str) -> str:
    """A template's file as it is, the user's where both have the name."""
    paths = {path.stem: path for path in _files("templates", home)}
    return _read(paths[name]).text


def load_template(path: Path) -> Template:
    """A template of the user's. Raises ConfigError."""
    from image_router.core.template_toml import parse_template  # as above

    return parse_template(_read(path))


def _own(home: Path | None, name: str) -> Path:
    """The user's file where there is one."""
    path = home / name if home else None
    return path if path and path.exists() else SHIPPED / name


def _card(path: Path) -> RateCard:
    card = parse_card(_read(path))
    if path.stem != card.day.isoformat():
        raise ConfigError(f"{path} is the rate card of {card.day}; name it {card.day}.toml or mend its day")
    return card


def _files(kind: str, home: Path | None) -> list[Path]:
    """Shipped files first, the user's after them, each group by name."""
    folders = [SHIPPED / kind, *([home / kind] if home else [])]
    return [path for folder in folders for path in sorted(folder.glob("*.toml"))]


def _read(path: Path) -> TomlFile:
    try:
        return TomlFile(str(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} cannot be read: {problem}") from None
