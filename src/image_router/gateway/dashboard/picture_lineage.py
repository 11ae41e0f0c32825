"""Where a picture comes from and what became of it: two steps back, its siblings, what it was used for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from image_router.core.errors import AssetError
from image_router.core.money import show_usd
from image_router.core.palette import TITLE
from image_router.gateway.app import Visit
from image_router.gateway.router_scopes import owns
from image_router.storage.asset_values import Asset, Parent

ITSELF: Final = "this picture"
_MOST: Final = 8
"""Pictures of one generation that are drawn; the table has all."""
_STEP_X, _STEP_Y = 176, 132
_SIDE: Final = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """A picture in the lineage of another."""

    relation: str
    generation: int
    """Left to right; the picture itself is 0."""
    digest: str
    asset: Asset | None
    """None: it was given from outside, is not kept, or is not the viewer's."""
    note: str = ""
    """The role it was given, or its name."""
    made_from: tuple[str, ...] = ()
    """Digests, of those that are in the lineage too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """A picture among its relatives, oldest first."""

    own: Asset
    relatives: tuple[Relative, ...]

    @property
    def alone(self) -> bool:
        return len(self.relatives) == 1

    @property
    def parents(self) -> tuple[Relative, ...]:
        """What it was made from."""
        return tuple(one for one in self.relatives if one.generation == -1)


async def lineage_of(visit: Visit, own: Asset) -> Lineage:
    """What the viewer may see of it; others' pictures are there without being shown."""
    family = await visit.parts.books.assets.family(own.id)
    parents = [await _origin(visit, each, generation=-1) for each in family.parents]
    elders, siblings = await _around(visit, own, parents)
    children = [
        _made(one, "made from it", 1, own.digest) for one in family.children if owns(visit, one.scope)
    ]
    itself = _made(own, ITSELF, 0, *(one.digest for one in parents))
    unique: dict[str, Relative] = {}
    for one in (*elders, *parents, itself, *siblings, *children):
        unique.setdefault(one.digest, one)
    return Lineage(own=own, relatives=tuple(unique.values()))


async def _around(visit: Visit, own: Asset, parents: list[Relative]) -> tuple[list[Relative], list[Relative]]:
    """What its parents were made from, and what else was made from the same."""
    elders: list[Relative] = []
    siblings: list[Relative] = []
    for place, parent in enumerate(parents):
        if parent.asset is None:
            continue
        family = await visit.parts.books.assets.family(parent.asset.id)
        found = [await _origin(visit, each, generation=-2) for each in family.parents]
        elders += found
        parents[place] = _made(
            parent.asset, parent.relation, -1, *(one.digest for one in found), note=parent.note
        )
        siblings += [
            _made(one, "made from the same", 0, parent.digest)
            for one in family.children
            if one.id != own.id and owns(visit, one.scope)
        ]
    return elders, siblings


async def _origin(visit: Visit, parent: Parent, *, generation: int) -> Relative:
    try:
        found = await visit.parts.books.assets.get(parent.digest)
    except AssetError:
        found = None
    return Relative(
        relation="reference" if generation == -1 else "reference of its reference",
        generation=generation,
        digest=parent.digest,
        asset=found if found is not None and owns(visit, found.scope) else None,
        note=parent.role,
    )


def _made(one: Asset, relation: str, generation: int, *sources: str, note: str = "") -> Relative:
    return Relative(
        relation=relation, generation=generation, digest=one.digest, asset=one, note=note, made_from=sources
    )


def graph(lineage: Lineage) -> Markup:
    """The lineage from left to right as SVG; each picture is a link, and the table says the same."""
    columns: dict[int, list[Relative]] = {}
    for one in lineage.relatives:
        columns.setdefault(one.generation, []).append(one)
    shown = {place: sorted(found, key=_age)[:_MOST] for place, found in sorted(columns.items())}
    tallest = max(len(found) for found in shown.values())
    places: dict[str, tuple[int, int]] = {}
    for left, found in enumerate(shown.values()):
        top = (tallest - len(found)) * _STEP_Y // 2
        places |= {one.digest: (left * _STEP_X, top + row * _STEP_Y) for row, one in enumerate(found)}
    drawn = [one for found in shown.values() for one in found]
    width, height = (len(shown) - 1) * _STEP_X + _SIDE, (tallest - 1) * _STEP_Y + _SIDE + 28
    return Markup(
        '<svg class="graph" width="{0}" height="{1}" viewBox="-4 -4 {2} {3}" role="group" '
        'aria-label="Lineage, from references on the left to what was made of them">{4}{5}</svg>'
    ).format(
        width + 8,
        height + 8,
        width + 8,
        height + 8,
        Markup("").join(_edges(drawn, places)),
        Markup("").join(_node(one, places[one.digest], own=lineage.own) for one in drawn),
    )


def _age(one: Relative) -> tuple[bool, int]:
    """Oldest first, but the picture itself before all of its generation."""
    return one.relation != ITSELF, one.asset.made_at if one.asset else 0


def _edges(drawn: list[Relative], places: dict[str, tuple[int, int]]) -> Iterator[Markup]:
    for one in drawn:
        x, y = places[one.digest]
        for source in one.made_from:
            if source in places:
                left, top = places[source]
                yield _edge((left + _SIDE, top + _SIDE // 2), (x, y + _SIDE // 2))


def _edge(start: tuple[int, int], end: tuple[int, int]) -> Markup:
    middle = (start[0] + end[0]) // 2
    path = f"M{start[0]} {start[1]}C{middle} {start[1]} {middle} {end[1]} {end[0]} {end[1]}"
    return Markup('<path class="edge" d="{}"/>').format(path)


def _node(one: Relative, place: tuple[int, int], *, own: Asset) -> Markup:
    inside = _face(one, place)
    if one.asset is None or one.asset.id == own.id:
        return Markup('<g class="node{} tier-{}">{}</g>').format(
            " self" if one.asset else "", one.asset.tier if one.asset and one.asset.tier else "none", inside
        )
    return Markup('<a class="node tier-{}" href="/dashboard/pictures/{}" aria-label="{}">{}</a>').format(
        one.asset.tier or "none", one.asset.id, f"{one.relation}: {_words(one.asset)}", inside
    )


def _face(one: Relative, place: tuple[int, int]) -> Markup:
    x, y = place
    there = one.asset is not None and one.asset.stored and one.asset.removed_at is None
    picture = (
        Markup(
            '<image href="/dashboard/pictures/{}/thumbnail" x="{}" y="{}" width="{}" height="{}" '
            'preserveAspectRatio="xMidYMid slice"/>'
        ).format(one.asset.id if one.asset else "", x, y, _SIDE, _SIDE)
        if there
        else Markup('<text class="away" x="{}" y="{}">{}</text>').format(
            x + _SIDE // 2, y + _SIDE // 2 + 4, "not kept" if one.asset else "given"
        )
    )
    label = one.relation if one.relation == ITSELF else one.note or _price(one)
    return Markup(
        '<rect class="frame" x="{0}" y="{1}" width="{2}" height="{2}" rx="8"/>{3}'
        '<text class="label" x="{4}" y="{5}">{6}</text>'
    ).format(x, y, _SIDE, picture, x + _SIDE // 2, y + _SIDE + 18, label)


def _price(one: Relative) -> str:
    return show_usd(one.asset.cost) if one.asset else ""


def _words(one: Asset) -> str:
    prompt = one.details.prompt if one.details else "a picture whose words were forgotten"
    return f"{prompt} ({TITLE[one.tier] if one.tier else one.model})"
