"""The request as it goes to one candidate, after the adaptations its decision lists."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from image_router.core.decision import Candidate
from image_router.core.types import Adaptation, Conversation, ImageRequest, Reference

_PREFIX = "Generate an image: "


def adapted(request: ImageRequest, candidate: Candidate) -> ImageRequest:
    """Apply the candidate's adaptations; sizes and ratios travel in its parameters."""
    for change in candidate.adapted:
        request = apply(change.kind, request)
    return request


def apply(kind: Adaptation, request: ImageRequest) -> ImageRequest:
    """One rewriting of the words or the history; other kinds leave the request as it is."""
    if kind is Adaptation.FOLD_SYSTEM_INSTRUCTION and request.system_instruction:
        prompt = f"{request.system_instruction}\n\n{request.prompt}"
        return replace(request, prompt=prompt, system_instruction=None)
    if kind is Adaptation.FLATTEN_HISTORY and request.conversation:
        return _flattened(request, request.conversation)
    if kind is Adaptation.IMAGE_PREFIX:
        return replace(request, prompt=_PREFIX + request.prompt)
    return request


def _flattened(request: ImageRequest, talk: Conversation) -> ImageRequest:
    """The last picture becomes a reference in a single user turn; signatures are left behind."""
    pictures = [part for turn in talk.turns for part in turn.parts if part.data is not None]
    if not pictures:
        return replace(request, conversation=None)
    last = pictures[-1]
    data = last.data or b""
    reference = Reference(
        data=data,
        media_type=last.media_type or "image/png",
        digest=hashlib.sha256(data).hexdigest(),
        width=0,
        height=0,
        name="the picture so far",
    )
    return replace(request, conversation=None, references=(reference, *request.references))
