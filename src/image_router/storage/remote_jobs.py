"""Remote jobs of one database: intended, asked for, open, over, settled; and pictures that were uploaded.

A job is written down before the provider hears of it, so that after a crash it is looked for by its name
instead of being paid twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, delete, func, insert, or_, select, update

from image_router.core.budget import Micros
from image_router.core.holds import AttemptKey, SendState
from image_router.core.limits import UsageTier
from image_router.core.money import Nanos
from image_router.core.packing import NoRoom, ProjectUse
from image_router.core.runs import Row, RowState
from image_router.core.types import Lane
from image_router.storage import schema
from image_router.storage.asset_tables import works
from image_router.storage.database import Database, Transaction
from image_router.storage.remote_jobs_tables import (
    AT_PROVIDER,
    RemoteJob,
    RemoteState,
    Upload,
    job_from,
    job_values,
    remote_jobs,
    remote_uploads,
)
from image_router.storage.runs_tables import row_from, run_rows
from image_router.storage.work_rows import Claimed, Work, WorkState

_JOBS = remote_jobs.c
_ROWS = run_rows.c


class RemoteJobs:
    """Methods raise StorageError."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def get(self, job_id: str) -> RemoteJob | None:
        wanted = select(remote_jobs).where(_JOBS.id == job_id)
        found = await self._read(wanted)
        return found[0] if found else None

    async def of_chunk(self, run_id: str, chunk: int) -> list[RemoteJob]:
        """Jobs of a chunk that are not ended, oldest first."""
        mine = and_(_JOBS.run_id == run_id, _JOBS.chunk == chunk, _JOBS.ended_at.is_(None))
        return await self._read(select(remote_jobs).where(mine).order_by(_JOBS.made_at, _JOBS.id))

    async def of_run(self, run_id: str) -> list[RemoteJob]:
        """All jobs of a run, oldest first."""
        wanted = select(remote_jobs).where(_JOBS.run_id == run_id)
        return await self._read(wanted.order_by(_JOBS.made_at, _JOBS.id))

    async def of_run_open(self, run_id: str) -> list[RemoteJob]:
        """Jobs of a run that are not ended, whose turn it is first."""
        wanted = select(remote_jobs).where(_JOBS.run_id == run_id, _JOBS.ended_at.is_(None))
        return await self._read(wanted.order_by(_JOBS.look_at, _JOBS.id))

    async def waiting(self, run_id: str, chunk: int) -> list[Row]:
        """Rows of a chunk that wait for a job; those that go on at once are not among them."""
        mine = and_(
            _ROWS.run_id == run_id,
            _ROWS.chunk == chunk,
            _ROWS.state == RowState.WAITING,
            _ROWS.remote_job.is_(None),
            _ROWS.duplicate_of.is_(None),
            _ROWS.lane == Lane.BATCH,
        )
        wanted = select(run_rows).where(mine).order_by(_ROWS.number)
        return await self.db.read(lambda tx: _rows(tx, wanted))

    async def rows_of(self, job_id: str) -> list[Row]:
        """A job's rows, in the order of their numbers."""
        return await self.db.read(lambda tx: job_rows(tx, job_id))

    async def numbered(self, run_id: str, numbers: Collection[int]) -> dict[int, Row]:
        """Rows of a run by their numbers, whichever job they are in now."""
        mine = and_(_ROWS.run_id == run_id, _ROWS.number.in_(numbers))
        found = await self.db.read(lambda tx: _rows(tx, select(run_rows).where(mine)))
        return {row.planned.number: row for row in found}

    async def intend(self, planned: Sequence[tuple[RemoteJob, Sequence[int]]]) -> None:
        """Write down jobs that are about to be made, each with the numbers of its rows."""
        await self.db.write(lambda tx: _intend(tx, planned))

    async def change(self, job_id: str, **values: Any) -> RemoteJob:
        """Set columns of a job; the job as it is then."""
        return await self.db.write(lambda tx: change_job(tx, job_id, **values))

    async def ask_again(self, job: RemoteJob) -> RemoteJob | None:
        """Note that a job is about to be created anew, of the input file it has now. None: somebody else did
        so first."""
        return await self.db.write(lambda tx: _ask_again(tx, job))

    async def place(
        self,
        job_id: str,
        projects: Mapping[str, UsageTier | None],
        *,
        choose: Callable[[list[ProjectUse]], str | NoRoom],
    ) -> str | NoRoom:
        """Choose the project that a job will be made in; from now on it counts there."""

        def chosen(tx: Transaction) -> str | NoRoom:
            found = choose(_uses(tx, projects))
            if isinstance(found, str):
                change_job(tx, job_id, project=found)
            return found

        return await self.db.write(chosen)

    async def uploads(self, project: str, digests: Collection[str], *, until: Micros) -> dict[str, Upload]:
        """Pictures that the project has, and will still have at that moment."""
        mine = and_(
            remote_uploads.c.project == project,
            remote_uploads.c.digest.in_(digests),
            remote_uploads.c.until > until,
        )
        found = await self.db.read(
            lambda tx: tx.connection.execute(select(remote_uploads).where(mine)).mappings().all()
        )
        return {row["digest"]: Upload(**row) for row in found}

    async def remember(self, upload: Upload) -> None:
        """A picture was uploaded; those that the provider has dropped are forgotten."""
        await self.db.write(lambda tx: _remember(tx, upload))

    async def now(self) -> Micros:
        """The database's clock, which all processes share."""
        return await self.db.read(lambda tx: tx.now.wall)

    async def _read(self, wanted: Any) -> list[RemoteJob]:
        return await self.db.read(
            lambda tx: [job_from(row) for row in tx.connection.execute(wanted).mappings()]
        )


