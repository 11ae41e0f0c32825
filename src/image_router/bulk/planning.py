"""A table and a template → rows that are validated, decided and quoted, in constant memory."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from image_router.bulk.tables import Line
from image_router.core.decision import Decision
from image_router.core.errors import ImageRouterError
from image_router.core.run_plan import Sums
from image_router.core.runs import PlannedRow, RowAsk, Stage
from image_router.core.template import BadLine, Drafted, Template, expand
from image_router.core.types import ImageRequest, Lane, Reference, ReferenceRole
from image_router.engine import media

BLOCK: Final = 500
"""Lines looked up at once."""
_PICTURES: Final = 4_096
"""Reference pictures whose facts are remembered."""
_URL: Final = ("http://", "https://")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """A line that is left out, and why."""

    line: int
    column: str | None
    reason: str

    def __str__(self) -> str:
        where = f", column {self.column!r}" if self.column else ""
        return f"line {self.line:,}{where}: {self.reason}"


class Decides(Protocol):
    """What planning needs of the router."""

    def decided(self, request: ImageRequest, *, profile: str | None = None) -> Decision:
        """Decide without spending. Raises RequestError."""
        ...


Finished = Callable[[Sequence[str]], Awaitable[Collection[str]]]
"""Which of these keys' pictures were made before."""


