"""An images request becomes a job: checked as far as possible now, so that little can fail later."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson
from starlette.responses import Response

from image_router.core.money import usd_text
from image_router.core.storing import StoreMode
from image_router.core.types import ImageRequest
from image_router.gateway import refusals, webhooks_rules
from image_router.gateway.app import Visit
from image_router.gateway.jobs_views import JOBS, Terms, job_view
from image_router.gateway.openai_asks import Asked
from image_router.gateway.preferences import preferred
from image_router.gateway.surfaces import JSON, REPLAYED
from image_router.storage.jobs_line import JobsFull
from image_router.storage.jobs_tables import Job, NewJob
from image_router.storage.key_tables import rules_text
from image_router.storage.records import REQUEST, Record

ASK_AGAIN: Final = 2
"""Seconds between looks at a job, for Retry-After."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What only a job has."""

    webhook: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


async def accepted(
    visit: Visit, request: ImageRequest, *, asked: Asked, editing: bool, extras: Extras | None = None
) -> Response:
    """202 with the job and its address. Under a key that has a job already, that one.

    Raises what the request would be refused for at once, and Refusal for what a job cannot give.
    """
    job, replayed = await in_line(visit, request, asked=asked, editing=editing, extras=extras)
    headers = {"location": visit.address(f"{JOBS}/{job.id}"), "retry-after": str(ASK_AGAIN)}
    if preferred(visit.request).respond_async:
        headers["preference-applied"] = "respond-async"
    body = orjson.dumps(job_view(job, visit.address("")))
    return Response(body, 202, headers={**headers, **(REPLAYED if replayed else {})}, media_type=JSON)


async def in_line(
    visit: Visit, request: ImageRequest, *, asked: Asked, editing: bool, extras: Extras | None = None
) -> tuple[Job, bool]:
    """The job, and whether its key had named it before. Raises as `accepted`."""
    extras = extras or Extras()
    await _check(visit, request, asked=asked, extras=extras)
    decision = await visit.router.decide(request, profile=asked.profile)
    terms = Terms(
        profile=asked.profile,
        cache=asked.cache,
        delivery=asked.delivery,
        quote_usd=usd_text(decision.quote.total),
        highest_usd=usd_text(decision.ceiling),
        base=visit.address(""),
        webhook=extras.webhook,
        metadata=extras.metadata,
    )
    record = await asyncio.to_thread(REQUEST.write, replace(request, key=None))
    new = _new(visit, request, terms, record=record, kind="edit" if editing else "generation")
    try:
        return await visit.parts.jobs.add(new, record, most=visit.parts.limits.jobs_waiting)
    except JobsFull as full:
        raise refusals.too_many_jobs(request.scope, full) from None


def _new(visit: Visit, request: ImageRequest, terms: Terms, *, record: Record, kind: str) -> NewJob:
    key = visit.caller.key
    return NewJob(
        id=f"job_{secrets.token_hex(12)}",
        scope=request.scope,
        kind=kind,
        key_id=key.id if key else None,
        rules=rules_text(key.rules) if key else None,
        asked_key=request.key,
        fingerprint=_fingerprint(record, terms, kind=kind),
        request=record.data,
        blobs=frozenset(record.pieces),
        terms=terms.written(),
        images=request.n,
    )


def _fingerprint(record: Record, terms: Terms, *, kind: str) -> str:
    """Of what the caller asked for; not of what is different the next day, such as the quote."""
    asked = replace(terms, quote_usd="", highest_usd="", base="").written()
    digest = hashlib.sha256(record.data)
    digest.update(f"\n{kind}\n{asked}".encode())
    return digest.hexdigest()


async def _check(visit: Visit, request: ImageRequest, *, asked: Asked, extras: Extras) -> None:
    if asked.delivery.stream or asked.delivery.explain:
        name = "stream" if asked.delivery.stream else "explain"
        raise refusals.malformed(f"{name} is answered at once, not by a job; leave it out", param=name)
    rule = await visit.parts.books.assets.rules.of(request.scope)
    if rule.store is not StoreMode.ALL:
        raise refusals.malformed(
            f"a job's result is kept until it is fetched, and scope {request.scope!r} keeps {rule.store}; "
            f"ask without Prefer: respond-async, or have the scope keep its pictures"
        )
    if extras.webhook is not None:
        webhooks_rules.check_url(extras.webhook, private=visit.parts.private_hooks)
        if not await visit.parts.outbox.secrets_of(request.scope):
            raise refusals.malformed(
                f"scope {request.scope!r} has no secret to sign webhooks with; an admin makes one: "
                f"POST /router/v1/webhooks/secrets",
                param="webhook",
            )


def extras_of(body: dict[str, Any]) -> Extras:
    """Take `webhook` and `metadata` out of a body."""
    webhook, metadata = body.pop("webhook", None), body.pop("metadata", None) or {}
    if webhook is not None and not isinstance(webhook, str):
        raise refusals.malformed("webhook is no text; give the address to be told", param="webhook")
    texts = isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    if not texts or len(metadata) > 16 or any(len(k) > 64 or len(v) > 512 for k, v in metadata.items()):
        words = "metadata is an object of up to 16 texts; names have up to 64 characters, values up to 512"
        raise refusals.malformed(words, param="metadata")
    return Extras(webhook=webhook, metadata=metadata)
