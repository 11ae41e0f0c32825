"""What a Google client names as a model: something that is decided here, or one model itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.responses import Response

from image_router.core.catalog import Model
from image_router.core.routing import living
from image_router.core.types import Dialect, Purpose, RetiredPolicy, Tier
from image_router.gateway import refusals
from image_router.gateway.app import Visit
from image_router.gateway.fields import whole
from image_router.gateway.surfaces import JSON

METHODS: Final[Mapping[Dialect, tuple[str, ...]]] = {
    Dialect.GENERATE_CONTENT: ("generateContent", "countTokens"),
    Dialect.PREDICT: ("predict",),
}
"""What models.list says; streamGenerateContent goes without saying, as it does at Google."""
_BOTH: Final = ("generateContent", "predict")
_PURPOSES: Final[Mapping[str, Purpose]] = {f"auto:{purpose}": purpose for purpose in Purpose}
_SERVED: Final = "use auto, a tier, a purpose like auto:hero, or a model of GET /v1beta/models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One model that a caller means itself."""

    model: Model
    asked: str
    """The name as it was written."""
    substituted: bool = False
    """The one that was asked for is retired, and this one serves instead."""

    @property
    def path(self) -> str:
        """The name that goes to the provider."""
        return self.model.id if self.substituted else self.asked

    @property
    def headers(self) -> dict[str, str]:
        if not self.substituted:
            return {}
        return {"x-image-router-substituted": f"{self.asked} -> {self.model.id}"}


def decided(name: str) -> dict[str, Any] | None:
    """The fields that a name of ours stands for; None for a model's own name."""
    if name == "auto":
        return {}
    if name in _PURPOSES:
        return {"purpose": _PURPOSES[name].value}
    return {"tier": name} if name in list(Tier) else None


def target(visit: Visit, name: str, *, retired: RetiredPolicy) -> Target:
    """The living model of a name. Raises Refusal for one that is not served here, ModelRetired and
    InvalidRequest for one that does not live on the day."""
    world = visit.router.world()
    model = world.catalog.find(name)
    if model is None:
        why = "answers in words, and pictures are made here" if name in world.catalog.texts else "is unknown"
        raise refusals.no_model(f"models/{name} {why}; {_SERVED}")
    lives, warnings = living(model, world, retired=retired)
    return Target(model=lives, asked=name, substituted=bool(warnings))


def check_method(model: Model, method: str) -> None:
    """Refuse a method the model does not have, as Google does."""
    spoken = "generateContent" if method == "streamGenerateContent" else method
    if spoken not in METHODS[model.dialect]:
        has = ", ".join(METHODS[model.dialect])
        raise refusals.no_model(f"models/{model.id} is not supported for {method}; it has {has}")


async def listed(visit: Visit) -> Response:
    """GET /v1beta/models: what is decided here, then every living model."""
    entries, asked = _listed(visit), visit.request.query_params
    size = whole(asked, "pageSize", default=50, low=0, high=10**6) or 50
    start = whole(asked, "pageToken", default=0, low=0, high=10**6)
    page: dict[str, Any] = {"models": entries[start : start + size]}
    if start + size < len(entries):
        page["nextPageToken"] = str(start + size)
    return Response(orjson.dumps(page), media_type=JSON)


async def shown(visit: Visit) -> Response:
    """GET /v1beta/models/{name}."""
    name = visit.request.path_params["name"]
    for entry in _listed(visit):
        if entry["name"] == f"models/{name}":
            return Response(orjson.dumps(entry), media_type=JSON)
    raise refusals.no_model(f"models/{name} is not served here; {_SERVED}")


def _listed(visit: Visit) -> list[dict[str, Any]]:
    world, day = visit.router.world(), visit.router.day
    names = {
        "auto": "chosen by what the picture is for, its price and the moment",
        **{name: f"chosen for the purpose {purpose}" for name, purpose in _PURPOSES.items()},
        **{tier.value: f"whoever serves the tier {tier} today" for tier in Tier},
    }
    models = (each for each in world.catalog.models.values() if world.catalog.state(each.id, day).serves)
    return [_pseudo(name, about) for name, about in names.items()] + [_resource(model) for model in models]


def _pseudo(name: str, about: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "version": "1",
        "displayName": name,
        "description": f"image-router: {about}",
        "supportedGenerationMethods": list(_BOTH),
    }


def _resource(model: Model) -> dict[str, Any]:
    return {
        "name": f"models/{model.id}",
        "version": "1",
        "displayName": model.name,
        "description": f"passes through to Google; made for {model.context}",
        "inputTokenLimit": model.prompt_tokens,
        "outputTokenLimit": model.output_tokens,
        "supportedGenerationMethods": list(METHODS[model.dialect]),
    }
