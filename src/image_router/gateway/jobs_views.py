"""Jobs as JSON: what a caller is shown, what is stored beside a request, and what webhooks are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

from image_router.core.budget import Micros, from_micros
from image_router.core.money import usd_text
from image_router.gateway.openai_asks import Delivery
from image_router.storage.jobs_tables import Job, JobState
from image_router.storage.webhooks_tables import HookEvent, Notice

Json = dict[str, Any]
JOBS: Final = "/router/v1/jobs"

_EVENTS: Final = {
    JobState.SUCCEEDED: HookEvent.JOB_SUCCEEDED,
    JobState.FAILED: HookEvent.JOB_FAILED,
    JobState.CANCELLED: HookEvent.JOB_CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What belongs to a job beside its request."""

    profile: str | None
    cache: str | None
    delivery: Delivery
    quote_usd: str
    highest_usd: str
    base: str
    """Address under which its caller reaches the gateway."""
    webhook: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def written(self) -> str:
        """As JSON, to be stored."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS).decode()

    @classmethod
    def read(cls, stored: str) -> Terms:
        """What `written` wrote."""
        values = orjson.loads(stored)
        return cls(**{**values, "delivery": Delivery(**values["delivery"])})


def job_view(job: Job, base: str) -> Json:
    """A job as callers see it; `base` is the address under which they reach the gateway."""
    terms, address = Terms.read(job.terms), f"{base}{JOBS}/{job.id}"
    over = job.state.over
    return {
        "object": "job",
        "id": job.id,
        "status": job.state,
        "operation": job.kind,
        "scope": job.scope,
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.ended_at),
        "progress": {"images": job.images, "done": job.done, "failed": job.failed},
        "cost_usd": usd_text(job.cost),
        "quote_usd": terms.quote_usd,
        "highest_usd": terms.highest_usd,
        "turns": job.turn,
        "cancelling": job.cancel_asked and not over,
        "error": problem_view(job),
        "webhook": terms.webhook,
        "metadata": terms.metadata,
        "urls": {"self": address, "result": f"{address}/result", "cancel": f"{address}/cancel"},
    }


def problem_view(job: Job) -> Json | None:
    """Why a job failed, in short."""
    if job.problem is None:
        return None
    problem = orjson.loads(job.problem)
    return {"code": problem["code"], "message": problem["message"], "status": problem["status"]}


def notice_of(job: Job) -> Notice:
    """What a job that is over tells: numbers and links, never pictures or prompts."""
    terms, event = Terms.read(job.terms), _EVENTS[job.state]
    shown = job_view(job, terms.base)
    names = ("id", "status", "operation", "scope", "progress", "cost_usd", "error", "metadata", "urls")
    payload = {
        "type": event,
        "timestamp": _moment(job.ended_at),
        "data": {name: shown[name] for name in names},
    }
    return Notice(
        scope=job.scope,
        event=event,
        subject=job.id,
        payload=orjson.dumps(payload).decode(),
        url=terms.webhook,
    )


def _moment(at: Micros | None) -> str | None:
    return from_micros(at).isoformat(timespec="milliseconds") if at is not None else None
