"""What a row asks for, with the bytes of its references: its line's, and its subject's first picture."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Final

from image_router.bulk.planning import request_of
from image_router.core.errors import AssetError
from image_router.core.runs import Row, RowState, Run, Stage
from image_router.core.types import ImageRequest, Reference, ReferenceRole
from image_router.engine import media
from image_router.engine.router import ImageRouter
from image_router.storage.assets import Assets
from image_router.storage.blobs import BlobFault
from image_router.storage.runs import StoredRuns
from image_router.storage.runs_rows import RowQuery

_SHOWN: Final = 32
"""Pictures kept in memory, of the subjects that were asked for last."""


class NoReference(AssetError):
    """A row's subject has no picture and will have none; `first` is the row that should have made it."""

    def __init__(self, message: str, *, first: Row | None) -> None:
        super().__init__(message)
        self.first = first


@dataclass(slots=True, kw_only=True)
class RowRequests:
    """Requests of the rows of any run. For one event loop."""

    router: ImageRouter
    runs: StoredRuns
    assets: Assets
    _shown: OrderedDict[tuple[str, str], Reference] = field(default_factory=OrderedDict)

    async def __call__(self, run: Run, row: Row) -> ImageRequest:
        """Raises NoReference, and InvalidRequest or AssetError where a picture of its line is no good."""
        shown = (await self.shown(run, row.planned.subject),) if row.planned.stage is Stage.SECOND else ()
        given = await self._given(row.planned.ask.references)
        request = request_of(row.planned.ask, references=(*shown, *given), scope=run.scope)
        return replace(request, key=row.planned.key)

    async def shown(self, run: Run, subject: str) -> Reference:
        """The picture of a subject's first row. Raises NoReference where it was not made or is gone."""
        place = (run.id, subject)
        if place not in self._shown:
            self._shown[place] = await self._first_picture(run, subject)
            if len(self._shown) > _SHOWN:
                self._shown.popitem(last=False)
        self._shown.move_to_end(place)
        return self._shown[place]

    async def _first_picture(self, run: Run, subject: str) -> Reference:
        firsts = RowQuery(run_id=run.id, subjects=[subject], stage=Stage.FIRST, limit=1)
        found = await self.runs.rows_of(firsts)
        first = found[0] if found else None
        if first is None or first.state is not RowState.DONE or first.asset is None:
            why = f": {first.message}" if first and first.message else ""
            raise NoReference(f"the reference of {subject!r} was not made{why}", first=first)
        try:
            data = await self.assets.blobs.read(first.asset)
        except BlobFault as fault:
            raise NoReference(f"the reference of {subject!r} is gone: {fault}", first=first) from fault
        picture = await asyncio.to_thread(media.load_reference, data, ReferenceRole.CHARACTER)
        return replace(picture, name=subject)

    async def _given(self, sources: tuple[str, ...]) -> tuple[Reference, ...]:
        if not sources:
            return ()
        return (await self.router.request("references", references=sources)).references
