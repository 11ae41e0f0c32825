"""Waiting rows of a chunk into remote jobs that are written down before anything of them is sent."""

from __future__ import annotations

from image_router.bulk.remote_parts import LaneParts
from image_router.core.catalog import Catalog
from image_router.core.causes import Cause
from image_router.core.ids import new_id
from image_router.core.packing import BatchLimits, JobLimits, Load, Unfit, Weight, pack
from image_router.core.runs import OVER, PlannedRow, Row, RowEnd, RowState, Run, Stage
from image_router.storage.remote_jobs_tables import RemoteJob, RemoteState
from image_router.storage.runs_rows import RowQuery

_BYTES_A_TOKEN = 4
_LINE = 1_000
"""Bytes of a line beside its words and pictures: parameters and quotes."""
_SUBJECTS = 500
"""Looked up at once."""
_NAMED_PICTURE = 300
"""Bytes of a picture that was uploaded and is named."""


async def prepare(parts: LaneParts, run_id: str, *, chunk: int) -> tuple[str, ...]:
    """The jobs of a chunk that are not ended, after its waiting rows were packed into new ones.

    May be repeated: rows are packed once. Duplicates stay out, and rows that are to be made one by one, or
    wait for their subject's first picture.
    """
    run, jobs = await parts.runs.get(run_id), parts.jobs
    world = parts.decider.world(run.profile)
    tiers = set(parts.projects.values())

    def limits_of(row: Row) -> JobLimits:
        return parts.limits.job_of(row.planned.model, tiers)

    def weigh(row: Row) -> Weight:
        return weight_of(row.planned, world.catalog, limits=parts.limits)

    rows = await _ready(parts, run_id, await jobs.waiting(run_id, chunk))
    packed = list(pack(rows, weigh=weigh, group=lambda row: row.planned.model, limits=limits_of))
    for unfit in packed:
        if isinstance(unfit, Unfit):
            end = RowEnd(state=RowState.FAILED, cause=Cause.TOO_LONG, message=unfit.reason)
            await parts.runs.finish(run_id, unfit.row.planned.number, end=end)
    intended = [(_job(run, chunk, load), _numbers(load)) for load in packed if isinstance(load, Load)]
    if intended:
        await jobs.intend(intended)
    return tuple(job.id for job in await jobs.of_chunk(run_id, chunk))


async def _ready(parts: LaneParts, run_id: str, rows: list[Row]) -> list[Row]:
    """Without rows whose subject's first picture is not made yet."""
    seconds = sorted({row.planned.subject for row in rows if row.planned.stage is Stage.SECOND})
    unmade: set[str] = set()
    for start in range(0, len(seconds), _SUBJECTS):
        some = seconds[start : start + _SUBJECTS]
        query = RowQuery(run_id=run_id, subjects=some, stage=Stage.FIRST, states=frozenset(RowState) - OVER)
        unmade |= {row.planned.subject for row in await parts.runs.rows_of(query)}
    return [row for row in rows if row.planned.stage is Stage.FIRST or row.planned.subject not in unmade]


def weight_of(planned: PlannedRow, catalog: Catalog, *, limits: BatchLimits) -> Weight:
    """What a row is expected to take of a job's limits, without looking at its pictures."""
    ask, model = planned.ask, catalog.find(planned.model)
    words = len(ask.prompt.encode()) + len((ask.text or "").encode())
    pictures = len(ask.references) + (planned.stage is Stage.SECOND)
    tokens = -(-words // _BYTES_A_TOKEN) + (pictures * model.references.tokens if model else 0)
    return Weight(
        input_bytes=2 * words + _LINE + pictures * _NAMED_PICTURE,
        result_bytes=limits.reply_bytes[ask.size],
        tokens=tokens,
    )


def _numbers(load: Load[Row]) -> list[int]:
    return [row.planned.number for row in load.rows]


def _job(run: Run, chunk: int, load: Load[Row]) -> RemoteJob:
    first, weight = load.rows[0].planned, load.weight
    return RemoteJob(
        id=new_id("bj_"),
        run_id=run.id,
        chunk=chunk,
        scope=run.purse,
        model=first.model,
        tier=first.tier,
        purpose=first.ask.purpose,
        state=RemoteState.INTENT,
        rows=weight.rows,
        input_bytes=weight.input_bytes,
        result_bytes=weight.result_bytes,
        tokens=weight.tokens,
    )
