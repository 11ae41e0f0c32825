"""What the playground's button began: jobs and chains of the gateway, put in line and looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from image_router.core.budget import SECOND, Micros
from image_router.core.errors import AssetError
from image_router.core.money import Nanos, parse_usd
from image_router.core.palette import TITLE
from image_router.core.types import ImageRequest, Tier
from image_router.gateway.app import Visit
from image_router.gateway.chains_work import cancel_jobs
from image_router.gateway.dashboard.playground_asks import Mode, PlayAsk, request_of
from image_router.gateway.dashboard.playground_prices import plan_of, prices
from image_router.gateway.jobs_making import Extras, in_line
from image_router.gateway.jobs_views import Terms, problem_view
from image_router.gateway.jobs_work import tell
from image_router.gateway.openai_asks import Asked, Delivery
from image_router.gateway.refusals import absent, malformed
from image_router.gateway.router_chains import begun
from image_router.gateway.router_scopes import owns
from image_router.storage.asset_queries import Query
from image_router.storage.asset_values import Asset
from image_router.storage.chains_tables import Chain, ChainItem, ChainState
from image_router.storage.jobs_tables import Job, JobState
from image_router.storage.records import RESULT

_CHAIN: Final = "chain_"
MOST: Final = 8
"""Jobs that are looked at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One job of a run, and what came of it so far. Amounts in nano-dollars."""

    id: str
    title: str
    tier: Tier | None
    state: str
    """Of the job; waiting: it is not in line yet."""
    images: int
    quote: Nanos | None
    """None: of the whole chain alone."""
    cost: Nanos
    took: float | None
    """Seconds from its start to its end; None: not over, or never begun."""
    pictures: tuple[Asset, ...]
    drafts: tuple[str, ...]
    """Digests of what the model drew while it thought."""
    problem: str

    @property
    def missing(self) -> int:
        return max(0, self.images - len(self.pictures))

    @property
    def over(self) -> bool:
        return self.state not in (JobState.QUEUED, JobState.RUNNING, "waiting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All that one press of the button began."""

    name: str
    """Ids of its jobs, or of its chain."""
    lanes: tuple[Lane, ...]
    quote: Nanos
    over: bool
    chain: bool

    @property
    def cost(self) -> Nanos:
        return sum(lane.cost for lane in self.lanes)

    @property
    def images(self) -> int:
        return sum(lane.images for lane in self.lanes)

    @property
    def done(self) -> int:
        return sum(len(lane.pictures) for lane in self.lanes)

    @property
    def failed(self) -> int:
        return sum(lane.missing for lane in self.lanes if lane.over)


async def begin(visit: Visit, ask: PlayAsk, *, key: str) -> str:
    """Put all of it in line, once for each key; its name. Raises what deciding and the line raise."""
    if ask.mode is Mode.CHAIN:
        return (await begun(visit, await plan_of(visit, ask, key=key)))[0].id
    tiers = [offer.tier for offer in (await prices(visit, ask)).fine if offer.tier]
    if not tiers and ask.mode is Mode.COMPARE:
        raise malformed("none of the chosen tiers can make this; choose others", param="compare")
    asked = Asked(
        prompt=ask.prompt,
        fields={},
        profile=ask.profile,
        cache=None,
        scope=None,
        references=(),
        delivery=Delivery(),
    )
    jobs = []
    for tier in tiers if ask.mode is Mode.COMPARE else [ask.tier]:
        request = await _request(visit, ask, tier, f"{key}/{tier or 'any'}")
        extras = Extras(metadata={"tier": tier} if tier else {})
        job, _ = await in_line(visit, request, asked=asked, editing=bool(ask.references), extras=extras)
        jobs.append(job.id)
    return " ".join(jobs)


async def _request(visit: Visit, ask: PlayAsk, tier: Tier | None, key: str) -> ImageRequest:
    return replace(await request_of(visit, ask, tier=tier, sending=True), key=key)


async def run_of(visit: Visit, name: str) -> Run:
    """Raises Refusal: 404 for what is not the viewer's, or is known no longer."""
    if name.startswith(_CHAIN):
        return await _chain_run(visit, await _chain(visit, name))
    jobs = [await job_of(visit, one) for one in name.split()[:MOST]]
    lanes = [await _lane(visit, job) for job in jobs]
    return Run(
        name=" ".join(job.id for job in jobs),
        lanes=tuple(lanes),
        quote=sum(lane.quote or 0 for lane in lanes),
        over=all(lane.over for lane in lanes),
        chain=False,
    )


