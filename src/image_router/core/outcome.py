"""What one reply means: an image, a refusal, no image, a failure, or an unknown outcome.

The order of judging is that of docs/failures.md; the tables are in core/causes. Unknown enum values and
fields never raise. `billed` follows one law: refused output and error answers cost nothing, a blocked prompt
costs its input, everything else what usageMetadata says, and a reply that was lost may have cost the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from image_router.core.catalog import Model, SizeTolerance
from image_router.core.causes import (
    COPYRIGHTED,
    FAULT_CAUSES,
    FINISH_RULES,
    STOPPED,
    THIRD_PARTY_WORDS,
    UNKNOWN_FINISH,
    Billed,
    Cause,
    FailureScope,
    FinishRule,
    Kind,
    Retry,
    rule_for,
)
from image_router.core.decision import Parameters
from image_router.core.reply import ApiError, Reply, ReplyImage, TransportFault
from image_router.core.types import AspectRatio, ImageRequest, Pixels, Usage

__all__ = [
    "Billed",
    "Cause",
    "Expected",
    "FailureScope",
    "Kind",
    "Outcome",
    "Retry",
    "chargeable",
    "classify",
    "classify_words",
    "expected_of",
]

MAX_DETAIL = 500
"""Characters of an answer's text that are quoted as the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The judgement of one reply.

    `image` is set for Kind.IMAGE alone; `extras` are further pictures that were made and paid.
    """

    kind: Kind
    cause: Cause = Cause.OK
    detail: str = ""
    image: ReplyImage | None = field(default=None, repr=False)
    extras: tuple[ReplyImage, ...] = field(default=(), repr=False)
    text: str = ""
    reason: str = ""
    """The provider's finishReason or blockReason, when it gave one."""
    usage: Usage | None = None
    """As the reply counted it; what is charged of it, `chargeable` says."""
    billed: Billed = Billed.NO
    scope: FailureScope = FailureScope.REQUEST
    retry: Retry = Retry.NEVER
    retry_after: float | None = None
    wrong_size: bool = False
    """The image is not the size or shape asked for; the sizes stand in `warnings`."""
    warnings: tuple[str, ...] = ()
    response_id: str | None = None
    model_version: str | None = None
    elapsed: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a reply is measured against."""

    pixels: Pixels | None = None
    """The documented size asked for; None when the model may choose."""
    aspect: AspectRatio | None = None
    tolerance: SizeTolerance = field(default_factory=SizeTolerance)
    image_tokens: int = 0
    """Output tokens of one picture: stands in, with a warning, when an image comes without usage."""


def expected_of(model: Model, parameters: Parameters, *, request: ImageRequest) -> Expected:
    """What a call must bring. Without a ratio, an edit follows its input's shape, which is not judged."""
    free = parameters.aspect is None and bool(request.references or request.conversation)
    return Expected(
        pixels=None if free else model.pixels_for(parameters.aspect, parameters.size),
        aspect=parameters.aspect,
        tolerance=model.tolerance,
        image_tokens=model.tokens_per_image.get(parameters.size, 0),
    )


def classify(reply: Reply, expected: Expected) -> Outcome:
    """Judge a reply whose images were inspected (an image without facts and defect counts as sound)."""
    seen = Outcome(
        kind=Kind.FAILED,
        text=reply.text,
        reason=reply.finish_reason or "",
        usage=reply.usage,
        response_id=reply.response_id,
        model_version=reply.model_version,
        elapsed=reply.elapsed,
    )
    if reply.fault is not None:
        return _faulted(seen, reply.fault)
    if reply.error is not None:
        return _failed(seen, reply.error)
    if not reply.parts and (reply.block_reason or reply.block_message):
        return _blocked(seen, reply)
    chosen = _chosen(reply)
    if chosen is None:
        return _without_image(seen, reply)
    if (reply.finish_reason or "") not in STOPPED:
        return replace(_without_image(seen, reply), kind=Kind.REFUSED)
    return _with_image(seen, reply, chosen, expected)


