"""Events as log lines: words for people, the same facts as fields for programs.

Prompts enter a line only where that was asked for; pictures, and the words of errors and of the provider,
which may quote either, never do.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from image_router.core.budget import BudgetAlert
from image_router.core.decision import Decision
from image_router.core.events import (
    AttemptEnded,
    AttemptLost,
    AttemptRefused,
    CircuitClosed,
    CircuitOpened,
    Decided,
    Event,
    FlightJoined,
    Hedged,
    HttpAnswered,
    LimitLearned,
    Overrun,
    Paced,
    PromptShortened,
    RequestEnded,
)
from image_router.core.money import show_usd, usd_text
from image_router.telemetry.words import word_of

log: Final = logging.getLogger("image_router")
FIELDS: Final = "event_fields"
"""Name of the record's attribute that holds the fields."""
_ROUTINE: Final = frozenset({Decided, AttemptEnded, FlightJoined, PromptShortened, HttpAnswered})
"""Never more than INFO: where that is not wanted, their lines are not even made."""


class LogSink:
    """One line for each decision, attempt and request, and for what happens to circuits, limits and budgets.

    `prompts` adds the prompt to the line of a request's end.
    """

    def __init__(self, *, prompts: bool = False) -> None:
        self._prompts = prompts

    def __call__(self, event: Event) -> None:
        if type(event) in _ROUTINE and not log.isEnabledFor(logging.INFO):
            return
        match event:
            case Decided():
                _decided(event)
            case AttemptEnded() | AttemptLost() | AttemptRefused():
                _attempted(event)
            case FlightJoined():
                _joined(event)
            case PromptShortened():
                _shortened(event)
            case RequestEnded():
                _ended(event, prompts=self._prompts)
            case CircuitOpened() | CircuitClosed():
                _circuit(event)
            case Paced() | LimitLearned() | Hedged():
                _traffic(event)
            case BudgetAlert() | Overrun():
                _money(event)
            case HttpAnswered():
                _answered(event)


log_sink: Final = LogSink()


def _say(level: int, event: str, message: str, fields: Mapping[str, Any]) -> None:
    if log.isEnabledFor(level):
        log.log(level, "%s", message, extra={FIELDS: {"event": event, **fields}})


def _decided(event: Decided) -> None:
    decision, head = event.decision, event.decision.head
    _say(
        logging.INFO,
        "decided",
        f"{event.request_id} decided {head.tier} ({head.model.id}) by rule {decision.rule!r}",
        {"request_id": event.request_id, **_decision_fields(decision)},
    )


def _decision_fields(decision: Decision | None) -> Mapping[str, Any]:
    if decision is None:
        return {}
    head, request, guard = decision.head, decision.request, decision.guard
    return {
        "purpose": request.purpose,
        "lane": request.lane,
        "scope": request.scope,
        "tier": head.tier,
        "model": head.model.id,
        "rule": decision.rule,
        "policy": decision.policy,
        "quote_usd": usd_text(decision.quote.total),
        "ceiling_usd": usd_text(decision.ceiling),
    } | ({"guarded_from": guard.chosen} if guard else {})


def _shortened(event: PromptShortened) -> None:
    """What came of the text call, without a word of either prompt."""
    step = event.decision.compression
    if step is None or step.model is None:
        return
    cost = sum(attempt.cost.total for attempt in event.attempts)
    came = f"not used: {event.attempts[-1].cause}" if step.refused and event.attempts else "shortened"
    _say(
        logging.INFO,
        "prompt_shortened",
        f"{event.request_id} prompt of {step.tokens} tokens on {step.model.id}: {came}, {show_usd(cost)}",
        {
            "request_id": event.request_id,
            "model": step.model.id,
            "tokens": step.tokens,
            "target": step.target,
            "used": not step.refused,
            "cost_usd": usd_text(cost),
            "attempts": len(event.attempts),
        },
    )


def _joined(event: FlightJoined) -> None:
    _say(
        logging.INFO,
        "flight_joined",
        f"{event.request_id} shares the identical request {event.paid_by}",
        {"request_id": event.request_id, "paid_by": event.paid_by},
    )


def _attempted(event: AttemptEnded | AttemptLost | AttemptRefused) -> None:
    match event:
        case AttemptEnded(request_id=rid, index=index, attempt=a, sent=sent):
            cost = show_usd(a.cost.total)
            _say(
                logging.INFO,
                "attempt_ended",
                f"{rid} image {index} attempt {a.number} on {a.model}: {a.kind} {a.cause}, {cost} in "
                f"{a.elapsed:.1f} s",
                {
                    **_attempt_fields(rid, index, number=a.number, model=a.model),
                    "kind": a.kind,
                    "cause": a.cause,
                    "billed": a.billed,
                    "cost_usd": usd_text(a.cost.total),
                    "at_risk_usd": usd_text(a.at_risk),
                    "response_id": a.response_id,
                    "elapsed_s": round(a.elapsed, 3),
                    "project": sent.project,
                    "key": sent.key,
                },
            )
        case AttemptLost(sent=sent, at_risk=at_risk, elapsed=elapsed):
            model, number = sent.candidate.model.id, sent.number
            _say(
                logging.WARNING,
                "attempt_lost",
                f"{sent.request_id} image {sent.index} attempt {number} on {model}: cancelled after it was "
                f"sent, at risk {show_usd(at_risk)}",
                {
                    **_attempt_fields(sent.request_id, sent.index, number=number, model=model),
                    "at_risk_usd": usd_text(at_risk),
                    "elapsed_s": round(elapsed, 3),
                },
            )
        case AttemptRefused(request_id=rid, index=index, number=number, model=model, cause=cause):
            _say(
                logging.INFO,
                "attempt_refused",
                f"{rid} image {index} attempt {number} on {model}: not sent, {cause}",
                {**_attempt_fields(rid, index, number=number, model=model), "cause": cause},
            )


