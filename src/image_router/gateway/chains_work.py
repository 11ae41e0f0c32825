"""Chains being done: the reference's job first, then a job for each variant, conditioned on its picture.

Every process looks after every chain: jobs have names, so doing it twice changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from image_router.core.chain import as_reference, reference_item, variant_item
from image_router.core.errors import AssetError
from image_router.core.types import ImageRequest, ReferenceRole
from image_router.gateway.app import Duty, Parts
from image_router.gateway.jobs_work import tell
from image_router.gateway.rounds import rounds
from image_router.storage.chains_tables import Chain, ChainItem, ChainState
from image_router.storage.jobs_tables import Job, JobState, NewJob
from image_router.storage.records import REQUEST

POLL: Final = 0.5
"""Seconds between looks."""
_SWEEPS: Final = 600.0
"""Seconds between looks for chains that are old enough to be deleted."""
_log = logging.getLogger(__name__)


@asynccontextmanager
async def chaining(parts: Parts, duty: Duty) -> AsyncIterator[None]:
    """Look after chains for as long as the block lasts."""
    stopping = asyncio.Event()
    looking = asyncio.create_task(_look_after(parts, stopping))
    try:
        yield
    finally:
        stopping.set()
        await looking


async def _look_after(parts: Parts, stopping: asyncio.Event) -> None:
    swept = float("-inf")

    async def look() -> None:
        nonlocal swept
        for chain in await parts.chains.running():
            await step(parts, chain)
        if time.monotonic() - swept > _SWEEPS:
            swept = time.monotonic()
            freed = await parts.chains.expire(keep=parts.limits.jobs_kept)
            await parts.books.keeper.let_go(freed)

    await rounds(look, after="chains", every=POLL, until=stopping)


async def step(parts: Parts, chain: Chain) -> None:
    """Put the jobs in line that can begin now, or end the chain."""
    reference, *variants = await parts.chains.items(chain)
    if reference.job is None:
        await _begin(parts, chain, {reference.key: reference_item(await _base(parts, chain)).request})
    elif not reference.job.state.over:
        return
    elif reference.job.state is not JobState.SUCCEEDED:
        await parts.chains.end(chain.id, ChainState(reference.job.state))
    elif missing := [each for each in variants if each.job is None]:
        await _begin_variants(parts, chain, reference, missing)
    else:
        await _end(parts, chain, [each.job for each in variants if each.job is not None])


async def _begin_variants(
    parts: Parts, chain: Chain, reference: ChainItem, missing: Sequence[ChainItem]
) -> None:
    try:
        picture = await parts.books.assets.load(reference.asset_id or "")
    except AssetError as error:
        _log.warning("chain %s cannot go on, its reference is gone: %s", chain.id, error)
        await parts.chains.end(chain.id, ChainState.FAILED)
        return
    base, shown = await _base(parts, chain), as_reference(picture, role=ReferenceRole.CHARACTER)
    places = {key: place for place, key in enumerate(chain.keys)}
    await _begin(
        parts,
        chain,
        {
            each.key: variant_item(base, places[each.key], prompt=each.prompt, reference=shown).request
            for each in missing
        },
    )


async def _base(parts: Parts, chain: Chain) -> ImageRequest:
    pieces = await parts.books.assets.pieces(REQUEST.needs(chain.request))
    return await asyncio.to_thread(REQUEST.read, chain.request, pieces)


async def _begin(parts: Parts, chain: Chain, requests: dict[str, ImageRequest]) -> None:
    for key, request in requests.items():
        record = await asyncio.to_thread(REQUEST.write, replace(request, key=None))
        new = NewJob(
            id=chain.job_id(key),
            scope=chain.scope,
            kind="chain",
            key_id=chain.key_id,
            rules=chain.rules,
            asked_key=chain.work_key(key),
            fingerprint=f"{chain.fingerprint}/{key}",
            request=record.data,
            blobs=frozenset(record.pieces),
            terms=chain.terms,
            images=1,
        )
        await parts.jobs.add(new, record)
    now = await parts.chains.get(chain.id)
    if now is None or now.state is ChainState.CANCELLED:  # while these were put in line
        await cancel_jobs(parts, chain)


async def cancel_jobs(parts: Parts, chain: Chain) -> None:
    """End the jobs of a chain that are not over."""
    for item in await parts.chains.items(chain):
        if item.job is not None and not item.job.state.over:
            await parts.jobs.cancel(item.job.id, then=tell)


async def _end(parts: Parts, chain: Chain, jobs: Sequence[Job]) -> None:
    if not all(job.state.over for job in jobs):
        return
    came = sum(job.state is JobState.SUCCEEDED for job in jobs)
    states = {len(jobs): ChainState.SUCCEEDED, 0: ChainState.FAILED}
    await parts.chains.end(chain.id, states.get(came, ChainState.PARTIAL))
