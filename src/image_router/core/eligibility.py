"""Whether a model can do what is asked, decided before money is spent; every no has its reason.

`fit` chooses the shape (adapting only where allowed); each check below answers None or why not.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

from image_router.core.catalog import Model
from image_router.core.decision import Adapted, DropReason, Parameters
from image_router.core.prompting import final_prompt, history_images, prompt_bytes
from image_router.core.types import Adaptation, AspectRatio, ImageRequest, Lane, Size, ThinkingLevel

No = tuple[DropReason, str]

_UNIT_SIGNS = dict.fromkeys(
    map(ord, "\N{MICRO SIGN}\N{GREEK SMALL LETTER MU}\N{OHM SIGN}\N{GREEK CAPITAL LETTER OMEGA}")
)


class DoesNotFit(Exception):
    """The model cannot do the shape asked for."""

    def __init__(self, reason: DropReason, detail: str) -> None:
        super().__init__(detail)
        self.no: No = (reason, detail)


def fit(
    request: ImageRequest, model: Model, *, thinking: ThinkingLevel | None, adapt: frozenset[Adaptation]
) -> tuple[Parameters, tuple[Adapted, ...]]:
    """The parameters to send and what had to be adapted. Raises DoesNotFit."""
    size, smaller = _fit_size(request.size, model, Adaptation.SMALLER_SIZE in adapt)
    ratios = tuple(ratio for ratio, row in model.pixels.items() if size in row)
    aspect, nearest = _fit_aspect(request.aspect, model, ratios, Adaptation.NEAREST_RATIO in adapt)
    folded = _fit_instruction(request, model, Adaptation.FOLD_SYSTEM_INSTRUCTION in adapt)
    flattened = _fit_conversation(request, model, Adaptation.FLATTEN_HISTORY in adapt)
    level = request.thinking or thinking
    adapted = tuple(change for change in (smaller, nearest, folded, flattened) if change)
    return Parameters(thinking=level, size=size, aspect=aspect), adapted


def _fit_size(asked: Size, model: Model, may_adapt: bool) -> tuple[Size, Adapted | None]:
    if asked in model.sizes:
        return asked, None
    order = list(Size)
    smaller = [size for size in model.sizes if order.index(size) < order.index(asked)]
    can = ", ".join(model.sizes)
    if not (may_adapt and smaller):
        raise DoesNotFit(DropReason.SIZE, f"{model.id} makes {can}, not {asked}")
    best = max(smaller, key=order.index)
    return best, Adapted(
        kind=Adaptation.SMALLER_SIZE, detail=f"{best} instead of {asked}: {model.id} makes {can}"
    )


def _fit_aspect(
    asked: AspectRatio | None, model: Model, ratios: tuple[AspectRatio, ...], may_adapt: bool
) -> tuple[AspectRatio | None, Adapted | None]:
    if asked is None or asked in ratios:
        return asked, None
    can = ", ".join(ratios)
    if not (may_adapt and ratios):
        raise DoesNotFit(DropReason.RATIO, f"{model.id} makes {can or 'no stated ratio'}, not {asked}")
    nearest = min(ratios, key=lambda ratio: ratio_distance(asked, ratio))
    return nearest, Adapted(
        kind=Adaptation.NEAREST_RATIO, detail=f"{nearest} instead of {asked}: {model.id} makes {can}"
    )


def ratio_distance(one: AspectRatio, other: AspectRatio) -> float:
    """How far two shapes are apart: the logarithm of the ratio of their ratios."""
    (a, b), (c, d) = one.value_as_fraction, other.value_as_fraction
    return abs(math.log((a * d) / (b * c)))


def _fit_instruction(request: ImageRequest, model: Model, may_adapt: bool) -> Adapted | None:
    if request.system_instruction is None or model.system_instruction:
        return None
    if not may_adapt:
        raise DoesNotFit(
            DropReason.SYSTEM_INSTRUCTION, f"{model.id} takes no system instruction; allow folding it in"
        )
    return Adapted(
        kind=Adaptation.FOLD_SYSTEM_INSTRUCTION, detail=f"{model.id} gets the instruction inside the prompt"
    )


def _fit_conversation(request: ImageRequest, model: Model, may_adapt: bool) -> Adapted | None:
    talk = request.conversation
    if talk is None or (model.conversation and model.family == talk.family):
        return None
    if not may_adapt:
        raise DoesNotFit(
            DropReason.CONVERSATION,
            f"{model.id} cannot read the thought signatures of {talk.model}; allow flattening the history",
        )
    return Adapted(
        kind=Adaptation.FLATTEN_HISTORY,
        detail=f"{model.id} gets the last picture of {talk.model} and the new words, not the turns before",
    )


def _references(request: ImageRequest, model: Model, _: Parameters) -> str | None:
    limits, given = model.references, len(request.references) + history_images(request)
    if given > limits.total:
        return f"{model.id} takes {limits.total} reference images, not {given}"
    for role, count in Counter(reference.role for reference in request.references).items():
        most = limits.by_role.get(role, limits.total)
        if count > most:
            return f"{model.id} takes {most} references of kind {role}, not {count}"
    return None


def _prompt_length(request: ImageRequest, model: Model, _: Parameters) -> str | None:
    # Only the provider can count tokens; four bytes a token is the usual figure.
    images = len(request.references) + history_images(request)
    tokens = -(-prompt_bytes(request) // 4) + images * model.references.tokens
    if tokens <= model.prompt_tokens:
        return None
    return f"{model.id} reads {model.prompt_tokens:,} tokens, this request has about {tokens:,}"


def _language(request: ImageRequest, model: Model, _: Parameters) -> str | None:
    if model.languages is None:
        return None
    can = ", ".join(model.languages)
    spoken = {_primary(language) for language in model.languages}
    if request.language is not None:
        known = _primary(request.language) in spoken
        return None if known else f"{model.id} understands {can}, not {request.language}"
    # A script cannot tell one of many languages from another; it costs a look at every letter.
    if spoken == {"en"} and (script := foreign_script(final_prompt(request))):
        return f"{model.id} understands {can}; the prompt holds {script} (set language if it is English)"
    return None


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()


def foreign_script(text: str) -> str | None:
    """Name of the first script that is not Latin, from the letters' Unicode names.

    Full-width and mathematical letters count as what they stand for, the signs of micro and ohm not at all.
    """
    for letter in unicodedata.normalize("NFKC", text.translate(_UNIT_SIGNS)):
        if letter.isalpha() and not unicodedata.name(letter, "LATIN").startswith(("LATIN", "MODIFIER")):
            return unicodedata.name(letter).partition(" ")[0].capitalize()
    return None


def _batch(request: ImageRequest, model: Model, _: Parameters) -> str | None:
    if request.lane is Lane.BATCH and not model.batch:
        return f"{model.id} has no batch; use the interactive lane"
    return None


def _seed(request: ImageRequest, model: Model, _: Parameters) -> str | None:
    if request.seed is not None and not model.seed:
        return f"{model.id} takes no seed on the Gemini API"
    return None


def _safety(request: ImageRequest, model: Model, _: Parameters) -> str | None:
    if request.safety and not model.safety_settings:
        return f"{model.id} takes no safety settings per category"
    return None


def _person(request: ImageRequest, model: Model, _: Parameters) -> str | None:
    asked = request.person_generation
    if asked is not None and asked not in model.person_generation:
        can = ", ".join(model.person_generation) or "no control over people"
        return f"{model.id} offers {can}, not {asked}"
    return None


def _grounding(request: ImageRequest, model: Model, _: Parameters) -> str | None:
    missing = [tool for tool in request.grounding if tool not in model.grounding]
    if missing:
        can = ", ".join(model.grounding) or "no grounding"
        return f"{model.id} offers {can}, not {', '.join(missing)}"
    return None


def _thinking(request: ImageRequest, model: Model, parameters: Parameters) -> str | None:
    if parameters.thinking is not None and parameters.thinking not in model.thinking:
        can = ", ".join(model.thinking) or "no choice of level"
        return f"{model.id} offers {can}, not thinking {parameters.thinking}"
    return None


CHECKS: tuple[tuple[DropReason, Callable[[ImageRequest, Model, Parameters], str | None]], ...] = (
    (DropReason.REFERENCES, _references),
    (DropReason.PROMPT_LENGTH, _prompt_length),
    (DropReason.LANGUAGE, _language),
    (DropReason.BATCH, _batch),
    (DropReason.SEED, _seed),
    (DropReason.SAFETY, _safety),
    (DropReason.PERSON_GENERATION, _person),
    (DropReason.GROUNDING, _grounding),
    (DropReason.THINKING, _thinking),
)


def first_no(request: ImageRequest, model: Model, *, parameters: Parameters) -> No | None:
    """The first check that fails, or None when the model can do it."""
    answers: Iterable[No] = (
        (reason, detail) for reason, check in CHECKS if (detail := check(request, model, parameters))
    )
    return next(iter(answers), None)
