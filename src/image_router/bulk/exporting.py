"""Pictures of a run into a folder or bucket, under names by subject and picture, with manifest and sheets.

Pictures are written once and never over others; running again writes what is missing.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from image_router.bulk.contact_sheets import Shown, page, shown
from image_router.bulk.manifests import Entry, Manifests
from image_router.core.errors import AssetError
from image_router.core.reply import ImageFacts
from image_router.core.runs import Row, Run, Stage
from image_router.core.template import PICTURE
from image_router.engine import media
from image_router.storage.blobs import BlobFault, Blobs
from image_router.storage.objects import ObjectStore
from image_router.storage.runs import StoredRuns
from image_router.storage.runs_rows import RowQuery

PAGE: Final = 500
"""Rows read at once."""
_AT_ONCE: Final = 16
"""Pictures in memory."""
_ON_A_SHEET: Final = 500
_LONGEST_NAME: Final = 80
_SUFFIXES: Final = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
_FOREIGN: Final = re.compile(r"[^0-9A-Za-z._-]+")


@dataclass(slots=True, kw_only=True)
class Exported:
    """What is at the place now, earlier exports included."""

    rows: int = 0
    pictures: int = 0
    sheets: int = 0
    manifests: tuple[str, ...] = ()
    without: list[str] = field(default_factory=list)
    """Why rows that were made have no file, one sentence for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporting:
    """From where to where."""

    runs: StoredRuns
    blobs: Blobs
    to: ObjectStore
    sheets: bool = True
    """One of every subject with several pictures."""
    parquet: bool = True

    async def export(self, run: Run, told: Callable[[Exported], None] = lambda _: None) -> Exported:
        """Write every picture that is made, and a line about every row. Raises AssetError, ConfigError where
        Parquet lacks its package."""
        done = Exported()
        manifests = Manifests(run, self.to, parquet=self.parquet)
        sheets = _Sheets(self, run, done=done)
        async for rows in self._pages(run):
            for filed in await self._filed(run, rows):
                done.rows += 1
                done.pictures += filed.entry.file is not None
                if filed.entry.missing is not None:
                    done.without.append(f"row {filed.entry.row.planned.number:,}: {filed.entry.missing}")
                await manifests.add(filed.entry)
                if self.sheets:
                    await sheets.add(filed)
            told(done)
        await sheets.close()
        done.manifests = await manifests.close()
        return done

    async def _pages(self, run: Run) -> AsyncIterator[list[Row]]:
        after = 0
        while rows := await self.runs.rows_of(RowQuery(run_id=run.id, after=after, limit=PAGE)):
            yield rows
            after = rows[-1].planned.number

    async def _filed(self, run: Run, rows: Sequence[Row]) -> list[_Filed]:
        """Write the pictures of some rows, and say where."""
        gate, firsts = asyncio.Semaphore(_AT_ONCE), await self._firsts(run, rows)

        async def one(row: Row, stem: str) -> _Filed:
            first = firsts.get(row.planned.subject) if row.planned.stage is Stage.SECOND else None
            async with gate:
                return await self._file(Entry(row=row, first=first), stem)

        return list(await asyncio.gather(*(one(*each) for each in zip(rows, _stems(rows), strict=True))))

    async def _firsts(self, run: Run, rows: Sequence[Row]) -> dict[str, Row]:
        """The rows whose pictures these rows' were conditioned on, by subject."""
        subjects = {row.planned.subject for row in rows if row.planned.stage is Stage.SECOND}
        query = RowQuery(run_id=run.id, subjects=subjects, stage=Stage.FIRST)
        found: dict[str, Row] = {}
        for row in await self.runs.rows_of(query) if subjects else ():
            found.setdefault(row.planned.subject, row)
        return found

    async def _file(self, entry: Entry, stem: str) -> _Filed:
        digest = entry.row.asset
        if digest is None:
            return _Filed(entry, None)
        try:
            data = await self.blobs.read(digest)
        except BlobFault as fault:
            return _Filed(replace(entry, missing=str(fault)), None)
        try:
            picture = await asyncio.to_thread(media.inspect, data)
        except media.Defect as defect:
            return _Filed(replace(entry, missing=f"the picture {digest[:12]}…: {defect}"), None)
        name = await self._put(stem, data, picture=picture)
        filed = replace(entry, file=name, picture=picture)
        drawn = await asyncio.to_thread(shown, filed, data) if self.sheets else None
        return _Filed(filed, drawn)

    async def _put(self, stem: str, data: bytes, *, picture: ImageFacts) -> str:
        """The name it is under: its own, or with its digest where another picture has that."""
        suffix = _SUFFIXES[picture.media_type]
        for name in (f"{stem}{suffix}", f"{stem}-{picture.digest[:12]}{suffix}"):
            if await self.to.put(name, data) or await self._holds(name, data):
                return name
        raise AssetError(f"{self.to.where}/{name} exists and is another picture; export to another place")

    async def _holds(self, name: str, data: bytes) -> bool:
        return await self.to.size(name) == len(data) and await self.to.get(name) == data


@dataclass(frozen=True, slots=True)
class _Filed:
    entry: Entry
    shown: Shown | None


class _Sheets:
    """Sheets of subjects whose rows follow each other."""

    def __init__(self, exporting: Exporting, run: Run, *, done: Exported) -> None:
        self._exporting, self._run, self._done = exporting, run, done
        self._open: list[_Filed] = []

    async def add(self, filed: _Filed) -> None:
        subject = filed.entry.row.planned.subject
        if self._open and (
            self._open[0].entry.row.planned.subject != subject or len(self._open) >= _ON_A_SHEET
        ):
            await self.close()
        self._open.append(filed)

    async def close(self) -> None:
        """Write the sheet of what came together, unless it is one picture alone."""
        entries = [filed.entry for filed in self._open]
        drawn = [filed.shown for filed in self._open if filed.shown is not None]
        self._open = []
        if len(drawn) < 2:
            return
        name = f"{folder_of(entries[0].row.planned.subject)}/{await self._name(entries[0].row)}"
        html = page(self._run, entries, pictures=drawn)
        await self._exporting.to.put(name, html.encode("utf-8", "replace"), replace=True)
        self._done.sheets += 1

    async def _name(self, row: Row) -> str:
        """Rows of a subject that come later, away from its first ones, have a sheet of their own."""
        query = RowQuery(run_id=self._run.id, subjects=[row.planned.subject], limit=1)
        (first,) = await self._exporting.runs.rows_of(query)
        here = row.planned.number
        return "sheet.html" if first.planned.number == here else f"sheet-from-row-{here}.html"


def _stems(rows: Sequence[Row]) -> list[str]:
    """Names without suffix. Two pictures of one subject that are called alike differ by their rows."""
    taken: dict[str, str | None] = {}
    stems = []
    for row in rows:
        planned = row.planned
        stem = f"{folder_of(planned.subject)}/{name_of(planned.ask.fields.get(PICTURE) or planned.key)}"
        if taken.setdefault(stem, row.asset) != row.asset:
            stem = f"{stem}-row-{planned.number}"
        stems.append(stem)
    return stems


def folder_of(subject: str) -> str:
    """Where the pictures of a subject are."""
    return f"pictures/{name_of(subject)}"


def name_of(words: str) -> str:
    """Words as a file's name that people recognise and every system takes; words that had to be changed for
    it are told apart by their digest."""
    ascii_ = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    plain = _FOREIGN.sub("-", ascii_).strip(".-")[:_LONGEST_NAME].rstrip(".-")
    if plain == words:
        return plain
    tag = hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{tag}" if plain else tag