async def nothing_finished(keys: Sequence[str]) -> Collection[str]:
    """For a plan that opens no database."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """What all lines of a table have in common."""

    decider: Decides
    template: Template
    scope: str
    folder: Path
    """References are looked for from here."""
    profile: str | None = None
    lane: Lane | None = None
    """Of every row, whatever it says; None: its own."""
    finished: Finished = nothing_finished

    async def plan(
        self, lines: Iterable[Line], sums: Sums | None = None
    ) -> AsyncIterator[PlannedRow | RowProblem]:
        """Every row in the order of the table, and every line that is left out; added up in `sums`."""
        sums = sums or Sums()
        with closing(_Seen()) as seen:
            for block in _blocks(lines, BLOCK):
                drafted = list(self._drafted(block))
                keys = [draft.key for each in drafted if isinstance(each, list) for draft in each]
                known, done = seen.look(keys), await self.finished(keys)
                for each in drafted:
                    problem = each if isinstance(each, RowProblem) else _contradiction(each, known)
                    if problem is not None:
                        sums.lines_left_out += 1
                        yield problem
                        continue
                    for draft in each if isinstance(each, list) else ():
                        row = _planned(draft, sums.rows + 1, before=known.get(draft.key), done=done)
                        known.setdefault(draft.key, _Mark(row.number, draft.digest))
                        sums.add(row, draft.decision.quote)
                        yield row
                seen.note(known)

    def _drafted(self, lines: Iterable[Line]) -> Iterator[list[_Draft] | RowProblem]:
        for line in lines:
            if line.broken:
                yield RowProblem(line=line.number, column=None, reason=line.broken)
                continue
            try:
                yield self._drafts(line)
            except BadLine as problem:
                yield RowProblem(line=line.number, column=problem.column, reason=str(problem))
            except ImageRouterError as problem:
                yield RowProblem(line=line.number, column=None, reason=str(problem))

    def _drafts(self, line: Line) -> list[_Draft]:
        """All rows of a line or none: variants without their reference are no use."""
        drafts: list[_Draft] = []
        parent = ""
        for drafted in expand(self.template, line.cells, line=line.number):
            if self.lane is not None:
                drafted = replace(drafted, ask=replace(drafted.ask, lane=self.lane))
            references = tuple(self._reference(source) for source in drafted.ask.references)
            stands_in = (_REFERENCE_TO_COME,) if drafted.stage is Stage.SECOND else ()
            request = request_of(drafted.ask, references=(*stands_in, *references), scope=self.scope)
            decision = self.decider.decided(request, profile=self.profile)
            digest = _digest(drafted.ask, references, parent)
            key = drafted.key or f"row-{digest}"
            if drafted.stage is Stage.FIRST:
                parent = digest
            drafts.append(_Draft(line.number, drafted, key, digest, decision))
        return drafts

    def _reference(self, source: str) -> Reference:
        """A file is read, since its bytes are what counts; a URL is fetched when its turn comes."""
        if source.startswith(_URL):
            return replace(_REFERENCE_TO_COME, role=ReferenceRole.OBJECT, digest=source)
        return _facts_of(self.folder / source)


def _contradiction(drafts: list[_Draft], known: Mapping[str, _Mark]) -> RowProblem | None:
    """Whether a line names a key that already names something else."""
    for draft in drafts:
        before = known.get(draft.key)
        if before is not None and before.digest != draft.digest:
            reason = f"key {draft.key!r} already names row {before.number:,}, which asks for something else"
            return RowProblem(line=draft.line, column=None, reason=reason)
    return None


def _planned(draft: _Draft, number: int, *, before: _Mark | None, done: Collection[str]) -> PlannedRow:
    head = draft.decision.head
    return PlannedRow(
        number=number,
        line=draft.line,
        key=draft.key,
        subject=draft.drafted.subject,
        stage=draft.drafted.stage,
        ask=draft.drafted.ask,
        model=head.model.id,
        tier=head.tier,
        quote=draft.decision.quote.total,
        ceiling=draft.decision.ceiling,
        duplicate_of=before.number if before else None,
        finished=draft.key in done,
    )


def request_of(ask: RowAsk, *, references: tuple[Reference, ...], scope: str) -> ImageRequest:
    """The request of one picture that a row stands for. Raises InvalidRequest."""
    return ImageRequest(
        prompt=ask.prompt,
        purpose=ask.purpose,
        text=ask.text,
        references=references,
        size=ask.size,
        aspect=ask.aspect,
        lane=ask.lane,
        tier=ask.tier,
        model=ask.model,
        seed=ask.seed,
        scope=scope,
    )


_REFERENCE_TO_COME: Final = Reference(
    data=b"", media_type="image/png", digest="0" * 64, width=0, height=0, role=ReferenceRole.CHARACTER
)


@dataclass(frozen=True, slots=True)
class _Draft:
    line: int
    drafted: Drafted
    key: str
    digest: str
    decision: Decision


@lru_cache(maxsize=_PICTURES)
def _facts_of(path: Path) -> Reference:
    """A picture without its bytes. Raises InvalidRequest."""
    return replace(media.load_reference(path), data=b"")


def _digest(ask: RowAsk, references: tuple[Reference, ...], parent: str) -> str:
    """What is asked for, and what it is conditioned on: equal for equal pictures."""
    shape = (
        (ask.prompt, ask.purpose, ask.text, ask.size, ask.aspect, ask.tier, ask.model, ask.seed),
        [reference.digest for reference in references],
        parent,
    )
    return hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:40]


def _blocks(lines: Iterable[Line], size: int) -> Iterator[list[Line]]:
    several = iter(lines)
    while block := list(islice(several, size)):
        yield block


@dataclass(frozen=True, slots=True)
class _Mark:
    number: int
    digest: str


class _Seen:
    """Keys of a table of any length, in a temporary file that is gone when it is closed."""

    def __init__(self) -> None:
        # An empty name is a private file that spills from memory to disk: https://sqlite.org/inmemorydb.html
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute(
            "CREATE TABLE seen (key TEXT PRIMARY KEY, number INTEGER, digest TEXT) WITHOUT ROWID"
        )

    def look(self, keys: Sequence[str]) -> dict[str, _Mark]:
        found = self._db.execute(
            "SELECT key, number, digest FROM seen WHERE key IN (SELECT value FROM json_each(?))",
            (json.dumps(keys),),
        )
        return {key: _Mark(number, digest) for key, number, digest in found}

    def note(self, marks: dict[str, _Mark]) -> None:
        rows = ((key, mark.number, mark.digest) for key, mark in marks.items())
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", rows)
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()
