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
from image_router.core.batch_lane import served
from image_router.core.decision import Candidate, Decision
from image_router.core.errors import ImageRouterError
from image_router.core.money import Nanos
from image_router.core.rates import Quote
from image_router.core.routing import World
from image_router.core.run_plan import Sums
from image_router.core.runs import PlannedRow, RowAsk, Stage
from image_router.core.template import BadLine, Drafted, Expander, Template
from image_router.core.types import ImageRequest, Lane, Reference, ReferenceRole
from image_router.engine import media

BLOCK: Final = 500
"""Lines looked up at once."""
_PICTURES: Final = 4_096
"""Reference pictures whose facts are remembered."""
_PRICES: Final = 4_096
_KEYS: Final = 10_000
"""Looked up at once among those that are finished."""
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

    def world(self, profile: str | None = None) -> World:
        """Facts and policy of the day. Raises InvalidRequest."""
        ...

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
        sums = Sums() if sums is None else sums
        drafting = _Drafting(self)
        with closing(_Seen()) as seen:
            for block in _blocks(lines, BLOCK):
                drafted = [drafting(line) for line in block]
                keys = [draft.key for each in drafted if isinstance(each, list) for draft in each]
                known, done = seen.look(keys), await self._finished(keys)
                for each in drafted:
                    problem = each if isinstance(each, RowProblem) else _contradiction(each, known)
                    if problem is not None:
                        sums.lines_left_out += 1
                        yield problem
                        continue
                    for draft in each if isinstance(each, list) else ():
                        row = _planned(draft, sums.rows + 1, before=known.get(draft.key), done=done)
                        known.setdefault(draft.key, _Mark(row.number, draft.digest))
                        sums.add(row, draft.price.quote, note=draft.note)
                        yield row
                seen.note(known)

    async def _finished(self, keys: Sequence[str]) -> set[str]:
        """Asked in parts: a line may have very many rows, and a statement takes 32,766 values at most."""
        parts = [keys[start : start + _KEYS] for start in range(0, len(keys), _KEYS)]
        return {key for part in parts for key in await self.finished(part)}