def classify_words(reply: Reply) -> Outcome:
    """Judge the reply of a text model: words that came to their end, or why there are none."""
    seen = classify(reply, Expected())
    whole = reply.finish_reason == "STOP" and reply.text.strip()
    if reply.error is not None or reply.fault is not None or not whole:
        return seen
    return replace(
        seen, kind=Kind.WORDS, cause=Cause.OK, detail="", retry=Retry.NEVER, billed=_as_counted(reply.usage)
    )


def chargeable(outcome: Outcome) -> Usage | None:
    """The usage to be priced; None when nothing is charged or nobody can know."""
    if outcome.billed is not Billed.YES or outcome.usage is None:
        return None
    if outcome.cause is Cause.PROMPT_BLOCKED:
        said = outcome.usage
        return Usage(
            prompt_tokens=said.prompt_tokens,
            prompt_image_tokens=said.prompt_image_tokens,
            total_tokens=said.prompt_tokens,
        )
    return outcome.usage


def _faulted(seen: Outcome, fault: TransportFault) -> Outcome:
    seen = replace(seen, detail=fault.detail, scope=FailureScope.MODEL)
    if not fault.sent:
        return replace(seen, cause=Cause.UNREACHABLE, retry=Retry.CAPACITY)
    return replace(
        seen,
        kind=Kind.AMBIGUOUS,
        cause=FAULT_CAUSES[fault.kind],
        retry=Retry.AMBIGUOUS,
        billed=Billed.UNKNOWN,
    )


def _failed(seen: Outcome, error: ApiError) -> Outcome:
    rule = rule_for(error)
    words = (error.message, *(v for v in error.field_violations if v not in error.message))
    return replace(
        seen,
        kind=rule.kind,
        cause=rule.cause,
        detail="; ".join(word for word in words if word),
        reason=error.status,
        scope=rule.scope,
        retry=rule.retry,
        retry_after=rule.wait_for(error),
        billed=rule.billed,
    )


def _blocked(seen: Outcome, reply: Reply) -> Outcome:
    reason = reply.block_reason or ""
    read = reply.usage is not None and reply.usage.prompt_tokens > 0
    return replace(
        seen,
        kind=Kind.REFUSED,
        cause=Cause.PROMPT_BLOCKED,
        detail=reply.block_message or reason,
        reason=reason,
        billed=Billed.YES if read else Billed.NO,
    )


def _chosen(reply: Reply) -> ReplyImage | None:
    """The last sound picture that is no thought. When all are thoughts, the last one is the final picture
    (https://ai.google.dev/gemini-api/docs/image-generation), provided that pictures were counted."""
    finals = [image for image in reply.images if not image.thought]
    if not finals and reply.usage is not None and reply.usage.image_tokens:
        finals = list(reply.images)
    sound = [image for image in finals if image.defect is None]
    return next(iter((sound or finals)[-1:]), None)


def _without_image(seen: Outcome, reply: Reply) -> Outcome:
    if reply.filtered and not (reply.usage and reply.usage.images):
        return replace(
            seen,
            kind=Kind.REFUSED,
            cause=Cause.OUTPUT_FILTERED,
            detail="; ".join(reply.filtered),
            retry=Retry.CONTENT,
        )
    rule = _finish_rule(reply)
    return replace(
        seen,
        kind=rule.kind,
        cause=rule.cause,
        detail=_words(reply),
        retry=rule.retry,
        billed=_as_counted(reply.usage) if rule.charged else Billed.NO,
    )


def _words(reply: Reply) -> str:
    """What the provider says: of a normal end the answer itself, else the reason it gives."""
    reason = reply.finish_reason or ""
    said = [reply.text[:MAX_DETAIL].strip(), reply.finish_message or ""]
    ordered = said if reason in STOPPED else [*reversed(said), reason]
    return next((words for words in (*ordered, *reply.filtered) if words), "")


