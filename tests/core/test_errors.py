"""The whole tree of errors: each survives the roads by which processes and caches hand values on."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from image_router.core import errors
from image_router.core.budget import Shortfall
from image_router.core.decision import Dropped, DropReason
from image_router.core.errors import ImageRouterError

DROPPED = Dropped(tier=None, model="m", reason=DropReason.SIZE, detail="too large")
SHORTFALL = Shortfall(scope="a/b", window="day", cap=5, spent=3, held=1, asked=2, window_end=None)
FIELDS: dict[type[ImageRouterError], dict[str, Any]] = {
    errors.NoEligibleTier: {"dropped": [DROPPED], "nearest": "1K"},
    errors.ModelRetired: {"model": "m", "successor": "n", "shutdown": date(2026, 8, 17)},
    errors.CostLimitExceeded: {"limit": 1, "asked": 2},
    errors.KeyRefused: {"field": "tiers"},
    errors.KeyInvalid: {"field": "secret"},
    errors.KeyForbids: {"field": "max_size", "key_id": "k", "limit": "1K", "asked": "4K"},
    errors.KeyLimited: {"field": "in_flight", "retry_after": 1.0},
    errors.BudgetExceeded: {"shortfall": SHORTFALL},
    errors.RateLimited: {"model": "m", "retry_after": 2.5},
    errors.AllAttemptsFailed: {"failures": [errors.ContentRefused("no"), errors.InvalidRequest("what")]},
    errors.StorageError: {"problem": errors.StorageProblem.FULL, "in_doubt": True},
}


def tree(kind: type[ImageRouterError] = ImageRouterError) -> Iterator[type[ImageRouterError]]:
    """The classes of core/errors, the base included."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below)


def by_pickle(error: ImageRouterError) -> Any:
    return pickle.loads(pickle.dumps(error))


def shown(error: ImageRouterError) -> dict[str, Any]:
    """All that the error carries; errors within it by class and text."""
    within = {"failures": [(type(one), str(one)) for one in getattr(error, "failures", ())]}
    return {**vars(error), **within, "args": error.args}


@pytest.mark.parametrize("road", [by_pickle, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("kind", list(tree()))
def test_an_error_survives(
    kind: type[ImageRouterError], road: Callable[[ImageRouterError], ImageRouterError]
) -> None:
    """Pickled or copied, an error is of its class, with its text and all its fields."""
    error = kind("what happened", **FIELDS.get(kind, {}))
    error.add_note("seen twice")
    again = road(error)
    assert type(again) is kind
    assert again is not error
    assert str(again) == "what happened"
    assert shown(again) == shown(error)