class _Drafting:
    """Makes lines into rows that are decided, one plan long."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._expand = Expander(planner.template)
        self._facts_of = lru_cache(maxsize=_PICTURES)(_facts_of)
        self._prices: dict[int, _Price] = {}

    def __call__(self, line: Line) -> list[_Draft] | RowProblem:
        """All rows of a line or none: variants without their reference are no use."""
        if line.broken:
            return RowProblem(line=line.number, column=None, reason=line.broken)
        try:
            return list(self._drafts(line))
        except BadLine as problem:
            return RowProblem(line=line.number, column=problem.column, reason=str(problem))
        except ImageRouterError as problem:
            return RowProblem(line=line.number, column=None, reason=str(problem))

    def _drafts(self, line: Line) -> Iterator[_Draft]:
        planner, parent = self._planner, ""
        for drafted in self._expand(line.cells, line=line.number):
            references: tuple[Reference, ...] = ()
            if planner.lane is not None or drafted.ask.references:
                drafted, references = self._settled(drafted)
            ask = drafted.ask
            stands_in = (_REFERENCE_TO_COME,) if drafted.stage is Stage.SECOND else ()
            request = request_of(ask, references=stands_in + references, scope=planner.scope)
            decision, note = self._decided(request)
            if note:
                said = decision.request
                changed = replace(ask, lane=said.lane, tier=said.tier, model=said.model)
                drafted = replace(drafted, ask=changed)
            second = drafted.stage is Stage.SECOND
            digest = _digest(ask, references, parent if second else "")
            parent = parent if second else digest
            key = drafted.key or f"row-{digest}"
            yield _Draft(line.number, drafted, key, digest, self._price(decision), note)

    def _decided(self, request: ImageRequest) -> tuple[Decision, str]:
        """The decision, and what is other than asked."""
        planner = self._planner
        if request.lane is Lane.INTERACTIVE:
            return planner.decider.decided(request, profile=planner.profile), ""
        found = served(
            request,
            planner.decider.world(planner.profile),
            decide=lambda one: planner.decider.decided(one, profile=planner.profile),
        )
        return found.decision, found.note

    def _settled(self, drafted: Drafted) -> tuple[Drafted, tuple[Reference, ...]]:
        """On the lane of all rows, with references that are found from any folder."""
        ask, planner = drafted.ask, self._planner
        sources = tuple(
            one if one.startswith(_URL) else str((planner.folder / one).resolve()) for one in ask.references
        )
        ask = replace(ask, lane=planner.lane or ask.lane, references=sources)
        return replace(drafted, ask=ask), tuple(map(self._reference, sources))

    def _reference(self, source: str) -> Reference:
        """A file is read, since its bytes are what counts; a URL is fetched when its turn comes."""
        if source.startswith(_URL):
            return replace(_REFERENCE_TO_COME, role=ReferenceRole.OBJECT, digest=source)
        return self._facts_of(source)

    def _price(self, decision: Decision) -> _Price:
        """Worked out once for rows that are decided alike: a router remembers their candidates."""
        found = self._prices.get(id(decision.candidates))
        if found is None:
            if len(self._prices) >= _PRICES:
                self._prices.clear()
            found = self._prices[id(decision.candidates)] = _Price(
                decision.candidates, decision.quote, decision.quote.total, decision.ceiling
            )
        return found


def _contradiction(drafts: list[_Draft], known: Mapping[str, _Mark]) -> RowProblem | None:
    """Whether a line names a key that already names something else, before it or in itself."""
    mine: dict[str, str] = {}
    for draft in drafts:
        before = known.get(draft.key)
        if before is not None and before.digest != draft.digest:
            reason = f"key {draft.key!r} already names row {before.number:,}, which asks for something else"
            return RowProblem(line=draft.line, column=None, reason=reason)
        if mine.setdefault(draft.key, draft.digest) != draft.digest:
            reason = (
                f"key {draft.key!r} names two of its pictures; put what differs, as {{each}}, into the key"
            )
            return RowProblem(line=draft.line, column=None, reason=reason)
    return None


def _planned(draft: _Draft, number: int, *, before: _Mark | None, done: Collection[str]) -> PlannedRow:
    price, drafted = draft.price, draft.drafted
    head, finished = price.candidates[0], draft.key in done
    return PlannedRow(
        number=number,
        line=draft.line,
        key=draft.key,
        subject=drafted.subject,
        stage=drafted.stage,
        ask=drafted.ask,
        model=head.model.id,
        tier=head.tier,
        quote=0 if before or finished else price.total,
        ceiling=price.ceiling,
        duplicate_of=before.number if before else None,
        finished=finished,
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
class _Price:
    """What a decision comes to. Its candidates are kept: their id is their own for as long as they live."""

    candidates: tuple[Candidate, ...]
    quote: Quote
    total: Nanos
    ceiling: Nanos


@dataclass(frozen=True, slots=True)
class _Draft:
    line: int
    drafted: Drafted
    key: str
    digest: str
    price: _Price
    note: str


def _facts_of(path: str) -> Reference:
    """A picture without its bytes. Raises InvalidRequest."""
    return replace(media.load_reference(path), data=b"")


_AS_JSON: Final = json.JSONEncoder(check_circular=False).encode


def _digest(ask: RowAsk, references: tuple[Reference, ...], parent: str) -> str:
    """What is asked for, and what it is conditioned on: equal for equal pictures."""
    shape = (
        (ask.prompt, ask.purpose, ask.text, ask.size, ask.aspect, ask.tier, ask.model, ask.seed),
        [reference.digest for reference in references],
        parent,
    )
    return hashlib.sha256(_AS_JSON(shape).encode()).hexdigest()[:40]


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
