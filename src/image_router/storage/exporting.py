"""Pictures out of the store into a folder, under readable names, with a manifest of JSON lines."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from image_router.core.budget import from_micros
from image_router.core.errors import AssetError
from image_router.core.money import usd_text
from image_router.storage.asset_queries import Query
from image_router.storage.asset_values import Asset, Parent
from image_router.storage.assets import Assets
from image_router.storage.files import make_folder, write_new, write_whole

MANIFEST: Final = "manifest.jsonl"
_PAGE: Final = 100
_SUFFIXES: Final = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    pictures: int
    """Files that are in the folder now, those of an earlier run included."""
    without: tuple[str, ...]
    """Why assets have no file, one sentence for each."""
    manifest: Path


async def export(assets: Assets, folder: Path, *, query: Query | None = None) -> Exported:
    """Write every picture of a query, bytes unchanged, and one line about each asset.

    Running again writes what is missing. `limit` and `before` of the query are not used. Raises AssetError
    when the folder cannot be written or holds another file under a picture's name.
    """
    wanted = replace(query or Query(), limit=_PAGE, before=None)
    lines: list[str] = []
    without: list[str] = []
    while page := await assets.list(wanted):
        for asset in page:
            name, problem = await _write(assets, asset, folder)
            if problem is not None:
                without.append(problem)
            parents = (await assets.family(asset.id)).parents
            lines.append(json.dumps(_line(asset, parents, name, problem), ensure_ascii=False))
        wanted = replace(wanted, before=page[-1].id)
    manifest = folder / MANIFEST
    await asyncio.to_thread(_put, manifest, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
    return Exported(pictures=len(lines) - len(without), without=tuple(without), manifest=manifest)


async def _write(assets: Assets, asset: Asset, folder: Path) -> tuple[str | None, str | None]:
    """The file's name, or why there is none."""
    try:
        data = await assets.read(asset)
    except AssetError as problem:
        return None, str(problem)
    day = f"{from_micros(asset.made_at):%Y%m%d-%H%M%S}"
    # The id may be any text a row was called; its digest is a safe name.
    tag = hashlib.sha256(asset.id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    name = f"{day}-{asset.tier or asset.model}-{tag}{_SUFFIXES.get(asset.media_type, '.bin')}"
    await asyncio.to_thread(_put_picture, folder / name, data)
    return name, None


def _put_picture(path: Path, data: bytes) -> None:
    try:
        make_folder(path.parent)
        if not write_new(path, data) and path.read_bytes() != data:
            raise AssetError(f"{path} exists and is another picture; export into another folder")
    except OSError as error:
        raise AssetError(f"{path} could not be written: {error.strerror or error}") from error


def _put(path: Path, data: bytes) -> None:
    try:
        make_folder(path.parent)
        write_whole(path, data)
    except OSError as error:
        raise AssetError(f"{path} could not be written: {error.strerror or error}") from error


def _line(asset: Asset, parents: tuple[Parent, ...], name: str | None, problem: str | None) -> dict[str, Any]:
    details = asset.details
    return {
        "id": asset.id,
        "file": name,
        "missing": problem,
        "sha256": asset.digest,
        "media_type": asset.media_type,
        "width": asset.pixels.width,
        "height": asset.pixels.height,
        "made_at": from_micros(asset.made_at).isoformat(),
        "scope": asset.scope,
        "purpose": asset.purpose,
        "tier": asset.tier,
        "model": asset.model,
        "cost_usd": usd_text(asset.cost),
        "request_id": asset.request_id,
        "response_id": asset.response_id,
        "key": asset.work_key,
        "c2pa": asset.provenance.c2pa,
        "xmp": asset.provenance.xmp,
        "source_type": asset.provenance.source_type,
        "prompt": details.prompt if details else None,
        "text": details.text if details else None,
        "rule": details.rule if details else None,
        "warnings": list(details.warnings) if details else [],
        "made_from": [{"sha256": p.digest, "role": p.role, "name": p.name} for p in parents],
    }
