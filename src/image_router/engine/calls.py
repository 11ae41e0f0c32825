"""One candidate → the call that is sent. Explaining and dispatching both ask here, so they cannot differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from image_router.core.adapting import adapted
from image_router.core.decision import Candidate
from image_router.core.rates import max_output_tokens
from image_router.core.types import Adaptation, ImageRequest
from image_router.providers.base import Call


def call_for(request: ImageRequest, candidate: Candidate, *, rewrites: Iterable[Adaptation] = ()) -> Call:
    """The request as adapted for the candidate, with the rewritings that earlier answers asked for.

    Blocking when a reference is re-encoded.
    """
    if candidate.prompt is not None:
        request = replace(request, prompt=candidate.prompt)
    kinds = (*(change.kind for change in candidate.adapted), *rewrites)
    request = adapted(request, kinds)
    if Adaptation.REENCODE_REFERENCE in kinds:
        from image_router.engine.reencoding import reencoded  # its libraries, for pictures alone

        request = reencoded(request)
    model, parameters = candidate.model, candidate.parameters
    return Call(
        request=request,
        model=model,
        parameters=parameters,
        max_output_tokens=max_output_tokens(model, parameters),
        lane=request.lane,
    )
