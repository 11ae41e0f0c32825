"""What is asked of the text model that shortens a prompt, what of its answer is accepted, and what it costs.

Pure; when it is worth asking is decided in core/compressing, the call is made by engine/compressing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from image_router.core.catalog import TextModel
from image_router.core.decision import Adapted, Candidate, Compression, Decision, Dropped, DropReason
from image_router.core.errors import RequestRejected
from image_router.core.rates import Cost, CostLine, LineKind, Quote, QuoteLine, RateCard
from image_router.core.types import Adaptation, Usage
from image_router.core.verbatim import kept_words, lost

# Four bytes a token is the usual figure; an answer may be a quarter longer than asked.
BYTES_A_TOKEN: Final = 4
BYTES_ACCEPTED: Final = 5
_ROOM: Final = 2
"""How many times the target an answer may take before it is cut off."""
_INSTRUCTION: Final = (
    "You shorten prompts for image models. Rewrite the user's prompt in at most {words} words. Keep every "
    "quoted text, number, name, colour, negation and mention of reference images exactly as written, letter "
    "for letter. Add nothing. Drop filler and repetition first. Answer with the shortened prompt alone."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCall:
    """One call of a text model."""

    model: TextModel
    instruction: str
    prompt: str
    max_output_tokens: int


def call_of(step: Compression, prompt: str) -> TextCall:
    """What the text model is asked."""
    if step.model is None:
        raise AssertionError("a compression that is done has a model")
    return TextCall(
        model=step.model,
        instruction=_instruction(prompt, step.target),
        prompt=prompt,
        max_output_tokens=_most_output(step.model, step.target),
    )


def objection(prompt: str, answer: str, *, step: Compression) -> str:
    """Why an answer is not used: too long, or something was lost or made up. Empty for a good one."""
    size, most = len(answer.encode()), min(step.target * BYTES_ACCEPTED, len(prompt.encode()) - 1)
    if not answer:
        return "it is empty"
    if size > most:
        return f"it takes {size:,} bytes, and {most:,} were allowed for about {step.target:,} tokens"
    missing = lost(prompt, answer)
    return f"it lost or changed {'; '.join(missing)}" if missing else ""


def with_answer(decision: Decision, answer: str, *, step: Compression) -> Decision:
    """The decision that sends the shortened prompt."""
    shorter = tokens_of(answer)
    by = step.model.id if step.model else ""
    detail = f"the prompt was shortened from about {step.tokens:,} to {shorter:,} tokens by {by}"
    return replace(
        decision,
        candidates=tuple(
            replace(candidate, prompt=answer, adapted=announced(candidate, detail))
            for candidate in decision.candidates
        ),
        compression=replace(step, prompt=answer, otherwise=()),
    )


def without_answer(decision: Decision, why: str, *, step: Compression) -> Decision:
    """The decision that sends the prompt as it was asked.

    Raises RequestRejected where no candidate can read it.
    """
    by = step.model.id if step.model else ""
    words = f"the prompt was not shortened by {by}: {why}"
    serving = step.otherwise or tuple(_as_asked(decision, step))
    if not serving:
        limits = ", ".join(f"{one.model.id} reads {one.model.prompt_tokens:,}" for one in decision.candidates)
        raise RequestRejected(
            f"{words}; it has about {step.tokens:,} tokens, and {limits}: shorten it by hand, "
            "compress to another length, or allow a model that reads more",
            model=decision.head.model.id,
        )
    readers = {candidate.model.id for candidate in serving}
    gone = tuple(
        Dropped(
            tier=one.tier,
            model=one.model.id,
            reason=DropReason.PROMPT_LENGTH,
            detail=f"{one.model.id} reads {one.model.prompt_tokens:,} tokens, the prompt as it was asked has "
            f"about {step.tokens:,}",
        )
        for one in decision.candidates
        if one.model.id not in readers
    )
    kept = tuple(drop for drop in decision.dropped if drop.model not in readers)
    return replace(
        decision,
        candidates=serving,
        dropped=(*kept, *gone),
        warnings=(*decision.warnings, f"{words}; it was sent as it was asked"),
        compression=replace(step, refused=why, otherwise=()),
    )


def _as_asked(decision: Decision, step: Compression) -> Iterator[Candidate]:
    """The candidates that can read the prompt as it was asked, where a tight budget left no others."""
    for one in decision.candidates:
        if one.model.id not in step.needed_by:
            kept = tuple(change for change in one.adapted if change.kind is not Adaptation.COMPRESS_PROMPT)
            yield replace(one, adapted=kept)


def price_of_words(usage: Usage, model: TextModel, *, card: RateCard) -> Cost:
    """What a text call was charged, from its usage."""
    rates = card.texts[model.id]
    amounts = (
        (LineKind.COMPRESSION_INPUT, rates.input, usage.prompt_tokens),
        (LineKind.COMPRESSION_OUTPUT, rates.output, usage.text_output_tokens),
    )
    lines = (
        CostLine(kind=kind, unit="token", rate=rate, units=units) for kind, rate, units in amounts if units
    )
    return Cost(lines=tuple(lines), card=card.day)


def tokens_of(words: str) -> int:
    """About: only the provider counts exactly."""
    return -(-len(words.encode()) // BYTES_A_TOKEN)


def _instruction(prompt: str, target: int) -> str:
    fixed = "\n".join(kept_words(prompt))
    words = _INSTRUCTION.format(words=target * 3 // 4)
    return f"{words}\nThese stay exactly as they are:\n{fixed}" if fixed else words


def _most_output(model: TextModel, target: int) -> int:
    return min(model.output_tokens, target * _ROOM + model.overhead.allowance)


def quote_of(prompt: str, step: Compression, *, card: RateCard) -> Quote:
    """The price of the text call before it is made: at most one token for each byte it reads."""
    call = call_of(step, prompt)
    rates, sent = card.texts[call.model.id], len(call.instruction.encode()) + len(prompt.encode())
    lines = (
        QuoteLine(
            kind=LineKind.COMPRESSION_INPUT,
            unit="token",
            rate=rates.input,
            units=-(-sent // BYTES_A_TOKEN),
            ceiling_units=sent,
        ),
        QuoteLine(
            kind=LineKind.COMPRESSION_OUTPUT,
            unit="token",
            rate=rates.output,
            units=step.target + call.model.overhead.expected,
            ceiling_units=call.max_output_tokens,
        ),
    )
    return Quote(lines=lines, images=1, list_price=0, card=card.day)


def announced(candidate: Candidate, detail: str) -> tuple[Adapted, ...]:
    """The candidate's adaptations, with what is or was done to the prompt."""
    others = (change for change in candidate.adapted if change.kind is not Adaptation.COMPRESS_PROMPT)
    return (Adapted(kind=Adaptation.COMPRESS_PROMPT, detail=detail), *others)