def _attempt_fields(request_id: str, index: int, *, number: int, model: str) -> Mapping[str, Any]:
    return {"request_id": request_id, "image": index, "attempt": number, "model": model}


def _ended(event: RequestEnded, *, prompts: bool) -> None:
    level = logging.WARNING if event.error else logging.INFO
    if not log.isEnabledFor(level):
        return
    word = word_of(event.error)
    why = f", {word}" if event.error else ""
    risk = f", {show_usd(event.at_risk)} at risk" if event.at_risk else ""
    again = " again" if event.replayed else ""
    fields: dict[str, Any] = {
        "request_id": event.request_id,
        "outcome": outcome_of(event),
        "error": word,
        **_decision_fields(event.decision),
        "images": event.images,
        "failures": event.failures,
        "free": event.free,
        "attempts": [
            {"model": a.model, "kind": a.kind, "cause": a.cause, "cost_usd": usd_text(a.cost.total)}
            for a in event.attempts
        ],
        "cost_usd": usd_text(event.cost),
        "at_risk_usd": usd_text(event.at_risk),
        "elapsed_s": round(event.elapsed, 3),
        "overhead_ms": round(event.overhead * 1000, 2),
    }
    if prompts and event.request:
        fields["prompt"] = event.request.prompt
    _say(
        level,
        "request_ended",
        f"{event.request_id} ended{again}: {event.images} made, {event.failures} failed, "
        f"{show_usd(event.cost)}{risk}{why}",
        fields,
    )


def outcome_of(event: RequestEnded) -> str:
    """made, partial, replayed or failed."""
    if event.error:
        return "failed"
    if event.replayed:
        return "replayed"
    return "partial" if event.failures else "made"


def _circuit(event: CircuitOpened | CircuitClosed) -> None:
    match event:
        case CircuitOpened(circuit=circuit, cause=cause, opening=opening, wait=wait):
            until = "until somebody closes it" if wait is None else f"for {wait:.0f} s"
            _say(
                logging.WARNING,
                "circuit_opened",
                f"{circuit} is left alone {until}: {cause}",
                {"circuit": str(circuit), "cause": cause, "opening": opening, "wait_s": wait},
            )
        case CircuitClosed(circuit=circuit, cause=cause, lasted=lasted):
            _say(
                logging.INFO,
                "circuit_closed",
                f"{circuit} is well again after {lasted:.0f} s of {cause}",
                {"circuit": str(circuit), "cause": cause, "lasted_s": round(lasted, 3)},
            )


def _traffic(event: Paced | LimitLearned | Hedged) -> None:
    match event:
        case Paced(model=model, scope=scope, limit=limit, wait=wait):
            _say(
                logging.DEBUG,
                "paced",
                f"a call to {model} waits about {wait:.1f} s for {limit}",
                {"model": model, "scope": scope, "limit": limit, "wait_s": round(wait, 3)},
            )
        case LimitLearned(project=project, model=model, limit=limit, allowed=allowed, published=published):
            _say(
                logging.INFO,
                "limit_learned",
                f"{model or project} allows {allowed:,} {limit} for now",
                {
                    "project": project,
                    "model": model,
                    "limit": limit,
                    "allowed": allowed,
                    "published": published,
                },
            )
        case Hedged(request_id=rid, index=index, first=first, second=second, after=after):
            _say(
                logging.INFO,
                "hedged",
                f"{rid} image {index}: {second} was asked too, {first} takes longer than {after:.1f} s",
                {"request_id": rid, "image": index, "first": first, "second": second, "after_s": after},
            )


def _money(event: BudgetAlert | Overrun) -> None:
    match event:
        case BudgetAlert(scope=scope, window=window, percent=percent, cap=cap, spent=spent, held=held):
            _say(
                logging.WARNING,
                "budget_alert",
                f"budget {scope!r} passed {percent} % of its {window} cap of {show_usd(cap)}: "
                f"{show_usd(spent)} spent, {show_usd(held)} held",
                {
                    "scope": scope,
                    "window": window,
                    "percent": percent,
                    "cap_usd": usd_text(cap),
                    "spent_usd": usd_text(spent),
                    "held_usd": usd_text(held),
                },
            )
        case Overrun(request_id=rid, attempt=attempt, amount=amount):
            _say(
                logging.WARNING,
                "overrun",
                f"{rid} attempt {attempt.number} on {attempt.model}: {show_usd(amount)} more than was held",
                {"request_id": rid, "model": attempt.model, "overrun_usd": usd_text(amount)},
            )


def _answered(event: HttpAnswered) -> None:
    _say(
        logging.INFO,
        "http_answered",
        f"{event.method} {event.route} {event.status} in {event.elapsed * 1000:.0f} ms",
        {
            "http_request_id": event.id,
            "method": event.method,
            "route": event.route,
            "status": event.status,
            "elapsed_s": round(event.elapsed, 3),
            "bytes_in": event.bytes_in,
            "bytes_out": event.bytes_out,
        },
    )
