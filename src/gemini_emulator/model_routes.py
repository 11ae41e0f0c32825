"""models.list, models.get, generateContent, streamGenerateContent, predict, countTokens."""

from __future__ import annotations

from collections.abc import Mapping

import pybase64
from starlette.requests import Request
from starlette.responses import Response

from gemini_emulator import errors
from gemini_emulator.answers import deliver, plan, read
from gemini_emulator.batch_routes import create_batch
from gemini_emulator.bill import Entry
from gemini_emulator.calls import Call, Handler, carry_out
from gemini_emulator.drafts import Draft
from gemini_emulator.errors import Json
from gemini_emulator.imagen import predictions, read_predict
from gemini_emulator.replies import events
from gemini_emulator.state import State
from gemini_emulator.text_models import TextModel
from gemini_emulator.text_routes import TEXT_METHODS
from gemini_emulator.usage import Usage, prompt_tokens
from gemini_emulator.world import Model

_REFUSAL_MS = 1600  # recorded for an answer in words alone
_INLINE_THREAD = 32_768  # bodies above this may hold pictures to decode: off the event loop
_PAGE, _LARGEST_PAGE = 50, 1000


async def on_model(request: Request) -> Response:
    """POST or GET {model}[:method]."""
    model_id, _, method = request.path_params["target"].partition(":")
    state: State = request.app.state.emulator
    if not method and request.method == "GET":
        return await carry_out(Call(request, state, method="models.get", model_id=model_id), _get_model)
    writes = state.world.find_text(model_id) is not None
    handler = (TEXT_METHODS if writes else _METHODS).get(method)
    call = Call(request, state, method=method, model_id=model_id)
    if handler is None or request.method != "POST":
        return call.failure(errors.not_found(f"Method {method or request.method} of models/{model_id}"))
    return await carry_out(call, handler)


async def on_models(request: Request) -> Response:
    return await carry_out(Call(request, request.app.state.emulator, method="models.list"), _list_models)


async def _list_models(call: Call) -> Response:
    listed = call.state.world.listed(call.day)
    size = min(call.page_size(_PAGE), _LARGEST_PAGE)
    start = _start_after(
        call.request.query_params.get("pageToken", ""), [f"models/{model.id}" for model in listed]
    )
    page = listed[start : start + size]
    body: Json = {"models": [_resource(model) for model in page]}
    if start + size < len(listed):
        body["nextPageToken"] = _page_token(f"models/{page[-1].id}")
    return call.answer(body)


async def _get_model(call: Call) -> Response:
    model = next((known for known in call.state.world.listed(call.day) if known.id == call.model_id), None)
    if model is None:
        raise errors.model_not_found(call.model_id, "generateContent", version=call.version, day=call.day)
    return call.answer(_resource(model))


async def _generate(call: Call) -> Response:
    body = await _generated(call)
    return call.answer(body, tier=True)


async def _stream(call: Call) -> Response:
    body = await _generated(call)
    return call.stream(events(body))


async def _generated(call: Call) -> Json:
    model = call.model()
    message = call.message("GenerateContentRequest")
    call.state.limits.admit(model, call.where({}), now=call.state.clock.now())
    heavy = call.size > _INLINE_THREAD
    ask = await read(call.state, message, model=model, owner=call.owner, vertex=call.vertex, heavy=heavy)
    draft = plan(ask, call.option("answer"))
    await call.take(_milliseconds(draft))
    body = await deliver(call.state, draft, key=call.key, method=call.method, fault=_fault_name(call))
    await call.ripen()
    return body


async def _predict(call: Call) -> Response:
    model = call.model()
    call.state.limits.admit(model, call.where({}), now=call.state.clock.now())
    ask, parameters = read_predict(call.message("PredictRequest"), model, vertex=call.vertex)
    fault = call.option("predict")
    filtered, empty = 0, fault is not None and fault.name == "imagen_empty"
    if fault is not None and not empty:
        filtered = (
            ask.count if fault.name == "imagen_all_filtered" else min(fault.count("count", 1), ask.count)
        )
    await call.take(ask.pick(model.latency_ms[ask.size], "latency"))
    shown = 0 if empty else ask.count - filtered
    entry = Entry(
        id=call.state.ids.bill_entry(),
        time=call.state.clock.now(),
        model=model.id,
        method=call.method,
        lane="interactive",
        key=call.key[-4:],
        outcome="image" if shown else "filtered",
        fault=_fault_name(call),
    )
    call.state.limits.spend(call.state.account.pictures(entry, model, count=shown), entry.time)
    body = {} if empty else await predictions(ask, parameters, studio=call.state.studio, filtered=filtered)
    await call.ripen()
    return call.answer(body)


async def _count_tokens(call: Call) -> Response:
    call.model()
    message = call.message("CountTokensRequest")
    message = message.get("generateContentRequest", message)
    if not message.get("contents"):
        raise errors.invalid("* CountTokensRequest.contents: contents is not specified\n")
    parts = [part for content in message["contents"] for part in content.get("parts", ())]
    texts = [part["text"] for part in parts if "text" in part]
    model = call.state.world.find(call.model_id)
    each = model.input_image_tokens if model is not None else 0
    pictures = sum(1 for part in parts if "inlineData" in part or "fileData" in part)
    usage = Usage(prompt_text=prompt_tokens(texts), prompt_image=each * pictures)
    return call.answer({"totalTokens": usage.prompt, "promptTokensDetails": usage.prompt_details()})


_METHODS: Mapping[str, Handler] = {
    "generateContent": _generate,
    "streamGenerateContent": _stream,
    "predict": _predict,
    "countTokens": _count_tokens,
    "batchGenerateContent": create_batch,
}


def _fault_name(call: Call) -> str | None:
    return call.fault.name if call.fault is not None else None


def _milliseconds(draft: Draft) -> int:
    if not draft.frames:
        return _REFUSAL_MS
    return draft.ask.pick(draft.ask.model.latency_ms[draft.ask.size], "latency")


def _resource(model: Model | TextModel) -> Json:
    resource: Json = {
        "name": f"models/{model.id}",
        "version": model.version,
        "displayName": model.display_name,
        "description": model.description,
        "inputTokenLimit": model.input_limit,
        "outputTokenLimit": model.output_limit,
        "supportedGenerationMethods": list(model.methods),
    }
    if isinstance(model, TextModel):
        resource |= {"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2, "thinking": True}
    elif model.dialect == "generateContent":
        resource |= {"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 1}
        resource |= {"thinking": True} if model.thinks else {}
    return resource


def _page_token(name: str) -> str:
    """Recorded: base64 of a protobuf message whose first field is the last name shown."""
    return pybase64.b64encode(b"\n" + bytes([len(name)]) + name.encode()).decode().rstrip("=")


def _start_after(token: str, names: list[str]) -> int:
    if not token:
        return 0
    try:
        name = pybase64.b64decode(token + "=" * (-len(token) % 4))[2:].decode()
        return names.index(name) + 1
    except ValueError as error:
        raise errors.invalid("The page token is invalid.") from error
