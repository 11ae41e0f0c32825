"""What a router key allows: whose money, which tiers and models, how large. Limits: core/key_limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from image_router.core.decision import Candidate, Decision, Dropped, DropReason
from image_router.core.errors import KeyForbids
from image_router.core.router_keys import RouterKey
from image_router.core.types import ImageRequest, Size, Tier

_ASK = "or have whoever issued the key change its rules"


def paying_scope(key: RouterKey, asked: str | None) -> str:
    """Whose money a request spends: the key's scope, or the one below it that was asked for.

    Raises KeyForbids for any other scope.
    """
    own = key.rules.scope
    if asked is None or asked == own or asked.startswith(f"{own}/"):
        return asked or own
    raise _forbidden(
        key,
        field="scope",
        limit=own,
        asked=asked,
        words=f"pays from {own} and below, not from {asked!r}; leave the scope out",
    )


def allow_admin(key: RouterKey) -> None:
    """Raises KeyForbids unless the key may manage keys and budgets."""
    if not key.rules.admin:
        raise KeyForbids(
            f"{key} is no admin key, and this needs one: `image-router keys create NAME --admin`",
            field="admin",
            key_id=key.id,
        )


def allow_request(key: RouterKey, request: ImageRequest) -> None:
    """What can be told before deciding: scope, size, pinned tier or model. Raises KeyForbids."""
    paying_scope(key, request.scope)
    _allow_size(key, request.size)
    if request.tier is not None:
        _allow_tier(key, request.tier)
    if request.model is not None:
        _allow_model(key, request.model)


def allow_call(key: RouterKey, model: str, *, tier: Tier | None, size: Size | None) -> None:
    """A call to one model, as the native surface passes it through. Raises KeyForbids.

    `tier` is what the model serves on the day, `size` what the call asks for.
    """
    if size is not None:
        _allow_size(key, size)
    _allow_model(key, model)
    _allow_tier(key, tier, model=model)


def allow_decision(key: RouterKey, decision: Decision) -> Decision:
    """The decision with the candidates the key may use; the others join the dropped ones with the reason.

    Raises KeyForbids when none is left, naming the first choice.
    """
    allow_request(key, decision.request)
    kept = tuple(one for one in decision.candidates if _fits(key, one))
    if len(kept) == len(decision.candidates):
        return decision
    if not kept:
        head = decision.head
        allow_call(key, head.model.id, tier=head.tier, size=None)
    dropped = tuple(
        Dropped(
            tier=one.tier,
            model=one.model.id,
            reason=DropReason.KEY,
            detail=f"{key} may not use it",
        )
        for one in decision.candidates
        if one not in kept
    )
    return replace(decision, candidates=kept, dropped=(*decision.dropped, *dropped))


def _fits(key: RouterKey, candidate: Candidate) -> bool:
    rules = key.rules
    tier_fits = rules.tiers is None or candidate.tier in rules.tiers
    return tier_fits and (rules.models is None or candidate.model.id in rules.models)


def _allow_size(key: RouterKey, size: Size) -> None:
    most = key.rules.max_size
    order = list(Size)
    if most is not None and order.index(size) > order.index(most):
        raise _forbidden(
            key,
            field="max_size",
            limit=most,
            asked=size,
            words=f"makes pictures of at most {most}, and {size} was asked for; ask for {most}",
        )


def _allow_tier(key: RouterKey, tier: Tier | None, *, model: str | None = None) -> None:
    tiers = key.rules.tiers
    if tiers is not None and tier not in tiers:
        asked = tier or f"{model}, which serves no tier,"
        names = _names(tiers)
        raise _forbidden(
            key,
            field="tiers",
            limit=names,
            asked=tier or model or "",
            words=f"may use the tiers {names}; {asked} is not among them; ask for one of these",
        )


def _allow_model(key: RouterKey, model: str) -> None:
    models = key.rules.models
    if models is not None and model not in models:
        names = _names(models)
        raise _forbidden(
            key,
            field="models",
            limit=names,
            asked=model,
            words=f"may use the models {names}; {model!r} is not among them; ask for one of these",
        )


def _forbidden(key: RouterKey, *, field: str, limit: str, asked: str, words: str) -> KeyForbids:
    return KeyForbids(f"{key} {words}, {_ASK}", field=field, key_id=key.id, limit=limit, asked=asked)


def _names(some: Iterable[str]) -> str:
    return ", ".join(sorted(some))
