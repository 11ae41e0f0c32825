"""A run's folder: its pictures under readable names, and a manifest that says which came from which.

Running again finds what is finished. Order of writing a picture: the manifest with its digest, its bytes
beside (synced), then the rename; whatever instant the process dies at, a paid picture whose bytes were
written is found, and one whose bytes were not is made again.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from image_router.core.chain import REFERENCE_KEY, ChainItem
from image_router.core.errors import AssetError, ChainError, InvalidRequest
from image_router.core.fingerprint import fingerprint
from image_router.core.money import Nanos, parse_usd, usd_text
from image_router.core.rates import Cost
from image_router.core.results import GeneratedImage
from image_router.core.types import Pixels, Tier
from image_router.storage.files import sync_folder, write_whole

MANIFEST = "manifest.json"
_FORMAT = 1


class RunFolder:
    """One process at a time: entering takes the folder's lock. Raises ChainError when another holds it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = folder / MANIFEST
        self._items: dict[str, dict[str, Any]] = {}
        self._refusals: dict[str, int] = {}
        self._run = secrets.token_hex(8)

    def __enter__(self) -> Self:
        lock = self.folder / ".lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(lock)
            self._lock.acquire(timeout=0)
        except Timeout:
            if not lock.exists():  # filelock takes a lock that cannot be made for one that is held
                raise AssetError(f"the run folder {self.folder} takes no files; use another") from None
            raise ChainError(
                f"another run is using {self.folder}; wait for it, or use another folder"
            ) from None
        except OSError as problem:
            raise AssetError(f"the run folder {self.folder} cannot be used: {problem}") from problem
        with ExitStack() as unless_read:
            unless_read.callback(self._lock.release)
            self._items = self._read()
            unless_read.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self.manifest.exists():
            return {}
        try:
            record = json.loads(self.manifest.read_bytes())
            if record["format"] != _FORMAT:
                raise ChainError(
                    f"{self.manifest} has format {record['format']}; this program reads {_FORMAT}"
                )
            self._run = str(record.get("run", self._run))
            self._refusals = {key: int(times) for key, times in record.get("refusals", {}).items()}
            return {key: _checked(entry) for key, entry in record["items"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidRequest) as problem:
            raise ChainError(
                f"{self.manifest} cannot be read ({type(problem).__name__}: {problem}); restore it, "
                f"or move it and its pictures away to begin anew"
            ) from problem

    @property
    def paid(self) -> Nanos:
        """What all pictures of the manifest cost when they were made."""
        return sum(parse_usd(item["cost_usd"]) for item in self._items.values())

    def finished(self, items: Sequence[ChainItem]) -> dict[str, GeneratedImage]:
        """The pictures made before for these items, free, by key; those that are missing have none.

        Raises ChainError when the folder holds another chain or somebody else's pictures, AssetError when a
        picture was changed; nothing is to be paid before all items of a step were asked for here.
        """
        found = {item.key: image for item in items if (image := self._found(item))}
        orphans = self._items.keys() - {REFERENCE_KEY}
        if orphans and any(item.key == REFERENCE_KEY for item in items) and REFERENCE_KEY not in found:
            raise ChainError(
                f"the reference in {self.folder} is missing, and {len(orphans)} variants came from it: a new "
                f"reference would not fit them; restore it, or use another folder"
            )
        if not self.manifest.exists():
            self._begin()
        return found

    def key_of(self, item: ChainItem) -> str:
        """One picture's key: of this run, of what is asked for, of a picture that was taken away, and of how
        often the provider refused it."""
        names = [f"run-{self._run}", item.key, fingerprint(item.request)[:16]]
        if before := self._items.get(item.key):
            names.append(before["sha256"][:16])
        if times := self._refusals.get(item.key):
            names.append(f"refused-{times}")
        return "/".join(names)

    def refused(self, item: ChainItem) -> None:
        """A key remembers a refusal for ever; who runs the folder again wants the picture asked for anew.

        Raises AssetError when the disk does not take it: the next run then tells the same refusal once more.
        """
        self._refusals[item.key] = self._refusals.get(item.key, 0) + 1
        try:
            self._write_manifest()
        except OSError as problem:
            raise AssetError(f"{self.manifest} could not be written: {problem}") from problem

    def _begin(self) -> None:
        """The run's name is on disk before anything is paid under it."""
        try:
            self._write_manifest()
        except OSError as problem:
            raise AssetError(f"the run folder {self.folder} cannot be used: {problem}") from problem

    def _found(self, item: ChainItem) -> GeneratedImage | None:
        entry = self._items.get(item.key)
        if entry is None:
            self._refuse_strangers(item)
            return None
        if entry["fingerprint"] != fingerprint(item.request):
            raise ChainError(
                f"{self.folder} holds another chain: {item.key} was asked with another prompt, reference or "
                f"shape; use another folder, or delete {MANIFEST} and its pictures to begin anew"
            )
        try:
            data = self._bytes(entry)
        except OSError as problem:
            raise AssetError(f"{self.folder / entry['file']} cannot be read: {problem}") from problem
        return _image(entry, data) if data is not None else None

    def _refuse_strangers(self, item: ChainItem) -> None:
        """A picture that the manifest does not know is never written over."""
        for stranger in self.folder.glob(f"{item.key}.*"):
            raise ChainError(
                f"{stranger} is there, but {MANIFEST} does not know it; move it away, or use another folder"
            )

    def _bytes(self, entry: dict[str, Any]) -> bytes | None:
        path: Path = self.folder / entry["file"]
        part: Path = self.folder / f".{entry['file']}.part"
        if not path.exists() and part.exists() and _digest(part.read_bytes()) == entry["sha256"]:
            self._name(part, path)
        if not path.exists():
            return None
        data = path.read_bytes()
        if _digest(data) != entry["sha256"]:
            raise AssetError(f"{path} was changed since it was made; move it away to have it made anew")
        return data

    def keep(self, item: ChainItem, image: GeneratedImage) -> Path:
        """Store one picture. Raises AssetError when the disk does not take it; the image itself is paid."""
        name = f"{item.key}{image.extension}"
        path, part = self.folder / name, self.folder / f".{name}.part"
        try:
            # The bytes first: an entry without them is a picture that somebody took away.
            write_whole(part, image.data)
            self._items[item.key] = _entry(item, image, name)
            self._write_manifest()
            self._name(part, path)
        except OSError as problem:
            raise AssetError(f"{path} could not be written (the picture is paid): {problem}") from problem
        return path

    def _name(self, part: Path, path: Path) -> None:
        part.replace(path)
        sync_folder(self.folder)

    def _write_manifest(self) -> None:
        record = {"format": _FORMAT, "kind": "character_chain", "run": self._run, "items": self._items}
        if self._refusals:
            record["refusals"] = self._refusals
        write_whole(self.manifest, json.dumps(record, indent=2, ensure_ascii=False).encode())


def _entry(item: ChainItem, image: GeneratedImage, name: str) -> dict[str, Any]:
    return {
        "file": name,
        "sha256": image.digest,
        "media_type": image.media_type,
        "width": image.pixels.width,
        "height": image.pixels.height,
        "prompt": item.request.prompt,
        "fingerprint": fingerprint(item.request),
        "made_from": [reference.digest for reference in item.request.references],
        "parent": None if item.key == REFERENCE_KEY else REFERENCE_KEY,
        "tier": image.tier,
        "model": image.model,
        "cost_usd": usd_text(image.cost.total),
        "rate_card": image.cost.card.isoformat() if image.cost.card else None,
        "request_id": image.request_id,
        "response_id": image.response_id,
        "warnings": list(image.warnings),
    }


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry, if a picture can be told from it. Raises what is wrong with it."""
    parse_usd(entry["cost_usd"], name="cost_usd")
    _image(entry, b"")
    if Path(entry["file"]).name != entry["file"] or not isinstance(entry["fingerprint"], str):
        raise ValueError(f"{entry['file']!r} with fingerprint {entry['fingerprint']!r} is no entry")
    return entry


def _image(entry: dict[str, Any], data: bytes) -> GeneratedImage:
    return GeneratedImage(
        data=data,
        media_type=entry["media_type"],
        pixels=Pixels(entry["width"], entry["height"]),
        digest=entry["sha256"],
        tier=Tier(entry["tier"]) if entry["tier"] else None,
        model=entry["model"],
        cost=Cost(),
        usage=None,
        request_id=entry["request_id"],
        response_id=entry["response_id"],
        cached=True,
        warnings=tuple(entry["warnings"]),
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
