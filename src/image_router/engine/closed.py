"""When every model that could serve is left alone: whose failure that is, and when to ask again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf

from image_router.core.decision import Snapshot
from image_router.core.errors import BudgetExceeded, ProviderError, RequestError
from image_router.core.failures import FAILURES
from image_router.core.routing import World, decide
from image_router.core.types import ImageRequest
from image_router.engine.admission import Refusal


def all_shut(
    request: ImageRequest, world: World, *, snapshot: Snapshot, why: Callable[[str], Refusal]
) -> ProviderError | None:
    """The error of a request that nothing but open circuits stands in the way of; None: something else does.

    It is of the kind of the failure that ends soonest; `why` says for a model what keeps calls from it.
    """
    try:
        decision = decide(request, world, snapshot=replace(snapshot, open_circuits=frozenset()))
    except (RequestError, BudgetExceeded):
        return None
    able = dict.fromkeys(candidate.model.id for candidate in decision.candidates)
    refusals = {model: why(model) for model in able if model in snapshot.open_circuits}
    return _told(refusals) if refusals else None


def _told(refusals: Mapping[str, Refusal]) -> ProviderError:
    model, soonest = min(refusals.items(), key=lambda item: inf if item[1].wait is None else item[1].wait)
    failure = FAILURES[soonest.cause]
    listed = "".join(f"\n  {name}: {refusal.detail}{_until(refusal)}" for name, refusal in refusals.items())
    todo = failure.todo if soonest.wait is None else f"Ask again in {soonest.wait:,.0f} s"
    which = "the only model" if len(refusals) == 1 else f"each of the {len(refusals)} models"
    return failure.error(
        f"{which} that can serve this is left alone after failures ({failure.what}); nothing was sent. "
        f"{todo}.{listed}",
        model=model,
        retry_after=soonest.wait,
    )


def _until(refusal: Refusal) -> str:
    return "" if refusal.wait is None else f", again in {refusal.wait:,.0f} s"
