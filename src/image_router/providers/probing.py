"""What the error of an empty call says about a model: entitled, unknown to this key, or the key refused."""

from __future__ import annotations

from collections.abc import Mapping

from image_router.core.causes import Cause, rule_for
from image_router.core.reply import ApiError
from image_router.providers.base import Entitlement

_PROBED: Mapping[Cause, Entitlement] = {
    Cause.BAD_PARAMETER: Entitlement.ENTITLED,
    Cause.MODEL_NOT_FOUND: Entitlement.NOT_FOUND,
    Cause.NOT_ENTITLED: Entitlement.NOT_FOUND,
    Cause.BAD_KEY: Entitlement.KEY_REFUSED,
    Cause.KEY_LEAKED: Entitlement.KEY_REFUSED,
    Cause.KEY_RESTRICTED: Entitlement.KEY_REFUSED,
}


def entitlement_of(error: ApiError | None) -> Entitlement:
    """What the answer to an empty body says about a model; an empty body is never accepted."""
    if error is None:
        return Entitlement.UNKNOWN
    return _PROBED.get(rule_for(error).cause, Entitlement.UNKNOWN)
