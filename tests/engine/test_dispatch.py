"""One image: attempts driven against a script, each judged, priced and announced."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from desk import ARTICLE, TODAY, cards, conversation, policies, reference, world
from image_router.core.errors import (
    AmbiguousOutcome,
    ContentRefused,
    InvalidCredentials,
    ModelUnavailable,
    NoImageReturned,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
)
from image_router.core.events import AttemptEnded, AttemptSent, AttemptStarted, Event
from image_router.core.failover import Plan
from image_router.core.outcome import Billed, Cause
from image_router.core.rates import card_on, price
from image_router.core.reply import ApiError, FaultKind, Reply
from image_router.core.routing import decide
from image_router.core.types import Adaptation, ImageRequest, Lane, OnAmbiguous, Reference, Size, Usage
from image_router.engine.dispatch import Dispatched, Job, Tools, dispatch
from image_router.engine.door import OpenDoor
from image_router.engine.media import digest_of
from image_router.providers.base import Call
from image_router.testing import (
    FrozenClock,
    Script,
    ScriptedProvider,
    failed,
    lost,
    overloaded,
    refused,
    words_only,
)

FLASH = "gemini-3.1-flash-image-preview"
PRO = "gemini-3-pro-image-preview"


class Desk:
    """One dispatch over a script: what was called, slept and announced."""

    def __init__(self, script: Script) -> None:
        self.clock = FrozenClock()
        self.provider = ScriptedProvider(script)
        self.events: list[Event] = []

    async def make(
        self, request: ImageRequest, *, day: Any = ARTICLE, started: float = 0.0, **plan: Any
    ) -> Dispatched:
        policy = policies()["default"]
        how = Plan(
            budget=policy.retry, deadline=plan.pop("deadline", 300.0),
            on_ambiguous=plan.pop("on_ambiguous", OnAmbiguous.ONCE),
            adapt=plan.pop("adapt", frozenset()), dice=lambda: 1.0,
        )  # fmt: skip
        job = Job(request_id="req", index=0, decision=decide(request, world(day)), plan=how, started=started)
        tools = Tools(
            door=OpenDoor(self.provider),
            card=card_on(day, cards()),
            announce=self.events.append,
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        return await dispatch(job, tools)


def ask(**fields: Any) -> ImageRequest:
    return ImageRequest(**{"prompt": "a fox", "purpose": "contextual_edit", **fields})


async def test_an_image() -> None:
    """The first image comes back with its bytes, true size, model, usage and cost."""
    desk = Desk(Script())
    done = await desk.make(ask())
    image = done.image
    assert image is not None
    assert done.error is None
    assert (image.model, image.tier, image.media_type) == (FLASH, "gemini_31_flash_image", "image/png")
    assert image.digest == digest_of(image.data)
    assert image.warnings == ()
    assert image.cost.total == 1120 * 60_000 + 100 * 3_000 + 10 * 500
    (attempt,) = done.attempts
    assert (attempt.cost, attempt.billed, attempt.at_risk) == (image.cost, Billed.YES, 0)


async def test_each_attempt_is_priced_and_announced() -> None:
    """Failed attempts stand before the good one, each with its cost; events tell starts, waits and ends."""
    desk = Desk(Script().fail(overloaded(), times=2).fail(refused()))
    done = await desk.make(ask())
    assert [(a.number, a.cause, a.cost.total > 0) for a in done.attempts] == [
        (1, Cause.OVERLOADED, False),
        (2, Cause.OVERLOADED, False),
        (3, Cause.OUTPUT_REFUSED, False),
        (4, Cause.OK, True),
    ]
    assert desk.clock.slept == [1.0, 2.0]
    assert [(type(e), getattr(e, "wait", None)) for e in desk.events] == [
        (AttemptStarted, 0.0), (AttemptSent, None), (AttemptEnded, None),
        (AttemptStarted, 1.0), (AttemptSent, None), (AttemptEnded, None),
        (AttemptStarted, 2.0), (AttemptSent, None), (AttemptEnded, None),
        (AttemptStarted, 0.0), (AttemptSent, None), (AttemptEnded, None),
    ]  # fmt: skip
    sent = [event for event in desk.events if isinstance(event, AttemptSent)]
    assert [(s.number, s.retry, s.fallback) for s in sent] == [
        (1, False, False),
        (2, True, False),
        (3, True, False),
        (4, True, False),
    ]


async def test_words_instead_of_an_image_are_paid() -> None:
    """An answer in words costs its tokens, also when the next attempt succeeds."""
    done = await Desk(Script().fail(words_only("I would rather talk"))).make(ask())
    assert [a.cost.total for a in done.attempts] == [
        9 * 500 + 12 * 3_000,
        1120 * 60_000 + 100 * 3_000 + 5_000,
    ]


async def test_failover_is_told() -> None:
    """A picture of another model than the first choice says so, and its price is that model's."""
    gone = failed(404, "NOT_FOUND", message="models/x is not found for API version v1beta")
    done = await Desk(Script().fail(gone)).make(ask())
    assert done.image is not None
    assert (done.image.tier, done.image.model) == ("nano_banana", "gemini-2.5-flash-image")
    assert done.image.warnings == (f"gemini-2.5-flash-image made it after {FLASH} failed",)
    assert [a.model for a in done.attempts] == [FLASH, "gemini-2.5-flash-image"]


