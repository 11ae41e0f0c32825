"""Runs as JSON and as lines for people. Amounts are dollars as text, moments ISO 8601 in UTC."""

from __future__ import annotations

from typing import Any

from image_router.core.budget import from_micros
from image_router.core.money import show_usd, usd_text
from image_router.core.runs import Progress, RowState, Run


def run_view(run: Run, progress: Progress | None = None) -> dict[str, Any]:
    """What a program is told of a run."""
    view: dict[str, Any] = {
        "id": run.id,
        "name": run.name,
        "kind": run.kind,
        "scope": run.scope,
        "state": run.state,
        "pause": run.pause,
        "reason": run.reason,
        "resumes_at": _moment(run.resumes_at),
        "rows": run.rows,
        "priority": run.terms.priority,
        "max_cost": None if run.terms.max_cost is None else usd_text(run.terms.max_cost),
        "created_at": _moment(run.created_at),
        "started_at": _moment(run.started_at),
        "ended_at": _moment(run.ended_at),
    }
    return view if progress is None else view | {"progress": progress_view(progress)}


def progress_view(progress: Progress) -> dict[str, Any]:
    return {
        "rows": progress.rows,
        **{state.value: progress.states.get(state, 0) for state in RowState},
        "spent": usd_text(progress.spent),
        "at_risk": usd_text(progress.at_risk),
        "held": usd_text(progress.held),
        "projected": usd_text(progress.projected),
        "per_minute": round(progress.per_minute, 1),
        "seconds_left": None if progress.seconds_left is None else round(progress.seconds_left),
    }


def run_line(run: Run, progress: Progress) -> str:
    """One line: how far, for how much, until when, and why it stands still."""
    done = progress.states.get(RowState.DONE, 0)
    failed = sum(progress.states.get(state, 0) for state in (RowState.FAILED, RowState.UNKNOWN))
    words = [
        f"{run.id} {run.state}",
        f"{done:,} of {progress.rows:,} done",
        *((f"{failed:,} failed",) if failed else ()),
        f"{show_usd(progress.spent)} spent of {show_usd(progress.projected)} expected",
        *((f"{progress.per_minute:,.0f} a minute",) if progress.per_minute else ()),
        *((f"{_lasting(progress.seconds_left)} left",) if progress.seconds_left else ()),
        *((f"{run.pause}: {run.reason}",) if run.pause else ()),
    ]
    return ", ".join(words)


def _lasting(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{max(1, minutes)} min"


def _moment(micros: int | None) -> str | None:
    return None if micros is None else from_micros(micros).isoformat()
