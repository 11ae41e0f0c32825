"""One call → the JSON of Imagen's :predict. Pure: no network, no clock, no judgement.

Format: https://ai.google.dev/gemini-api/docs/imagen, read 2026-09-18, and recorded traffic. The Gemini API
takes no seed, language, negative prompt or output type here, and only BLOCK_LOW_AND_ABOVE as a filter.
"""

from __future__ import annotations

from image_router.core.prompting import final_prompt
from image_router.providers.base import Call
from image_router.providers.lenient import JsonObject

METHOD = "predict"
_ONLY_FILTER = "BLOCK_LOW_AND_ABOVE"


def request_body(call: Call) -> JsonObject:
    """The body of one :predict call for one picture (the API's own default is four)."""
    request, parameters = call.request, call.parameters
    wanted: JsonObject = {"sampleCount": 1, "includeRaiReason": True}
    if parameters.aspect is not None:
        wanted["aspectRatio"] = parameters.aspect.value
    if call.model.sends_size:
        wanted["imageSize"] = parameters.size.value
    if request.person_generation is not None:
        wanted["personGeneration"] = request.person_generation.value
    if any(setting.threshold == _ONLY_FILTER for setting in request.safety):
        wanted["safetySetting"] = _ONLY_FILTER
    return {"instances": [{"prompt": final_prompt(request)}], "parameters": wanted}
