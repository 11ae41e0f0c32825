"""The request as it goes out, after the adaptations that its decision or its attempt lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from image_router.core.types import Adaptation, Conversation, ImageRequest, Reference

_PREFIX = "Generate an image: "


def adapted(request: ImageRequest, kinds: Iterable[Adaptation]) -> ImageRequest:
    """Rewrite the words or the history. Other kinds leave the request as it is: sizes and ratios travel in
    the candidate's parameters, and pictures are re-encoded by the engine."""
    for kind in kinds:
        request = _rewritten(request, kind)
    return request


def _rewritten(request: ImageRequest, kind: Adaptation) -> ImageRequest:
    if kind is Adaptation.FOLD_SYSTEM_INSTRUCTION and request.system_instruction:
        prompt = f"{request.system_instruction}\n\n{request.prompt}"
        return replace(request, prompt=prompt, system_instruction=None)
    if kind is Adaptation.FLATTEN_HISTORY and request.conversation:
        return _flattened(request, request.conversation)
    if kind is Adaptation.IMAGE_PREFIX:
        return replace(request, prompt=_PREFIX + request.prompt)
    return request


def _flattened(request: ImageRequest, talk: Conversation) -> ImageRequest:
    """The last picture becomes a reference in a single user turn; words and signatures stay behind."""
    pictures = [part for turn in talk.turns for part in turn.parts if part.data is not None]
    if not pictures:
        return replace(request, conversation=None)
    from hashlib import sha256  # 5 ms that words alone need not wait for

    last = pictures[-1]
    data = last.data or b""
    reference = Reference(
        data=data,
        media_type=last.media_type or "image/png",
        digest=sha256(data).hexdigest(),
        width=0,
        height=0,
        name="the picture so far",
    )
    return replace(request, conversation=None, references=(reference, *request.references))