def find_job(tx: Transaction, job_id: str) -> RemoteJob:
    return job_from(tx.connection.execute(select(remote_jobs).where(_JOBS.id == job_id)).mappings().one())


def job_rows(tx: Transaction, job_id: str) -> list[Row]:
    """Rows that are in a job now, in the order of their numbers."""
    return _rows(tx, select(run_rows).where(_ROWS.remote_job == job_id).order_by(_ROWS.number))


def change_job(tx: Transaction, job_id: str, **values: Any) -> RemoteJob:
    tx.connection.execute(update(remote_jobs).where(_JOBS.id == job_id).values(values))
    return find_job(tx, job_id)


def leave_job(tx: Transaction, job_id: str, *, numbers: Iterable[int]) -> None:
    """Take rows that were never sent out of a job; they wait for another one."""
    mine = and_(_ROWS.remote_job == job_id, _ROWS.number.in_(list(numbers)), _ROWS.state == RowState.WAITING)
    tx.connection.execute(update(run_rows).where(mine).values(remote_job=None))


def go_interactive(tx: Transaction, run_id: str, *, numbers: Iterable[int], resend: bool = False) -> None:
    """Let waiting rows be made one by one; `resend`: although an earlier call may have been paid."""
    mine = and_(_ROWS.run_id == run_id, _ROWS.number.in_(list(numbers)), _ROWS.state == RowState.WAITING)
    values: dict[str, Any] = {"lane": Lane.INTERACTIVE, "remote_job": None}
    if resend:
        values["resend"] = True
    tx.connection.execute(update(run_rows).where(mine).values(values))


def plan_for(tx: Transaction, run_id: str, *, number: int, model: str) -> None:
    """A waiting row leaves its job: another model is to make it."""
    mine = and_(_ROWS.run_id == run_id, _ROWS.number == number, _ROWS.state == RowState.WAITING)
    values = {"planned_model": model, "remote_job": None}
    tx.connection.execute(update(run_rows).where(mine).values(values))


def unsettled(tx: Transaction, hold_id: str) -> dict[AttemptKey, Nanos]:
    """Calls of a hold of which nobody has said what came of them, with what each may have cost."""
    c = schema.sends.c
    mine = and_(c.hold_id == hold_id, c.state == SendState.SENT)
    found = tx.connection.execute(select(schema.sends).where(mine).order_by(c.request_id))
    return {
        AttemptKey(number=row.attempt, index=row.image_index, request_id=row.request_id): row.at_risk
        for row in found
    }


def paid_besides(tx: Transaction, run_id: str, *, number: int, cost: int, at_risk: int) -> None:
    """A row was paid once more than it needed: its picture came after its replacement was sent."""
    mine = and_(_ROWS.run_id == run_id, _ROWS.number == number)
    more = {"cost": _ROWS.cost + cost, "at_risk": _ROWS.at_risk + at_risk}
    tx.connection.execute(update(run_rows).where(mine).values(more))


def set_request(tx: Transaction, run_id: str, *, number: int, request_id: str) -> None:
    """The request id that all tries of a row share."""
    mine = and_(_ROWS.run_id == run_id, _ROWS.number == number)
    tx.connection.execute(update(run_rows).where(mine).values(request_id=request_id))


