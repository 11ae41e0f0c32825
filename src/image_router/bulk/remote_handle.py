"""One request on the batch lane as a value to hold: how far it is, its pictures, its end.

handle = await runs.submit("a red mug on a table", purpose="hero", n=20, within=8 * 3600)
result = await handle.wait()
result.images, result.failures
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from image_router.bulk.parts import Bulk
from image_router.bulk.planning import request_of
from image_router.bulk.runs import new_run
from image_router.bulk.working import working
from image_router.core.batch_lane import Served, served
from image_router.core.decision import Decision
from image_router.core.errors import InvalidRequest
from image_router.core.ids import new_id
from image_router.core.money import parse_usd
from image_router.core.results import GeneratedImage
from image_router.core.runs import (
    PlannedRow,
    Progress,
    RowAsk,
    RowEnd,
    RowState,
    RunKind,
    RunState,
    RunTerms,
    Stage,
)
from image_router.core.types import MAX_IMAGES, ImageRequest, Lane
from image_router.storage.asset_values import asset_id

LOOK: Final = 0.5
"""Seconds between looks at a batch that is waited for."""
_SAID: Final = frozenset(RowAsk.__slots__) - {"prompt", "fields", "lane"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What came of a batch so far, in the order asked."""

    images: tuple[GeneratedImage, ...]
    failures: tuple[RowEnd, ...]
    """Of pictures that will not come."""
    open: int
    """Pictures that may still come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchHandle:
    """A batch of one request. Its id is enough to hold it again, in any process."""

    id: str
    bulk: Bulk = field(repr=False)
    note: str = ""
    """What is other than asked, where the first choice has no batch."""

    async def status(self) -> Progress:
        """How far it is; asks nobody but the database."""
        return await self.bulk.runs.progress(self.id)

    async def wait(self) -> BatchResult:
        """Take part until it is over, or stands still for whoever must act; what came of it."""
        async with working(self.bulk):
            await _until(self._stands)
        return await self.result()

    async def _stands(self) -> bool:
        run = await self.bulk.runs.get(self.id)
        over = run.state in (RunState.DONE, RunState.CANCELLED)
        return over or (run.state is RunState.PAUSED and run.resumes_at is None)

    async def result(self) -> BatchResult:
        """What came of it so far. Raises AssetError where a picture was thrown away."""
        images: list[GeneratedImage] = []
        failures: list[RowEnd] = []
        open_ = 0
        for row in await self.bulk.runs.rows(self.id, limit=MAX_IMAGES):
            if row.state is RowState.DONE:
                images.append(await self.bulk.bench.assets.load(asset_id(row.request_id or "", 0)))
            elif row.state in (RowState.WAITING, RowState.SENT):
                open_ += 1
            else:
                failures.append(RowEnd(state=row.state, cause=row.cause, message=row.message))
        return BatchResult(images=tuple(images), failures=tuple(failures), open=open_)

    async def cancel(self) -> None:
        """Cancel its job at the provider; what that has made is kept."""
        await self.bulk.runs.cancel(self.id)
        async with working(self.bulk):
            await _until(self._nothing_out)

    async def _nothing_out(self) -> bool:
        return not await self.bulk.lane.parts.jobs.of_run_open(self.id)


async def _until(ready: Callable[[], Awaitable[bool]]) -> None:
    while True:
        if await ready():
            return
        await asyncio.sleep(LOOK)


async def submit(
    bulk: Bulk,
    prompt: str,
    *,
    scope: str,
    profile: str | None = None,
    within: float | None = None,
    **asked: Any,
) -> BatchHandle:
    """Store the request as a batch and let it go; the provider has it when somebody takes part (`wait`, a
    worker).

    `n` pictures; `within` seconds they must be there, else they are made at once for `replacement` dollars
    each at most; `max_cost` dollars for all of them. All else is what a row of a list can say: purpose, size,
    aspect, text, tier, model, seed, references by path or URL. Raises InvalidRequest, RequestError.
    """
    count = asked.pop("n", 1)
    if not isinstance(count, int) or not 1 <= count <= MAX_IMAGES:
        raise InvalidRequest(f"n is {count!r}; ask for 1 to {MAX_IMAGES} images, or hand in a list")
    terms = _terms(asked, within, now=await bulk.lane.parts.jobs.now())
    ask = _ask(prompt, asked)
    new = new_run(prompt[:60], RunKind.BATCH, scope=scope, profile=profile, terms=terms)
    found, ask = await _decided(bulk, ask, scope=scope, profile=profile)
    run = await bulk.runs.start(new, _rows(found.decision, ask, count))
    return BatchHandle(id=run.id, bulk=bulk, note=found.note)


def _terms(asked: dict[str, Any], within: float | None, *, now: int) -> RunTerms:
    cap, most = asked.pop("max_cost", None), asked.pop("replacement", None)
    return RunTerms(
        max_cost=None if cap is None else parse_usd(cap, name="max_cost"),
        replacement=None if most is None else parse_usd(most, name="replacement"),
        by=None if within is None else now + round(within * 10**6),
    )


def _ask(prompt: str, asked: dict[str, Any]) -> RowAsk:
    beyond = sorted(set(asked) - _SAID)
    if beyond:
        words = f"{', '.join(beyond)}: a batch cannot say that; ask for it on the interactive lane"
        raise InvalidRequest(words)
    references = asked.pop("references", ())
    named = (references,) if isinstance(references, str) else tuple(map(str, references))
    # The request makes plain text the enums it stands for, and refuses what is none.
    shown = ImageRequest(prompt=prompt, lane=Lane.BATCH, **asked)
    said = {name: getattr(shown, name) for name in _SAID - {"references"}}
    return RowAsk(prompt=prompt, lane=Lane.BATCH, references=named, **said)


async def _decided(bulk: Bulk, ask: RowAsk, *, scope: str, profile: str | None) -> tuple[Served, RowAsk]:
    """The decision, and the request as it will be made where its first choice has no batch."""
    router = bulk.bench.router
    references = (await router.request("references", references=ask.references)).references
    found = served(
        request_of(ask, references=references, scope=scope),
        router.world(profile),
        decide=lambda one: router.decided(one, profile=profile),
    )
    if found.note:
        said = found.request
        ask = replace(ask, lane=said.lane, tier=said.tier, model=said.model)
    return found, ask


async def _rows(decision: Decision, ask: RowAsk, count: int) -> AsyncIterator[PlannedRow]:
    key, head = new_id("batch-"), decision.head
    for number in range(1, count + 1):
        yield PlannedRow(
            number=number,
            line=1,
            key=f"{key}/{number}",
            subject=f"{number}",
            stage=Stage.FIRST,
            ask=replace(ask, seed=None if ask.seed is None else ask.seed + number - 1),
            model=head.model.id,
            tier=head.tier,
            quote=head.quote.total,
            ceiling=decision.ceiling,
        )
