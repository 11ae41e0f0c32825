"""What the provider says about the catalog's models: listed or not, entitled or not, and what is new."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from image_router.core.catalog import Model, ModelState
from image_router.core.errors import InvalidCredentials, ProviderUnavailable
from image_router.engine.model_rows import Known
from image_router.providers.base import Entitlement, ModelsUnavailable, Provider

_WORDS_OF_IMAGE_MODELS = ("image", "imagen", "banana")
"""models.list does not say what a model puts out; the names of all image models so far hold one of these."""


class FindingKind(StrEnum):
    MISSING = "missing"
    RETIRED = "retired"
    LIVES_ON = "lives on"
    NEW = "new"

    @property
    def is_trouble(self) -> bool:
        """Requests would fail. What else is found is worth knowing, no more."""
        return self in (FindingKind.MISSING, FindingKind.RETIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    kind: FindingKind
    model: str
    detail: str
    advice: str

    def view(self) -> dict[str, Any]:
        return asdict(self)


async def examine(provider: Provider, facts: Known) -> tuple[frozenset[str], Mapping[str, Entitlement]]:
    """Ids the provider lists, and what a free probe says about each model of the catalog.

    Raises ProviderUnavailable when the list cannot be read, InvalidCredentials when the key is refused.
    """
    try:
        listed = frozenset(model.id.removeprefix("models/") for model in await provider.models())
    except ModelsUnavailable as error:
        raise ProviderUnavailable(f"the provider's list of models cannot be read: {error}") from error
    known_models = list(facts.catalog.models.values())
    answers = await asyncio.gather(*(provider.probe(model) for model in known_models))
    if Entitlement.KEY_REFUSED in answers:
        raise InvalidCredentials("the provider refuses the API key; check it with `image-router doctor`")
    return listed, {model.id: answer for model, answer in zip(known_models, answers, strict=True)}


def compare(facts: Known, listed: Collection[str], *, entitled: Mapping[str, Entitlement]) -> list[Finding]:
    """Where catalog and provider differ, worst first; the probe counts for more than the list."""
    findings = [
        finding
        for model in facts.catalog.models.values()
        if (finding := _finding(facts, model, model.id in listed, entitled[model.id]))
    ]
    for name in sorted(listed):
        if facts.catalog.find(name) is None and any(word in name for word in _WORDS_OF_IMAGE_MODELS):
            advice = (
                "describe it in <home>/catalog/*.toml, with its prices in <home>/rate_cards, to route to it"
            )
            findings.append(
                Finding(kind=FindingKind.NEW, model=name, detail="listed, not in the catalog", advice=advice)
            )
    return sorted(findings, key=lambda finding: list(FindingKind).index(finding.kind))


def _finding(facts: Known, model: Model, listed: bool, answer: Entitlement) -> Finding | None:
    state = facts.catalog.state(model.id, facts.day)
    where = f"{'listed' if listed else 'not listed'}, probe: {answer}"
    setting = f'[model_states] "{model.id}" ='
    if answer is Entitlement.ENTITLED and state is ModelState.UNCERTAIN:
        advice = f'set {setting} "alive" in image-router.toml to use it'
        kind, detail = FindingKind.LIVES_ON, f"its end is uncertain, and it answers ({where})"
    elif answer is Entitlement.ENTITLED and state is ModelState.RETIRED:
        advice = "nothing to do: it is not used; update the catalog if its shutdown was put off"
        kind, detail = FindingKind.LIVES_ON, f"shut down {model.life.shutdown}, and still answers ({where})"
    elif answer is Entitlement.NOT_FOUND and state.serves:
        heir = facts.catalog.successor(model.id, facts.day)
        advice = f'set {setting} "retired" in image-router.toml' + (f": {heir.id} takes over" if heir else "")
        retired = model.life.shutdown is not None
        kind = FindingKind.RETIRED if retired else FindingKind.MISSING
        detail = f"{state} by the catalog, not served to this key ({where})"
    else:
        return None
    return Finding(kind=kind, model=model.id, detail=detail, advice=advice)
