"""The live router's controls: a query or a form, read strictly, with what the chosen job starts with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from image_router.core.types import AspectRatio, ImageRequest, Lane, Purpose, ReferenceRole, Size
from image_router.engine.deciding import Decider
from image_router.gateway.app import Visit
from image_router.gateway.dashboard import samples
from image_router.gateway.dashboard.jobs import JOBS, Job
from image_router.gateway.fields import day, one_of, text, whole
from image_router.gateway.refusals import malformed

ARTICLE_DAY: Final = date(2026, 4, 9)
"""On which all six ids of the article answered."""
WORLDS: Final = ("today", "april", "day")
MOST_VARIANTS: Final = 20
MOST_IMAGES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAsk:
    """What the controls say."""

    job: Job
    prompt: str
    purpose: Purpose
    text: str
    references: int
    size: Size
    aspect: AspectRatio | None
    lane: Lane
    images: int
    pressure: int
    profile: str
    world: str
    day: date
    variants: tuple[str, ...]

    @property
    def query(self) -> str:
        """The same as a query: the page's address for whoever shall see this."""
        return urlencode(self.fields)

    @property
    def fields(self) -> dict[str, str]:
        told = {
            "job": self.job.name,
            "prompt": self.prompt,
            "purpose": self.purpose.value,
            "text": self.text,
            "references": str(self.references),
            "size": self.size.value,
            "aspect": self.aspect.value if self.aspect else "",
            "lane": self.lane.value,
            "images": str(self.images),
            "pressure": str(self.pressure),
            "profile": self.profile,
            "world": self.world,
            "day": self.day.isoformat(),
        }
        return {**told, "variants": "\n".join(self.variants)} if self.variants else told

    def for_job(self, job: Job) -> str:
        """The query of another job in the same world."""
        kept = ("lane", "pressure", "profile", "world", "day")
        told = {name: value for name, value in self.fields.items() if name in kept}
        return urlencode({"job": job.name, **told})

    def in_world(self, world: str) -> str:
        return replace(self, world=world).query


def live_ask(given: Mapping[str, Any], *, today: date, profile: str) -> LiveAsk:
    """Raises Refusal naming the control."""
    job = JOBS[one_of(given, "job", words=tuple(JOBS)) or "hero"]
    world = one_of(given, "world", words=WORLDS) or "today"
    asked = day(_filled(given), "day")
    return LiveAsk(
        job=job,
        prompt=_or(text(given, "prompt"), job.prompt),
        purpose=job.purpose if job.chain else _purpose(given, job),
        text=_or(text(given, "text"), job.text),
        references=whole(_filled(given), "references", default=job.references, low=0, high=samples.MOST),
        size=Size(one_of(_filled(given), "size", words=tuple(Size)) or job.size),
        aspect=_aspect(given, job),
        lane=Lane(one_of(_filled(given), "lane", words=tuple(Lane)) or Lane.INTERACTIVE),
        images=1 if job.chain else whole(_filled(given), "images", default=1, low=1, high=MOST_IMAGES),
        pressure=whole(_filled(given), "pressure", default=0, low=0, high=100),
        profile=text(_filled(given), "profile") or profile,
        world=world,
        day={"today": today, "april": ARTICLE_DAY}.get(world, asked or today),
        variants=_variants(given, job),
    )


async def request_of(visit: Visit, ask: LiveAsk, *, decider: Decider, **more: Any) -> ImageRequest:
    """The request that the controls stand for, paid by whoever is signed in."""
    locked = ask.purpose is Purpose.CHARACTER_LOCK
    role = ReferenceRole.CHARACTER if locked else ReferenceRole.OBJECT
    return await decider.request(
        ask.prompt,
        purpose=ask.purpose,
        text=ask.text.strip() or None,
        references=[(samples.sample(place), role) for place in range(ask.references)],
        size=ask.size,
        aspect=ask.aspect,
        lane=ask.lane,
        n=ask.images,
        **visit.terms(None),
        **more,
    )


def _purpose(given: Mapping[str, Any], job: Job) -> Purpose:
    return Purpose(one_of(_filled(given), "purpose", words=tuple(Purpose)) or job.purpose)


def _aspect(given: Mapping[str, Any], job: Job) -> AspectRatio | None:
    said = text(given, "aspect")
    named = job.aspect if said is None else said
    return AspectRatio(one_of({"aspect": named}, "aspect", words=tuple(AspectRatio)) or "") if named else None


def _variants(given: Mapping[str, Any], job: Job) -> tuple[str, ...]:
    if not job.chain:
        return ()
    said = text(given, "variants")
    lines = (
        job.variants if said is None else tuple(line.strip() for line in said.splitlines() if line.strip())
    )
    if not 1 <= len(lines) <= MOST_VARIANTS:
        words = f"{len(lines)} variants; write 1 to {MOST_VARIANTS}, one in a line"
        raise malformed(words, param="variants")
    return lines


def _filled(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without controls that were left empty: these mean their default."""
    return {name: value for name, value in given.items() if value != ""}


def _or(said: str | None, default: str) -> str:
    return default if said is None else said
