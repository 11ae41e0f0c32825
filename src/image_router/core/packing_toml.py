"""The file data/limits/batch.toml → BatchLimits; what is wrong is refused with file, line and key."""

from __future__ import annotations

from collections.abc import Mapping

from image_router.core.limits import UsageTier
from image_router.core.packing import BatchLimits, JobLimits, Polling
from image_router.core.promise import Pace
from image_router.core.toml_table import Table, TomlFile, above_zero, day, keyed, many, text, whole
from image_router.core.types import Size

_HOUR = 3600.0


def parse_batch_limits(file: TomlFile) -> BatchLimits:
    """The limits of the Batch API. Raises ConfigError naming file, line, key and reason."""
    top = file.read()
    job, project, life = top.table("job"), top.table("project"), top.table("life")
    poll, adopt = top.table("poll"), top.table("adopt")
    reply = top.take("reply_bytes", keyed(Size, whole))
    if missing := set(Size) - set(reply):
        raise top.error("reply_bytes", f"has no size {', '.join(sorted(missing))}")
    limits = BatchLimits(
        job=JobLimits(
            rows=job.take("rows", above_zero),
            input_bytes=job.take("input_bytes", above_zero),
            result_bytes=job.take("result_bytes", above_zero),
        ),
        inline_bytes=job.take("inline_bytes", above_zero),
        open_jobs=project.take("open_jobs", above_zero),
        stored_bytes=project.take("stored_bytes", above_zero),
        aim=life.take("aim", above_zero) * _HOUR,
        pending=life.take("pending", above_zero) * _HOUR,
        file_life=life.take("file", above_zero) * _HOUR,
        result_life=life.take("result", above_zero) * _HOUR,
        reply_bytes=reply,
        enqueued=_enqueued(top),
        polling=Polling(
            first=poll.take("first", above_zero),
            longest=poll.take("longest", above_zero),
            growth_percent=poll.take("growth_percent", whole),
        ),
        adopt_lists=adopt.take("lists", above_zero),
        adopt_wait=adopt.take("wait", whole),
        pace=_pace(top.table("replacing")),
        source=top.take("source", text),
        checked=top.take("checked", day),
        notes=top.get("notes", many(text), default=()),
    )
    for table in (job, project, life, poll, adopt, top):
        table.done()
    return limits


def _pace(table: Table) -> Pace:
    pace = Pace(
        seconds_per_row=table.take("seconds_per_row", above_zero),
        at_once=table.take("at_once", above_zero),
        spare_percent=table.take("spare_percent", whole),
        spare=table.take("spare", whole),
    )
    table.done()
    return pace


def _enqueued(top: Table) -> Mapping[str, Mapping[UsageTier, int]]:
    return {
        model: {tier: table.take(key, above_zero) for key, tier in table.names(UsageTier)}
        for model, table in top.tables("enqueued_tokens")
    }
