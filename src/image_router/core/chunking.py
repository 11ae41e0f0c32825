"""Rows of a run into chunks, as they come: what one workflow makes with one hold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Final

from image_router.core.runs import Chunk, PlannedRow, Stage
from image_router.core.types import Lane

ROWS: Final = 200
"""In a chunk of the interactive lane."""
SUBJECTS: Final = 10
REMOTE_ROWS: Final = 1_000
"""In a chunk of the batch lane, which may still be several remote jobs: their limits are counted in bytes."""


@dataclass(slots=True, kw_only=True)
class Chunking:
    """Places the rows of one run; memory grows with its chunks alone."""

    run_id: str
    rows: int = ROWS
    subjects: int = SUBJECTS
    remote_rows: int = REMOTE_ROWS
    _chunks: list[Chunk] = field(default_factory=list)
    _filling: dict[tuple[Lane, Stage, str], _Filling] = field(default_factory=dict)
    _keys: Any = field(default_factory=hashlib.sha256)

    def place(self, row: PlannedRow) -> int:
        """The number of the chunk of the next row. Rows of a subject that follow each other stay together as
        long as there is room; a batch chunk is of one model and one stage."""
        self._keys.update(f"{row.key}\n".encode())
        return self._number_for(row)

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """All there are, in order."""
        return tuple(self._chunks)

    @property
    def fingerprint(self) -> str:
        """Digest of all keys in order: equal for equal tables."""
        return str(self._keys.hexdigest())

    def _number_for(self, row: PlannedRow) -> int:
        remote = row.ask.lane is Lane.BATCH
        group = (Lane.BATCH, row.stage, row.model) if remote else (Lane.INTERACTIVE, Stage.FIRST, "")
        filling = self._filling.get(group)
        most = self.remote_rows if remote else self.rows
        if filling is None or filling.is_full(row, rows=most, subjects=None if remote else self.subjects):
            number = len(self._chunks) + 1
            chunk = Chunk(run_id=self.run_id, number=number, lane=group[0], stage=group[1], rows=0)
            self._chunks.append(chunk)
            filling = self._filling[group] = _Filling(number)
        filling.add(row)
        self._chunks[filling.number - 1] = replace(self._chunks[filling.number - 1], rows=filling.rows)
        return filling.number


@dataclass(slots=True)
class _Filling:
    """A chunk that more rows may come to."""

    number: int
    rows: int = 0
    subjects: int = 0
    subject: str | None = None

    def is_full(self, row: PlannedRow, *, rows: int, subjects: int | None) -> bool:
        another = row.subject != self.subject
        return self.rows >= rows or (another and subjects is not None and self.subjects >= subjects)

    def add(self, row: PlannedRow) -> None:
        self.rows += 1
        self.subjects += row.subject != self.subject
        self.subject = row.subject