def claim_of(tx: Transaction, scope: str, *, key: str, request_id: str) -> Claimed | None:
    """The work of a key as this request claimed it; None where another one has it, or it is over."""
    open_ = works.c.state.in_((WorkState.RUNNING, WorkState.LEFT))
    mine = and_(works.c.scope == scope, works.c.work_key == key, works.c.request_id == request_id, open_)
    row = tx.connection.execute(select(works).where(mine)).first()
    if row is None:
        return None
    work = Work(scope=scope, key=key, fingerprint=row.fingerprint)
    return Claimed(work=work, request_id=request_id, turn=row.turn)


def row_now(tx: Transaction, run_id: str, *, number: int) -> Row:
    """A row as it stands in this transaction."""
    mine = and_(_ROWS.run_id == run_id, _ROWS.number == number)
    return row_from(tx.connection.execute(select(run_rows).where(mine)).mappings().one())


def forget_uploads(tx: Transaction, project: str, *, digests: Collection[str]) -> None:
    """The provider says that these pictures are gone: whoever needs them next uploads them anew."""
    mine = and_(remote_uploads.c.project == project, remote_uploads.c.digest.in_(digests))
    tx.connection.execute(delete(remote_uploads).where(mine))


def _rows(tx: Transaction, wanted: Any) -> list[Row]:
    return [row_from(row) for row in tx.connection.execute(wanted).mappings()]


def _intend(tx: Transaction, planned: Sequence[tuple[RemoteJob, Sequence[int]]]) -> None:
    for job, numbers in planned:
        there = tx.connection.execute(select(_JOBS.id).where(_JOBS.id == job.id)).first()
        if there is not None:
            continue
        values = job_values(job) | {"made_at": tx.now.wall, "look_at": tx.now.wall}
        tx.connection.execute(insert(remote_jobs).values(values))
        mine = and_(_ROWS.run_id == job.run_id, _ROWS.number.in_(numbers), _ROWS.remote_job.is_(None))
        tx.connection.execute(update(run_rows).where(mine).values(remote_job=job.id))


def _ask_again(tx: Transaction, job: RemoteJob) -> RemoteJob | None:
    same = and_(
        _JOBS.id == job.id,
        _JOBS.state == RemoteState.ASKED,
        _JOBS.asked_at == job.asked_at,
        _JOBS.lists == job.lists,
    )
    values = {
        "lists": 0,
        "asked_at": tx.now.wall,
        "input_file": job.input_file,
        "input_until": job.input_until,
    }
    taken = tx.connection.execute(update(remote_jobs).where(same).values(values)).rowcount
    return find_job(tx, job.id) if taken else None


def _uses(tx: Transaction, projects: Mapping[str, UsageTier | None]) -> list[ProjectUse]:
    counts = _JOBS.state.in_(AT_PROVIDER | {RemoteState.INTENT})
    queued = (
        select(_JOBS.project, _JOBS.model, func.count(), func.sum(_JOBS.tokens))
        .where(counts, _JOBS.project.in_(projects))
        .group_by(_JOBS.project, _JOBS.model)
    )
    jobs: dict[str, int] = dict.fromkeys(projects, 0)
    tokens: dict[str, dict[str, int]] = {project: {} for project in projects}
    for project, model, count, total in tx.connection.execute(queued):
        jobs[project] += int(count)
        tokens[project][model] = int(total)
    stored = dict.fromkeys(projects, 0)
    inputs = and_(_JOBS.project.in_(projects), _JOBS.ended_at.is_(None))
    pictures = and_(remote_uploads.c.project.in_(projects), remote_uploads.c.until > tx.now.wall)
    for wanted in (
        select(_JOBS.project, func.sum(_JOBS.input_bytes)).where(inputs).group_by(_JOBS.project),
        select(remote_uploads.c.project, func.sum(remote_uploads.c.bytes))
        .where(pictures)
        .group_by(remote_uploads.c.project),
    ):
        for project, total in tx.connection.execute(wanted):
            stored[project] += int(total)
    return [
        ProjectUse(
            project=project,
            tier=tier,
            jobs=jobs[project],
            tokens=tokens[project],
            stored_bytes=stored[project],
        )
        for project, tier in projects.items()
    ]


def _remember(tx: Transaction, upload: Upload) -> None:
    same = and_(remote_uploads.c.project == upload.project, remote_uploads.c.digest == upload.digest)
    tx.connection.execute(delete(remote_uploads).where(or_(same, remote_uploads.c.until <= tx.now.wall)))
    values = {name: getattr(upload, name) for name in Upload.__slots__}
    tx.connection.execute(insert(remote_uploads).values(values))
