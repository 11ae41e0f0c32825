"""What the router would do with the live router's job, prepared for the page. Nothing is spent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from image_router.core.chain import combined, reference_item, variant_item
from image_router.core.decision import Candidate, Decision, Dropped
from image_router.core.errors import ImageRouterError
from image_router.core.policy import Policy, Rule
from image_router.core.rates import Quote
from image_router.core.types import ImageRequest, Lane, ReferenceRole, Tier
from image_router.engine.deciding import Decider
from image_router.engine.explaining import Explanation
from image_router.engine.media import reference_of
from image_router.gateway.app import Visit
from image_router.gateway.dashboard import samples
from image_router.gateway.dashboard.jobs import JOBS, Job
from image_router.gateway.dashboard.live_asks import LiveAsk, request_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one of the six did."""

    tier: Tier
    model: str
    place: int
    """From 1; 0: it cannot serve."""
    candidate: Candidate | None
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A rule of the policy, as it was tested."""

    rule: Rule
    outcome: str
    """fired, passed over, or not reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One decision with everything about it."""

    title: str
    note: str
    explanation: Explanation
    standings: tuple[Standing, ...]
    rules: tuple[Tried, ...]
    quote: Quote
    """Of all its pictures."""

    @property
    def decision(self) -> Decision:
        return self.explanation.decision

    @property
    def blocks(self) -> tuple[tuple[str, str, str], ...]:
        """Name, title and text of what is there to copy."""
        told, call = self.explanation, self.explanation.text_call
        first = (("text", "Text call that shortens the prompt first", _json(call.payload)),) if call else ()
        return (
            *first,
            ("payload", "Payload", _json(told.payload)),
            ("sdk", "The same with google-genai", told.sdk_call),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAnswer:
    """One stage, or the two of a chain."""

    stages: tuple[Stage, ...]
    quote: Quote
    ceiling: int
    """Nano-dollars."""
    hindrance: str = ""
    """Why it cannot be made here and now; empty: it can."""


async def live_answer(visit: Visit, ask: LiveAsk) -> LiveAnswer:
    """Raises what deciding raises: InvalidRequest, NoEligibleTier, KeyForbids."""
    decider = visit.router.dated(ask.day)
    request = await request_of(visit, ask, decider=decider)
    stages = await (_chain(decider, ask, request) if ask.variants else _single(decider, ask, request))
    return LiveAnswer(
        stages=stages,
        quote=combined(stage.quote for stage in stages),
        ceiling=sum(_ceiling(stage) for stage in stages),
        hindrance=hindrance(visit, ask),
    )


def hindrance(visit: Visit, ask: LiveAsk) -> str:
    """Why nothing can be made as asked; empty where it can."""
    if ask.day != visit.router.day:
        return (
            f"This world is of {ask.day}. Pictures are made on {visit.router.day}: switch to today to make "
            f"one, or serve that day with --as-of {ask.day} --offline."
        )
    if ask.lane is Lane.BATCH:
        return "Batch is decided and quoted here; a batch job is submitted through the API."
    return ""


async def _tier_of(visit: Visit, ask: LiveAsk, job: Job) -> Tier | None:
    """Who would take a ready job in the world of these controls; None: nobody."""
    decider = visit.router.dated(ask.day)
    plain = replace(
        ask,
        job=job,
        prompt=job.prompt,
        purpose=job.purpose,
        text=job.text,
        references=job.references,
        aspect=None,
        variants=(),
    )
    try:
        request = await request_of(visit, plain, decider=decider)
        decision = await decider.decide(request, profile=ask.profile, pressure=ask.pressure)
    except ImageRouterError:
        return None
    return decision.head.tier


async def previews(visit: Visit, ask: LiveAsk) -> dict[str, Tier | None]:
    """Of each ready job that is one picture."""
    return {
        name: await _tier_of(visit, ask, job) for name, job in JOBS.items() if not job.chain and name != "own"
    }


async def _single(decider: Decider, ask: LiveAsk, request: ImageRequest) -> tuple[Stage, ...]:
    return (await _stage(decider, ask, request, title="Decision", note=""),)


async def _chain(decider: Decider, ask: LiveAsk, request: ImageRequest) -> tuple[Stage, ...]:
    """The reference, and the first variant with what all of them cost."""
    reference = await _stage(
        decider,
        ask,
        reference_item(request).request,
        title="Stage 1: the reference",
        note="One economical picture says what the character looks like.",
    )
    stand_in = reference_of(samples.sample(0), "reference", role=ReferenceRole.CHARACTER)
    items = [
        variant_item(request, place, prompt=prompt, reference=stand_in).request
        for place, prompt in enumerate(ask.variants, 1)
    ]
    quotes = [
        (await decider.decide(item, profile=ask.profile, pressure=ask.pressure)).quote for item in items
    ]
    count = len(items)
    variants = await _stage(
        decider,
        ask,
        items[0],
        title=f"Stage 2: {count} variant{'s' if count > 1 else ''}",
        note="Each is given the reference. Shown is the first; the quote counts all.",
    )
    return reference, replace(variants, quote=combined(quotes))


async def _stage(decider: Decider, ask: LiveAsk, request: ImageRequest, *, title: str, note: str) -> Stage:
    explanation = await decider.explain(request, profile=ask.profile, pressure=ask.pressure)
    policy = decider.world(ask.profile).policy
    return Stage(
        title=title,
        note=note,
        explanation=explanation,
        standings=tuple(_standings(explanation.decision, decider)),
        rules=tuple(_rules(policy, request)),
        quote=explanation.decision.quote,
    )


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _ceiling(stage: Stage) -> int:
    """The dearest candidate for each of its requests."""
    return stage.decision.ceiling * max(1, stage.quote.images // stage.decision.request.n)


def _standings(decision: Decision, decider: Decider) -> Iterator[Standing]:
    catalog = decider.world().catalog
    found = []
    for tier in Tier:
        entry = catalog.serving(tier, decider.day)
        places = [place for place, one in enumerate(decision.candidates, 1) if one.tier is tier]
        found.append(
            Standing(
                tier=tier,
                model=entry.model if entry else "",
                place=places[0] if places else 0,
                candidate=decision.candidates[places[0] - 1] if places else None,
                dropped=tuple(drop for drop in decision.dropped if drop.tier is tier),
            )
        )
    yield from sorted(found, key=lambda one: one.place or len(found) + 1)


def _rules(policy: Policy, request: ImageRequest) -> Iterator[Tried]:
    fired = False
    for rule in policy.rules:
        matches = not fired and rule.when.matches(request)
        yield Tried(rule=rule, outcome="fired" if matches else "not reached" if fired else "passed over")
        fired = fired or matches