async def stop(visit: Visit, name: str) -> None:
    """Cancel what is not over; a call under way may be billed."""
    if name.startswith(_CHAIN):
        chain = await _chain(visit, name)
        if await visit.parts.chains.end(chain.id, ChainState.CANCELLED):
            await cancel_jobs(visit.parts, chain)
        return
    for one in name.split()[:MOST]:
        await visit.parts.jobs.cancel((await job_of(visit, one)).id, then=tell)


async def job_of(visit: Visit, job_id: str) -> Job:
    """A job of the viewer's. Raises Refusal: 404."""
    job = await visit.parts.jobs.get(job_id)
    if job is None or not owns(visit, job.scope):
        raise absent(f"there is no job {job_id!r}; finished ones are forgotten after a while")
    return job


async def drafts_of(visit: Visit, job: Job) -> tuple[str, ...]:
    """Digests of the drafts that came with a job's pictures, in their order."""
    record = await visit.parts.jobs.result(job.id) if job.state is JobState.SUCCEEDED else None
    if record is None:
        return ()
    result = await asyncio.to_thread(RESULT.read, record, _Named())
    return tuple(draft.decode() for image in result.images for draft in image.drafts)


class _Named(Mapping[str, bytes]):
    """Pieces of a record that are not read: each is the digest it would be found by."""

    def __getitem__(self, digest: str) -> bytes:
        return digest.encode()

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


async def _chain(visit: Visit, name: str) -> Chain:
    chain = await visit.parts.chains.get(name)
    if chain is None or not owns(visit, chain.scope):
        raise absent(f"there is no chain {name!r}; finished ones are forgotten after a while")
    return chain


async def _chain_run(visit: Visit, chain: Chain) -> Run:
    items = await visit.parts.chains.items(chain)
    over = chain.ended_at is not None
    return Run(
        name=chain.id,
        lanes=tuple([await _link(visit, item, place, over=over) for place, item in enumerate(items)]),
        quote=parse_usd(Terms.read(chain.terms).quote_usd, name="quote"),
        over=over,
        chain=True,
    )


async def _link(visit: Visit, item: ChainItem, place: int, *, over: bool) -> Lane:
    title = f"Variant {place}: {item.prompt}" if place else f"Reference: {item.prompt}"
    if item.job is not None:
        return replace(await _lane(visit, item.job), title=title, quote=None)
    picture = await _kept(visit, item.asset_id)
    waiting = JobState.CANCELLED if over else "waiting"
    return Lane(
        id=item.key,
        title=title,
        tier=picture.tier if picture else None,
        state=JobState.SUCCEEDED if picture else waiting,
        images=1,
        quote=None,
        cost=0,
        took=None,
        pictures=(picture,) if picture else (),
        drafts=(),
        problem="",
    )


async def _kept(visit: Visit, asset_id: str | None) -> Asset | None:
    if asset_id is None:
        return None
    try:
        return await visit.parts.books.assets.get(asset_id)
    except AssetError:
        return None


async def _lane(visit: Visit, job: Job) -> Lane:
    pictures = await _pictures(visit, job)
    terms, problem = Terms.read(job.terms), problem_view(job)
    told = terms.metadata.get("tier")
    tier = Tier(told) if told else next((one.tier for one in pictures if one.tier), None)
    return Lane(
        id=job.id,
        title=TITLE[tier] if tier else "As the router decides",
        tier=tier,
        state=job.state,
        images=job.images,
        quote=parse_usd(terms.quote_usd, name="quote"),
        cost=job.cost,
        took=_seconds(job.started_at, job.ended_at),
        pictures=pictures,
        drafts=await drafts_of(visit, job),
        problem=problem["message"] if problem else "",
    )


async def _pictures(visit: Visit, job: Job) -> tuple[Asset, ...]:
    """Each as soon as it is kept, also while others of the job are under way."""
    if job.request_id is None:
        return ()
    found = await visit.parts.books.assets.list(Query(request_id=job.request_id, limit=job.images))
    return tuple(sorted(found, key=lambda one: one.index))


def _seconds(start: Micros | None, end: Micros | None) -> float | None:
    return None if start is None or end is None else (end - start) / SECOND