@pytest.mark.parametrize(
    ("reply", "error", "calls"),
    [
        (overloaded(), ProviderUnavailable, 6),
        (refused(), ContentRefused, 3),
        (words_only("no"), NoImageReturned, 3),
        (failed(401, "UNAUTHENTICATED", message="API key not valid"), InvalidCredentials, 1),
        (failed(400, "INVALID_ARGUMENT", message="bad aspect ratio"), RequestRejected, 1),
        (failed(404, "NOT_FOUND", message="models/x is not found"), ModelUnavailable, 2),
        (lost(), AmbiguousOutcome, 2),
        (lost(FaultKind.CONNECT, sent=False), ProviderUnavailable, 6),
        (failed(429, "RESOURCE_EXHAUSTED", message="Resource has been exhausted"), RateLimited, 6),
    ],
)
async def test_all_attempts_fail(reply: Reply, error: type[Exception], calls: int) -> None:
    """When every attempt fails the last outcome is the error, and it carries every attempt."""
    desk = Desk(Script().fail(reply, times=50))
    done = await desk.make(ask())
    assert done.image is None
    assert type(done.error) is error
    assert len(desk.provider.calls) == len(done.attempts) == calls
    assert done.error is not None
    assert done.error.attempts == done.attempts


@pytest.mark.parametrize("purpose", ["contextual_edit", "character_lock", "economy", "draft", "final_hero"])
@pytest.mark.parametrize("size", [Size.K1, Size.K2])
@pytest.mark.parametrize("day", [ARTICLE, TODAY])
@pytest.mark.parametrize("n", [1, 7])
async def test_at_risk_bounds_one_image(purpose: str, size: Size, day: Any, n: int) -> None:
    """An unknown outcome risks the ceiling of one image: what the dearest reply allowed for costs."""
    request = ask(purpose=purpose, size=size, n=n, prompt="fox " * 50)
    done = await Desk(Script().fail(lost())).make(request, day=day, on_ambiguous=OnAmbiguous.NEVER)
    (attempt,) = done.attempts
    assert attempt.billed is Billed.UNKNOWN
    assert attempt.cost.total == 0
    head = decide(request, world(day)).head
    tokens = head.model.tokens_per_image.get(size, 0)
    worst = Usage(
        prompt_tokens=len(request.prompt.encode()), image_tokens=tokens, images=1,
        candidates_tokens=tokens + head.model.overhead(head.parameters.thinking).allowance,
    )  # fmt: skip
    card = card_on(day, cards())
    most = price(worst, head.model, size=head.parameters.size, card=card, lane=Lane.INTERACTIVE).total
    assert attempt.at_risk == most == head.quote.ceiling // n


async def test_a_known_outcome_risks_nothing() -> None:
    """Where the bill is known, nothing is at risk on top."""
    done = await Desk(Script().fail(overloaded())).make(ask())
    assert [a.at_risk for a in done.attempts] == [0, 0]


async def test_a_resend_may_be_paid_twice() -> None:
    """After one resend both payments show: the unknown one at risk, the known one as cost."""
    done = await Desk(Script().fail(lost())).make(ask())
    assert [(a.at_risk > 0, a.cost.total > 0) for a in done.attempts] == [(True, False), (False, True)]


async def test_a_corrupt_image_is_paid() -> None:
    """A picture that cannot be decoded is billed, tried again, and never handed out."""

    class Corrupt(ScriptedProvider):
        async def generate(self, call: Call, *, timeout: float) -> Reply:
            reply = await super().generate(call, timeout=timeout)
            if len(self.calls) > 1:
                return reply
            return replace(reply, parts=tuple(replace(part, data=part.data[:200]) for part in reply.images))

    desk = Desk(Script())
    desk.provider = Corrupt()
    done = await desk.make(ask())
    assert [(a.cause, a.cost.total > 0) for a in done.attempts] == [
        (Cause.CORRUPT_IMAGE, True),
        (Cause.OK, True),
    ]


async def test_a_job_that_comes_too_late() -> None:
    """The deadline is the whole request's: an image whose turn comes after it is not begun, and says so."""
    desk = Desk(Script())
    desk.clock.now = 300.0
    done = await desk.make(ask(n=9))
    assert isinstance(done.error, ProviderTimeout)
    assert "the deadline of 300 s for the whole request passed before image 1 was begun" in str(done.error)
    assert desk.provider.calls == []


