"""Styles and scripts: read once, named by their digest, kept by browsers for a year."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.responses import Response

from image_router.core.palette import DARK, LIGHT
from image_router.gateway import refusals
from image_router.gateway.app import Visit

PREFIX: Final = "/dashboard/static/"
_FOLDER: Final = Path(__file__).parent / "static"
_KINDS: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_IMPORT: Final = re.compile(r'from "\./([\w-]+\.js)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Static:
    """One file as it is sent."""

    name: str
    """With its digest: app.1f2e3d4c5b6a.css."""
    data: bytes
    media_type: str


@cache
def statics() -> Mapping[str, Static]:
    """All files by their plain names; a module names the modules it imports by their digests too."""
    found: dict[str, Static] = {}
    for path in _in_order(_FOLDER):
        text = path.read_text(encoding="utf-8")
        if path.name == "app.css":
            text = tier_colours() + text
        text = _IMPORT.sub(lambda match: f'from "./{found[match[1]].name}"', text)
        data = text.encode()
        digest = hashlib.sha256(data).hexdigest()[:12]
        name = f"{path.stem}.{digest}{path.suffix}"
        found[path.name] = Static(name=name, data=data, media_type=_KINDS[path.suffix])
    return found


def address(name: str) -> str:
    """The path of a file for as long as its content is this."""
    return PREFIX + statics()[name].name


async def static(visit: Visit) -> Response:
    """GET /dashboard/static/{name}."""
    name = visit.request.path_params["name"]
    found = next((one for one in statics().values() if one.name == name), None)
    if found is None:
        raise refusals.absent(f"there is no file {name!r} here; load the page again")
    headers = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
    return Response(found.data, headers=headers, media_type=found.media_type)


def tier_colours() -> str:
    """One custom property for each tier, and a class that makes it the colour of what is inside."""
    return "".join(_colour_rules())


def _colour_rules() -> Iterator[str]:
    yield ":root{"
    for tier, light in LIGHT.items():
        yield f"--{tier}:light-dark({light},{DARK[tier]});"
    yield "}\n"
    for tier in LIGHT:
        yield f".tier-{tier}{{--tier:var(--{tier})}}\n"


def _in_order(folder: Path) -> Iterator[Path]:
    """A module after those it imports."""
    left = {path.name: path for path in sorted(folder.iterdir())}
    while left:
        ready = [name for name, path in left.items() if not left.keys() & set(_imports(path))]
        for name in ready:
            yield left.pop(name)


def _imports(path: Path) -> list[str]:
    return _IMPORT.findall(path.read_text(encoding="utf-8"))
