"""Every way to fail with what follows from it, as rows for people: docs/failures.md and the command line.

Rows are made by the tables and the classifier themselves, so they cannot say anything else than these do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from image_router.core.breaker import OpenFor, Place, Probe, TripRule, rule_of
from image_router.core.causes import (
    ERROR_RULES,
    FINISH_RULES,
    Billed,
    Cause,
    ErrorRule,
    FailureScope,
    Kind,
    Retry,
)
from image_router.core.failures import FAILURES
from image_router.core.outcome import Expected, Outcome, classify
from image_router.core.reply import FaultKind, Reply, ReplyImage, ReplyText, TransportFault
from image_router.core.types import Usage

_WORDS = Usage(prompt_tokens=9, candidates_tokens=12, total_tokens=21)
_PICTURE = Usage(prompt_tokens=9, candidates_tokens=1120, image_tokens=1120, total_tokens=1129)
_BROKEN = ReplyImage(data=b"", declared_type="image/png", defect="the file ends early")

_ANSWERS: Mapping[str, Reply] = {
    "`promptFeedback.blockReason`": Reply(http_status=200, block_reason="SAFETY", usage=_WORDS),
    "`raiFilteredReason` for every picture (Imagen)": Reply(http_status=200, filtered=("filtered",)),
    "words instead of a picture": Reply(
        http_status=200,
        has_candidates=True,
        parts=(ReplyText(text="Sure"),),
        finish_reason="STOP",
        usage=_WORDS,
    ),
    "no candidate, or one without parts": Reply(http_status=200, usage=_WORDS),
    "image tokens counted, no picture": Reply(http_status=200, finish_reason="STOP", usage=_PICTURE),
    "a picture that cannot be decoded": Reply(
        http_status=200, has_candidates=True, parts=(_BROKEN,), finish_reason="STOP", usage=_PICTURE
    ),
}
_FAULTS: Mapping[str, TransportFault] = {
    "DNS, refused, TLS: never sent": TransportFault(kind=FaultKind.CONNECT, sent=False, detail=""),
    "connection lost after sending": TransportFault(kind=FaultKind.DROPPED, sent=True, detail=""),
    "no whole answer in time": TransportFault(kind=FaultKind.TIMEOUT, sent=True, detail=""),
    "answer cut off": TransportFault(kind=FaultKind.TRUNCATED, sent=True, detail=""),
    "answer the API does not speak": TransportFault(kind=FaultKind.MALFORMED, sent=True, detail=""),
}

_UNFAITHFUL = Outcome(kind=Kind.WORDS, cause=Cause.COMPRESSION_REJECTED, billed=Billed.YES)

_RETRIES = {
    Retry.NEVER: "told at once",
    Retry.CAPACITY: "tried again with growing waits, then another model",
    Retry.CONTENT: "repeated, then another model",
    Retry.FAILOVER: "another model",
    Retry.AMBIGUOUS: "sent again only as `on_ambiguous` allows",
}
_BILLS = {Billed.YES: "as counted", Billed.NO: "no", Billed.UNKNOWN: "unknown: at risk"}
_PLACES = {
    Place.MODEL: "the model",
    Place.PROJECT_MODEL: "the model in this project",
    Place.KEY: "the key",
    Place.PROJECT: "the project",
}
_PACED = {
    Cause.RATE_LIMIT: "requests per minute are learned down and held for the time asked",
    Cause.CAPACITY: "requests per minute are learned down",
    Cause.SPEND_LIMIT: "dollars per ten minutes are learned down and held for the time asked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """One way to fail. Texts are Markdown."""

    sign: str
    cause: Cause
    error: str
    """What the caller gets when nothing else helps."""
    reaction: str
    aside: str
    """What is left alone or slowed down for later requests."""
    billed: str


def error_reactions(trips: Sequence[TripRule]) -> Iterator[Reaction]:
    """Error bodies, in the order in which they are looked for: the first that fits wins."""
    for rule in ERROR_RULES:
        outcome = Outcome(
            kind=rule.kind, cause=rule.cause, scope=rule.scope, retry=rule.retry, billed=rule.billed
        )
        yield _reaction(_signs(rule), outcome, trips)


def answer_reactions(trips: Sequence[TripRule]) -> Iterator[Reaction]:
    """HTTP 200 without the picture that was asked for."""
    for sign, reply in _ANSWERS.items():
        yield _reaction(sign, classify(reply, Expected()), trips)
    for reason in (*FINISH_RULES, "any other"):
        reply = Reply(http_status=200, has_candidates=True, finish_reason=reason, usage=_WORDS)
        yield _reaction(f"finishReason `{reason}`", classify(reply, Expected()), trips)
    yield _reaction("a shortened prompt that lost something", _UNFAITHFUL, trips)


def fault_reactions(trips: Sequence[TripRule]) -> Iterator[Reaction]:
    """What is lost on the way."""
    for sign, fault in _FAULTS.items():
        yield _reaction(sign, classify(Reply(fault=fault), Expected()), trips)


def _reaction(sign: str, outcome: Outcome, trips: Sequence[TripRule]) -> Reaction:
    trip = rule_of(outcome, trips)
    asides = (_circuit(trip) if trip else "", _PACED.get(outcome.cause, ""))
    return Reaction(
        sign=sign,
        cause=outcome.cause,
        error=FAILURES[outcome.cause].error.__name__,
        reaction=_retried(outcome, trip),
        aside="; ".join(filter(None, asides)),
        billed=_BILLS[outcome.billed],
    )


def _retried(outcome: Outcome, trip: TripRule | None) -> str:
    if outcome.cause is Cause.COMPRESSION_REJECTED:
        return "the prompt as it was asked, to models that read it"
    words = _RETRIES[outcome.retry]
    if outcome.scope in (FailureScope.KEY, FailureScope.PROJECT):
        words = words.partition(", then another model")[0]
    if trip and trip.at is not Place.MODEL:
        return f"the next key or project of the pool; else {words}"
    return f"the next project of the pool; else {words}" if outcome.cause in _PACED else words


def _circuit(rule: TripRule) -> str:
    row = f" after {rule.after} in a row" if rule.after > 1 else ""
    probe = ", then a free probe" if rule.probe is Probe.FREE else ""
    return f"{_PLACES[rule.at]} is left alone {_span(rule)}{row}{probe}"


def _span(rule: TripRule) -> str:
    if rule.open_for is OpenFor.FOR_EVER:
        return "for good"
    if rule.open_for is OpenFor.MIDNIGHT:
        return f"until midnight ({rule.zone})"
    longest = f" to {_time(rule.longest)}" if rule.longest > rule.seconds else ""
    return f"for {_time(rule.seconds)}{longest}"


def _time(seconds: float) -> str:
    for unit, size in (("h", 3_600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _signs(rule: ErrorRule) -> str:
    """The signs of a rule, all of which must be there."""
    statuses = "5xx" if len(rule.http) == 100 else ", ".join(map(str, rule.http))
    signs = (
        f"HTTP {statuses}" if rule.http else "",
        ", ".join(f"`{status}`" for status in rule.status),
        f"reason `{rule.reason}`" if rule.reason else "",
        f"quotaId with `{rule.quota}`" if rule.quota else "",
        "quotaValue 0" if rule.no_quota else "",
        f"words `{rule.words}`" if rule.words else "",
    )
    return " · ".join(filter(None, signs)) or "any other error"