async def test_a_late_job_has_the_rest() -> None:
    """An image whose turn comes late may take only what is left."""

    class Timed(ScriptedProvider):
        timeouts: list[float] = []

        async def generate(self, call: Call, *, timeout: float) -> Reply:
            self.timeouts.append(timeout)
            return await super().generate(call, timeout=timeout)

    desk = Desk(Script())
    desk.provider, desk.clock.now = Timed(), 240.0
    await desk.make(ask())
    assert Timed.timeouts == [60.0]


def unsigned() -> Reply:
    return failed(400, "INVALID_ARGUMENT", message="Image part is missing a thought_signature")


async def test_a_history_is_flattened_on_demand() -> None:
    """A missing signature is healed by flattening where it is listed: sent once more, and reported."""
    desk = Desk(Script().fail(unsigned()))
    request = ask(conversation=conversation(FLASH), prompt="at night")
    done = await desk.make(request, adapt=frozenset({Adaptation.FLATTEN_HISTORY}))
    first, second = (call.request for call in desk.provider.calls)
    assert first.conversation is not None
    assert (second.conversation, len(second.references)) == (None, 1)
    assert done.image is not None
    assert done.image.warnings == (
        "the history went as its last picture after the provider missed a signature",
    )


async def test_a_prefix_on_demand() -> None:
    """Words instead of an image are answered with an explicit wish, where that is listed, and reported."""
    desk = Desk(Script().fail(words_only("hm")))
    done = await desk.make(ask(), adapt=frozenset({Adaptation.IMAGE_PREFIX}))
    assert [call.request.prompt for call in desk.provider.calls] == ["a fox", "Generate an image: a fox"]
    assert done.image is not None
    assert "an explicit wish for an image" in done.image.warnings[0]


def photo(kind: str, mode: str, colour: object) -> Reference:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new(mode, (40, 20), colour).save(file, kind, exif=exif)
    data = file.getvalue()
    media_type = f"image/{kind.lower()}"
    return Reference(data=data, media_type=media_type, digest=digest_of(data), width=40, height=20, name="p")


async def test_references_are_reencoded_on_demand() -> None:
    """References that cannot be read go again in a plain encoding, upright, where that is listed."""
    unreadable = failed(400, "INVALID_ARGUMENT", message="Unable to process input image")
    desk = Desk(Script().fail(unreadable))
    sources = (
        photo("JPEG", "RGB", (1, 2, 3)), photo("WEBP", "RGBA", (1, 2, 3, 9)),
        replace(reference("heic"), media_type="image/heic"),
    )  # fmt: skip
    done = await desk.make(ask(references=sources), adapt=frozenset({Adaptation.REENCODE_REFERENCE}))
    plain = desk.provider.calls[1].request.references
    assert [ref.media_type for ref in plain] == ["image/jpeg", "image/png", "image/heic"]
    assert [(ref.width, ref.height) for ref in plain[:2]] == [(20, 40)] * 2
    assert all(
        ref.digest == digest_of(ref.data) and ref.data != old.data
        for ref, old in zip(plain[:2], sources, strict=False)
    )
    assert plain[2] == sources[2]
    assert done.image is not None
    assert done.image.warnings == ("the references were re-encoded after the provider could not read them",)


async def test_adaptations_are_reported() -> None:
    """What the decision adapted is sent adapted, and stands in the image's warnings."""
    desk = Desk(Script())
    request = ask(
        tier="nano_banana", purpose="economy", system_instruction="only pencil",
        allow=frozenset({Adaptation.FOLD_SYSTEM_INSTRUCTION}),
    )  # fmt: skip
    done = await desk.make(request)
    assert desk.provider.calls[0].request.prompt == "only pencil\n\na fox"
    assert done.image is not None
    assert done.image.warnings == ("gemini-2.5-flash-image gets the instruction inside the prompt",)


async def test_the_conversation_goes_on() -> None:
    """An image of a conversational model carries the turns to continue from; Imagen's carries none."""
    done = await Desk(Script()).make(ask())
    assert done.image is not None
    assert done.image.conversation is not None
    assert done.image.conversation.model == FLASH
    assert done.image.conversation.turns[-1].parts[-1].data == done.image.data
    done = await Desk(Script()).make(ask(purpose="draft"))
    assert done.image is not None
    assert done.image.conversation is None


async def test_retry_info_is_waited_for() -> None:
    """RetryInfo in a rate limit is waited for."""
    error = ApiError(http_status=429, status="RESOURCE_EXHAUSTED", message="slow down", retry_after=17.0)
    desk = Desk(Script().fail(Reply(http_status=429, error=error)))
    await desk.make(ask())
    assert desk.clock.slept == [17.0]


async def test_cancellation_is_not_swallowed() -> None:
    """A cancelled dispatch ends at once and sends nothing more."""

    sent = asyncio.Event()

    class Hanging(ScriptedProvider):
        async def generate(self, call: Call, *, timeout: float) -> Reply:
            self.calls.append(call)
            sent.set()
            await asyncio.Event().wait()
            raise AssertionError

    desk = Desk(Script())
    desk.provider = Hanging()
    task = asyncio.create_task(desk.make(ask()))
    await sent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(desk.provider.calls) == 1
