"""Values of bulk work: what a run is to make, row by row, and how far it is.

A run is a table of rows; a row is one request for one picture. Rows of one subject belong together: its
reference (stage 1) is made first, its variants (stage 2) are conditioned on it. Amounts are nano-dollars,
moments microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from image_router.core.budget import Micros
from image_router.core.money import Nanos
from image_router.core.types import AspectRatio, Lane, OnAmbiguous, Purpose, Size, Tier


class RunKind(StrEnum):
    """What was submitted."""

    CATALOG = "catalog"
    """A table of products."""
    BATCH = "batch"
    """A plain list of requests."""


class Stage(IntEnum):
    """When a row's turn comes."""

    FIRST = 1
    """It waits for nothing: a reference, or a picture that needs none."""
    SECOND = 2
    """It is conditioned on the picture of its subject's first row."""


class RunState(StrEnum):
    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    """`reason` says why, and `resumes` what ends it."""
    CANCELLED = "cancelled"
    DONE = "done"
    """Every row is over, well or not."""


class Pause(StrEnum):
    """Why a run stands still."""

    ASKED = "asked"
    BUDGET = "budget"
    QUOTA = "quota"
    CREDENTIALS = "credentials"
    APPROVAL = "approval"
    """References are made and wait to be looked at."""
    STORE = "store"
    """The disk is full or the bucket does not answer."""


class RowState(StrEnum):
    """Where a row is. Only SENT may have cost something nobody knows of."""

    WAITING = "waiting"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Sent, and nobody said what came of it."""
    CANCELLED = "cancelled"


OVER = frozenset({RowState.DONE, RowState.FAILED, RowState.UNKNOWN, RowState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RowAsk:
    """What one row asks for, without any picture's bytes."""

    prompt: str
    purpose: Purpose = Purpose.ECONOMY
    text: str | None = None
    size: Size = Size.K1
    aspect: AspectRatio | None = None
    lane: Lane = Lane.INTERACTIVE
    tier: Tier | None = None
    model: str | None = None
    seed: int | None = None
    references: tuple[str, ...] = ()
    """Paths or URLs, as the table names them."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Columns that are carried along into the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRow:
    """A row that was validated, decided and quoted."""

    number: int
    """Within its run, from 1 without gaps."""
    line: int
    """Of the table, from 1 without its header; several rows may come of one line."""
    key: str
    """The row's name for ever: equal for equal rows, in whatever run they stand."""
    subject: str
    stage: Stage
    ask: RowAsk
    model: str
    tier: Tier | None
    quote: Nanos
    ceiling: Nanos
    duplicate_of: int | None = None
    """The number of an equal row before it, whose picture is this one's too."""
    finished: bool = False
    """Its picture was made before."""

    @property
    def priced(self) -> bool:
        """Whether anything will be spent on it."""
        return self.duplicate_of is None and not self.finished


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTerms:
    """What a run's owner allows."""

    max_cost: Nanos | None = None
    """For the whole run; it pauses before it would spend more."""
    on_ambiguous: OnAmbiguous = OnAmbiguous.ASK
    approve_references: bool = False
    by: Micros | None = None
    """The moment by which every row is to be over."""
    replacement: Nanos | None = None
    """The most a picture may cost that replaces one of a late remote job; None: its interactive price."""
    priority: int = 100
    """Lower goes first."""
    output: str | None = None
    """A folder or a bucket's URL that pictures and manifest are exported to when the run is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run about to be stored, without its rows."""

    id: str
    name: str
    kind: RunKind
    scope: str
    profile: str | None = None
    terms: RunTerms = field(default_factory=RunTerms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A stored run. Its money is held in a scope of its own, below its owner's."""

    id: str
    name: str
    kind: RunKind
    scope: str
    profile: str | None
    terms: RunTerms
    state: RunState
    pause: Pause | None
    reason: str
    """Of the pause or the end, in words with numbers; empty: none."""
    version: str
    """Of the program that made it; its workflows go on as that version did."""
    rows: int | None
    """None: not all of them are stored yet."""
    resumes_at: Micros | None
    """When a pause is looked at again without anybody asking; None: only on command."""
    created_at: Micros
    started_at: Micros | None
    ended_at: Micros | None

    @property
    def purse(self) -> str:
        """The scope in which its money is held."""
        return f"{self.scope}/{self.id}"


class ChunkState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    """All its rows are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Rows of one run that one workflow makes."""

    run_id: str
    number: int
    """Within its run, from 1."""
    lane: Lane
    stage: Stage
    """Of its rows, on the batch lane; FIRST on the interactive one, where both stages share a chunk."""
    rows: int
    state: ChunkState = ChunkState.WAITING
    turn: int = 0
    """How often it was begun."""
    place: int = 0
    """In line with the chunks of all runs; lower goes first."""

    @property
    def id(self) -> str:
        return f"{self.run_id}.{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A stored row."""

    planned: PlannedRow
    state: RowState
    cause: str = ""
    """Why it failed, as the ledger names it."""
    message: str = ""
    request_id: str | None = None
    hold_id: str | None = None
    remote_job: str | None = None
    asset: str | None = None
    """Digest of its picture."""
    model: str | None = None
    """That made it."""
    cost: Nanos = 0
    at_risk: Nanos = 0
    tries: int = 0
    chunk: int = 0
    resend: bool = False
    """Its owner wants it sent again, though an earlier call may have been paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEnd:
    """What became of a row. `cost` and `at_risk` are of this run: a picture of another one costs nothing."""

    state: RowState
    cause: str = ""
    message: str = ""
    request_id: str | None = None
    asset: str | None = None
    model: str | None = None
    cost: Nanos = 0
    at_risk: Nanos = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is. Rows by state, money, and what its speed says of its end."""

    rows: int
    states: Mapping[RowState, int]
    spent: Nanos
    at_risk: Nanos
    held: Nanos
    projected: Nanos
    """Spent, and the quotes of what is left."""
    per_minute: float
    """Pictures in the last minutes; 0.0: none yet."""
    seconds_left: float | None
    """None: nobody can say yet."""