def _finish_rule(reply: Reply) -> FinishRule:
    reason = reply.finish_reason or ""
    if reason not in STOPPED:
        if THIRD_PARTY_WORDS in (reply.finish_message or ""):
            return COPYRIGHTED
        return FINISH_RULES.get(reason, UNKNOWN_FINISH)
    if reply.usage is not None and (reply.usage.image_tokens or reply.usage.images):
        return FinishRule(cause=Cause.PAID_WITHOUT_IMAGE)
    return FinishRule(cause=Cause.TEXT_INSTEAD if reply.text.strip() else Cause.EMPTY)


def _as_counted(usage: Usage | None) -> Billed:
    if usage is None:
        return Billed.UNKNOWN
    counted = usage.prompt_tokens or usage.candidates_tokens or usage.thoughts_tokens or usage.images
    return Billed.YES if counted else Billed.NO


def _with_image(seen: Outcome, reply: Reply, chosen: ReplyImage, expected: Expected) -> Outcome:
    pictures = [image for image in reply.images if image.thought is chosen.thought]
    usage, guessed = _usage_with_image(reply.usage, len(pictures), expected)
    seen = replace(seen, usage=usage, billed=Billed.YES if usage is not None else Billed.UNKNOWN)
    if chosen.defect is not None:
        return replace(
            seen,
            cause=Cause.CORRUPT_IMAGE,
            detail=chosen.defect,
            retry=Retry.CONTENT,
            warnings=tuple(guessed),
        )
    off_size = list(_size_warnings(chosen, expected))
    extras = () if chosen.thought else tuple(i for i in pictures if i is not chosen and i.defect is None)
    broken = [f"a further picture of the reply is broken: {i.defect}" for i in pictures if i.defect]
    return replace(
        seen,
        kind=Kind.IMAGE,
        image=chosen,
        extras=extras,
        wrong_size=bool(off_size),
        warnings=(*_image_warnings(chosen, reply), *off_size, *broken, *guessed),
    )


def _usage_with_image(
    usage: Usage | None, pictures: int, expected: Expected
) -> tuple[Usage | None, list[str]]:
    """The usage of a reply that holds pictures, completed from the model's own row where it counts none."""
    counted = usage is not None and (usage.image_tokens or usage.images)
    if counted or not expected.image_tokens:
        return usage, []
    tokens = pictures * expected.image_tokens
    said = usage or Usage()
    completed = replace(said, image_tokens=tokens, candidates_tokens=max(tokens, said.candidates_tokens))
    note = f"the reply counts no image tokens; {tokens} were assumed for {pictures} picture(s)"
    return completed, [note]


def _image_warnings(image: ReplyImage, reply: Reply) -> Iterator[str]:
    if image.thought:
        yield "the provider marked every picture as a thought; the last one is the result"
    if image.facts and image.declared_type not in (image.facts.media_type, ""):
        yield f"declared as {image.declared_type}, the bytes are {image.facts.media_type}"
    yield from image.notes
    drawn = sum(not other.thought for other in reply.images)
    if drawn > 1:
        yield f"the reply holds {drawn} pictures, all charged; the last sound one is the result"
    for reason in reply.filtered:
        yield f"a further picture was filtered: {reason}"


def _size_warnings(image: ReplyImage, expected: Expected) -> Iterator[str]:
    if image.facts is None:
        return
    got = image.facts.pixels
    if expected.pixels is not None:
        if not _same_shape(got, expected.pixels, expected.tolerance) or not _same_area(
            got, expected.pixels, expected.tolerance
        ):
            yield f"asked for {expected.pixels}, got {got}"
    elif expected.aspect is not None:
        width, height = expected.aspect.value_as_fraction
        if not _same_shape(got, Pixels(width, height), expected.tolerance):
            yield f"asked for the ratio {expected.aspect}, got {got}"


def _same_shape(got: Pixels, asked: Pixels, tolerance: SizeTolerance) -> bool:
    wide, tall = got.width * asked.height, got.height * asked.width
    return abs(wide - tall) * 100 <= tolerance.ratio_percent * tall


def _same_area(got: Pixels, asked: Pixels, tolerance: SizeTolerance) -> bool:
    there, wanted = got.width * got.height, asked.width * asked.height
    return abs(there - wanted) * 100 <= tolerance.area_percent * wanted
